"""PSI: the facts that need no data, an obvious twin, and the acceptance table of its three-way rule."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.drift.psi import corrected_psi, decile_psi_of_normal_shift, psi, sampling_noise
from mlops_assets.core.drift.verdict import Verdict, judge_psi
from mlops_assets.core.profile.binning import binned_numbers
from mlops_assets.core.profile.bins import Bins
from mlops_assets.declare.errors import DataError

counts = st.lists(st.integers(0, 5000), min_size=2, max_size=14).filter(any)


def bins_of(values: np.ndarray) -> Bins:
    return binned_numbers("x", pd.Series(values), np.zeros(len(values), dtype=np.int64), 1).bins


def psi_of(reference: np.ndarray, live: np.ndarray) -> float:
    bins = bins_of(reference)
    return psi(bins.tally("x", pd.Series(reference)).bins, bins.tally("x", pd.Series(live)).bins)


def slow_psi(reference: list[int], live: list[int]) -> float:
    """The formula of the design, word for word."""
    used = [i for i in range(len(reference)) if reference[i] + live[i] > 0]
    total = 0.0
    for i in used:
        p = (reference[i] + 0.5) / (sum(reference) + 0.5 * len(used))
        q = (live[i] + 0.5) / (sum(live) + 0.5 * len(used))
        total += (q - p) * math.log(q / p)
    return total


@given(counts)
def test_nothing_drifts_from_itself(reference: list[int]) -> None:
    assert psi(reference, reference) == 0


@given(st.data())
def test_psi_equals_its_slow_twin_is_symmetric_and_blind_to_the_order_of_bins(data: st.DataObject) -> None:
    reference = data.draw(counts)
    live = data.draw(st.lists(st.integers(0, 5000), min_size=len(reference), max_size=len(reference)).filter(any))
    turned = data.draw(st.permutations(range(len(reference))))

    value = psi(reference, live)
    assert value == pytest.approx(slow_psi(reference, live), abs=1e-12)
    assert value == pytest.approx(psi(live, reference), abs=1e-12)
    assert value == psi([reference[i] for i in turned], [live[i] for i in turned])
    assert value >= 0


@given(st.sampled_from([np.exp, np.arctan, lambda x: x**3, lambda x: 1000 - 7 * x]), st.integers(0, 10_000))
def test_psi_is_the_same_after_a_monotone_map_of_the_column(how: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, live = rng.normal(size=4000), rng.normal(0.3, 1, size=3000)

    mapped = psi_of(how(reference), how(live))  # type: ignore[operator]  # one of the maps above

    # a falling map turns bins that are closed above into bins that are closed below: a row an edge may change sides
    assert mapped == pytest.approx(psi_of(reference, live), abs=1e-9 if how(1.0) > how(0.0) else 0.02)  # type: ignore[operator]


def test_one_outlier_moves_psi_by_no_more_than_its_row() -> None:
    rng = np.random.default_rng(3)
    reference, live = rng.normal(size=10_000), rng.normal(0.5, 1, size=5_000)

    spoiled = np.append(live, 1e6)

    assert abs(psi_of(reference, spoiled) - psi_of(reference, live)) < 5 / len(live)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6])
def test_a_surge_of_missing_rows_scores_like_a_category_of_that_share(share: float) -> None:
    rows, surge = 10_000, round(10_000 * share)
    reference = np.arange(rows, dtype=float) % 997
    live = reference.copy()
    live[:surge] = np.nan
    as_category = psi([rows, 0], [rows - surge, surge])

    assert psi_of(reference, live) == pytest.approx(as_category, rel=0.02)


def test_half_a_standard_deviation_on_ten_deciles_is_0_2377() -> None:
    rng = np.random.default_rng(1)
    sampled = psi_of(rng.normal(size=400_000), rng.normal(0.5, 1, size=400_000))

    assert decile_psi_of_normal_shift(0.5) == pytest.approx(0.2377, abs=5e-5)
    assert sampled == pytest.approx(0.2377, abs=0.005)


def test_the_reported_figure_has_no_sampling_bias() -> None:
    rng = np.random.default_rng(5)
    deciles = np.full(10, 0.1)
    figures = [corrected_psi([1000] * 10, rng.multinomial(500, deciles)) for _ in range(400)]
    raw = [psi([1000] * 10, rng.multinomial(500, deciles)) for _ in range(400)]

    assert np.median(figures) < 0.002 < 0.015 < np.median(raw)


def test_an_empty_side_or_bins_that_do_not_pair_are_refused() -> None:
    with pytest.raises(DataError, match="both sides need rows"):
        psi([1, 2], [0, 0])
    with pytest.raises(DataError, match="must pair"):
        psi([1, 2], [1, 2, 3])


# The acceptance table: threshold .1, ten deciles, n = 10 000; how often a window ends STABLE and DRIFT.

BOUNDARY = 0.323  # the shift whose true PSI is .1
TABLE = [  # m, shift, verdict, expected share
    (200, 0.0, Verdict.STABLE, 0.82),
    (200, 0.2, Verdict.STABLE, 0.31),
    (200, BOUNDARY, Verdict.DRIFT, 0.020),
    (200, BOUNDARY, Verdict.STABLE, 0.039),
    (200, 0.4, Verdict.DRIFT, 0.14),
    (200, 0.5, Verdict.DRIFT, 0.58),
    (500, 0.0, Verdict.STABLE, 1.00),
    (500, 0.2, Verdict.STABLE, 0.68),
    (500, BOUNDARY, Verdict.DRIFT, 0.023),
    (500, BOUNDARY, Verdict.STABLE, 0.028),
    (500, 0.4, Verdict.DRIFT, 0.33),
    (500, 0.5, Verdict.DRIFT, 0.945),
    (1000, 0.0, Verdict.STABLE, 1.00),
    (1000, 0.2, Verdict.STABLE, 0.94),
    (1000, BOUNDARY, Verdict.DRIFT, 0.021),
    (1000, BOUNDARY, Verdict.STABLE, 0.027),
    (1000, 0.4, Verdict.DRIFT, 0.60),
    (1000, 0.5, Verdict.DRIFT, 0.998),
    (3000, 0.0, Verdict.STABLE, 1.00),
    (3000, 0.2, Verdict.STABLE, 1.00),
    (3000, BOUNDARY, Verdict.DRIFT, 0.024),
    (3000, BOUNDARY, Verdict.STABLE, 0.026),
    (3000, 0.4, Verdict.DRIFT, 0.94),
    (3000, 0.5, Verdict.DRIFT, 1.00),
]


def share_of(verdict: Verdict, m: int, shift: float, *, times: int, seed: int) -> float:
    """How often a fresh reference of 10 000 rows and a fresh window of m rows end with `verdict`.

    Rows are drawn as their bins: multinomial counts of N(0, 1) and N(shift, 1), the reference's deciles being its own.
    """
    rng = np.random.default_rng(seed)
    met = 0
    for _ in range(times):
        reference = np.sort(rng.normal(size=10_000))
        edges = reference[np.arange(1, 10) * 1000 - 1]
        live = np.bincount(np.searchsorted(edges, rng.normal(shift, 1, size=m)), minlength=10)
        raw = psi([1000] * 10, live)
        noise, bins = sampling_noise([1000] * 10, live)
        met += judge_psi(raw, noise=noise, bins=bins, threshold=0.1, alpha=0.05).verdict is verdict
    return met / times


@pytest.mark.parametrize(("m", "shift", "verdict", "expected"), TABLE)
def test_the_three_way_rule_errs_as_often_as_the_table_says(
    m: int, shift: float, verdict: Verdict, expected: float
) -> None:
    assert share_of(verdict, m, shift, times=250, seed=m) == pytest.approx(expected, abs=0.09)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "shift", "verdict", "expected"), TABLE)
def test_the_whole_acceptance_table_holds(m: int, shift: float, verdict: Verdict, expected: float) -> None:
    assert share_of(verdict, m, shift, times=5000, seed=m + 1) == pytest.approx(expected, abs=0.03)
