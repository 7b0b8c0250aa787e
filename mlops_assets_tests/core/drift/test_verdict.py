"""The three-way rules on their own."""

import math

import pytest
from scipy.stats import ncx2

from mlops_assets.core.drift.verdict import Verdict, judge_js, judge_ks, judge_psi


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.7])
@pytest.mark.parametrize("rows", [200, 6_500, 1_000_000])
@pytest.mark.parametrize("value", [0.0, 0.09, 0.2, 0.9])
def test_the_law_is_scipys_noncentral_chi_squared(threshold: float, rows: int, value: float) -> None:
    noise = 1 / 50_000 + 1 / rows
    judged = judge_psi(value, noise=noise, bins=10, threshold=threshold, alpha=0.05)

    assert judged.p_drift == pytest.approx(ncx2.sf(value / noise, 9, threshold / noise), abs=1e-8)
    assert judged.p_stable == pytest.approx(ncx2.cdf(value / noise, 9, threshold / noise), abs=1e-8)


def test_far_beyond_any_sample_the_rule_still_answers() -> None:
    for value, verdict in ((0.0, Verdict.STABLE), (0.19, Verdict.STABLE), (0.21, Verdict.DRIFT), (19.0, Verdict.DRIFT)):
        assert judge_psi(value, noise=2e-9, bins=12, threshold=0.2, alpha=0.05).verdict is verdict


def test_more_rows_turn_a_doubt_into_a_verdict() -> None:
    verdicts = [
        judge_psi(0.3, noise=1 / 50_000 + 1 / rows, bins=10, threshold=0.2, alpha=0.05).verdict for rows in (50, 2000)
    ]

    assert verdicts == [Verdict.INSUFFICIENT_DATA, Verdict.DRIFT]


def test_one_bin_on_both_sides_is_stable_once_there_are_rows_enough() -> None:
    assert judge_psi(0.0, noise=1 / 5000 + 1 / 20, bins=1, threshold=0.2, alpha=0.05).verdict is not Verdict.STABLE
    assert judge_psi(0.0, noise=1 / 5000 + 1 / 500, bins=1, threshold=0.2, alpha=0.05).verdict is Verdict.STABLE


def test_js_follows_psi_and_ks_counts_what_the_sketch_hides_against_stability() -> None:
    js = judge_js(0.05, noise=0.001, bins=10, threshold=0.2, alpha=0.05)
    assert js == judge_psi(0.4, noise=0.001, bins=10, threshold=0.2, alpha=0.05)

    margin = 1.358102 * math.sqrt(2 / 10_000)
    near = {"n": 10_000, "m": 10_000, "threshold": 0.1, "alpha": 0.05}
    assert judge_ks(0.1 - margin - 0.001, resolution=0.0, **near) is Verdict.STABLE  # type: ignore[arg-type]
    assert judge_ks(0.1 - margin - 0.001, resolution=0.002, **near) is Verdict.INSUFFICIENT_DATA  # type: ignore[arg-type]
    assert judge_ks(0.1 + margin + 0.001, resolution=0.002, **near) is Verdict.DRIFT  # type: ignore[arg-type]
