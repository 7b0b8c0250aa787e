"""Which model errs more often on the same requests: against numerical integration, and simulated."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from mlops_assets.core.rollout.engines.pairs import log_regress
from mlops_assets.declare import DataError


@given(st.integers(0, 60), st.integers(0, 60))
def test_it_is_the_mean_likelihood_ratio_over_all_chances_above_one_half(worse, better):
    mean, _ = quad(lambda p: 2 * (2 * p) ** worse * (2 * (1 - p)) ** better, 0.5, 1.0, epsabs=0, limit=200)

    assert log_regress(worse, better) == pytest.approx(math.log(mean), abs=1e-6)


def test_counts_below_zero_are_refused_and_overwhelming_ones_are_not():
    assert log_regress(0, 5000) < -3
    assert log_regress(10**6, 0) > 1e5
    assert log_regress(0, 10**6) == -math.inf or log_regress(0, 10**6) < -10
    with pytest.raises(DataError, match="counts"):
        log_regress(-1, 0)


def ever(random, worse_share, discordant, runs=2000, pairs=4000):
    """Where the evidence first reaches 20, in pairs (0: never), of runs with this share of discordant pairs."""
    table = np.full((700, 700), np.nan)
    found = []
    for _ in range(runs):
        differ = np.flatnonzero(random.random(pairs) < discordant)
        worse = np.cumsum(random.random(len(differ)) < worse_share)
        at = 0
        for n, (count, pair) in enumerate(zip(worse, differ, strict=True), 1):
            if np.isnan(table[count, n - count]):
                table[count, n - count] = log_regress(int(count), int(n - count))
            if table[count, n - count] >= math.log(20):
                at = pair + 1
                break
        found.append(at)
    return np.array(found)


@pytest.mark.slow
def test_a_model_as_good_is_convicted_in_less_than_alpha_of_runs_and_two_points_are_found_in_575_to_1750_pairs():
    random = np.random.default_rng(3)

    assert 0.02 <= (ever(random, 0.5, 0.1) > 0).mean() <= 0.045  # 3.5 % of 12 000 runs; 5 % is allowed
    for discordant, pairs in ((0.04, 575), (0.1, 1750)):  # two points of accuracy: 3 + 1, or 6 + 4 of a hundred pairs
        found = ever(random, 0.5 + 0.01 / discordant, discordant, runs=400, pairs=7000)
        assert (found > 0).mean() > 0.97
        assert np.median(found[found > 0]) == pytest.approx(pairs, rel=0.25)
