"""KS on a sketch: exact where the sketch is, never further off than it says, and its acceptance figures."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_assets.core.drift.ks import ks_distance, ks_resolution
from mlops_assets.core.drift.verdict import Verdict, judge_ks
from mlops_assets.core.profile.binning import binned_numbers


def sketched(reference: np.ndarray, live: np.ndarray) -> tuple[float, float]:
    """KS on the sketch, and what the sketch may hide."""
    made = binned_numbers("x", pd.Series(reference), np.zeros(len(reference), dtype=np.int64), 1)
    distance = ks_distance(made.cells[0], made.bins.tally("x", pd.Series(live)).cells)
    assert distance is not None
    return distance, ks_resolution(made.cells[0])


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([None, 0, 1]))
def test_the_sketch_is_never_further_off_than_its_resolution(seed: int, shift: float, digits: int | None) -> None:
    rng = np.random.default_rng(seed)
    reference, live = rng.normal(size=3000), rng.normal(shift, 1, size=500)
    if digits is not None:
        reference, live = reference.round(digits), live.round(digits)

    distance, resolution = sketched(reference, live)
    true = stats.ks_2samp(reference, live).statistic

    assert distance - 1e-12 <= true <= distance + resolution + 1e-12
    assert resolution <= 1 / 500


def test_ks_is_exact_when_every_value_is_a_point_of_the_sketch() -> None:
    rng = np.random.default_rng(1)
    reference, live = rng.integers(0, 24, 5000).astype(float), rng.integers(3, 26, 700).astype(float)

    distance, resolution = sketched(reference, live)

    assert resolution == 0
    assert distance == pytest.approx(stats.ks_2samp(reference, live).statistic, abs=1e-15)


def test_missing_values_are_judged_apart_and_a_column_without_numbers_has_no_distance() -> None:
    reference = np.arange(1000.0)
    holed = np.where(np.arange(1000) % 2, np.nan, reference)

    assert sketched(reference, holed)[0] < 0.005
    assert ks_distance(np.array([0, 5, 0]), np.array([0, 0, 0])) is None


@pytest.mark.parametrize(
    ("shift", "verdict", "expected"), [(0.0, Verdict.STABLE, 0.99), (0.4, Verdict.DRIFT, 0.94)], ids=["none", ".4 sd"]
)
def test_ks_errs_as_often_as_the_acceptance_figures_say(shift: float, verdict: Verdict, expected: float) -> None:
    rng = np.random.default_rng(7)
    met, times = 0, 300
    for _ in range(times):
        reference, live = rng.normal(size=10_000), rng.normal(shift, 1, size=1000)
        distance, resolution = sketched(reference, live)
        met += judge_ks(distance, n=10_000, m=1000, resolution=resolution, threshold=0.1, alpha=0.05) is verdict

    assert met / times == pytest.approx(expected, abs=0.04)
