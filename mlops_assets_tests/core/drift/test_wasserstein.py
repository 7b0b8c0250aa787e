"""W1: how far in standard deviations, equal to scipy's on clipped values within the sketch's grain."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_assets.core.drift.wasserstein import Moved, wasserstein
from mlops_assets.core.profile.binning import binned_numbers
from mlops_assets.core.profile.bins import NumericBins


def moved(reference: np.ndarray, live: np.ndarray) -> tuple[NumericBins, Moved | None]:
    made = binned_numbers("x", pd.Series(reference), np.zeros(len(reference), dtype=np.int64), 1)
    assert isinstance(made.bins, NumericBins)
    return made.bins, wasserstein(made.bins, made.cells[0], made.bins.tally("x", pd.Series(live)).cells)


@pytest.mark.parametrize("shift", [0.0, -0.3, 0.5, 2.0])
@pytest.mark.parametrize("digits", [None, 1])
def test_it_equals_scipys_on_the_clipped_values(shift: float, digits: int | None) -> None:
    rng = np.random.default_rng(2)
    reference, live = rng.normal(10, 3, size=20_000), rng.normal(10 + 3 * shift, 3, size=5_000)
    if digits is not None:
        reference, live = reference.round(digits), live.round(digits)

    bins, found = moved(reference, live)
    low, high = bins.points[bins.low], bins.points[bins.high]
    clipped = [np.clip(side, low, high) for side in (reference, live)]

    assert found is not None
    assert bins.scale is not None
    assert found.distance_sd == pytest.approx(stats.wasserstein_distance(*clipped) / bins.scale, abs=0.01)
    assert found.shift_sd == pytest.approx((clipped[1].mean() - clipped[0].mean()) / bins.scale, abs=0.01)


def test_a_shift_of_half_a_standard_deviation_reads_one_half() -> None:
    rng = np.random.default_rng(4)
    _, found = moved(rng.normal(size=100_000), rng.normal(0.5, 1, size=100_000))

    assert found is not None
    assert found.shift_sd == pytest.approx(0.5, abs=0.02)


def test_one_outlier_decides_nothing() -> None:
    rng = np.random.default_rng(5)
    reference = rng.normal(size=10_000)
    _, found = moved(reference, np.append(reference, 1e9))

    assert found is not None
    assert found.distance_sd < 0.001


def test_a_column_without_spread_has_no_distance() -> None:
    assert moved(np.ones(100), np.zeros(50))[1] is None
