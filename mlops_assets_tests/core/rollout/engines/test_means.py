"""The mean of a quantity without bounds: bounds that hold at every look."""

import math

import numpy as np
import pytest

from mlops_assets.core.rollout.engines.means import LEAST, half_width
from mlops_assets.declare import DataError


def test_it_says_nothing_of_few_values_and_nothing_of_broken_ones():
    assert half_width(LEAST - 1, 1.0, 0.05) == math.inf
    assert half_width(LEAST, 0.0, 0.05) == 0
    for deviation in (-1.0, math.nan, math.inf):
        with pytest.raises(DataError, match="deviation"):
            half_width(LEAST, deviation, 0.05)


def test_it_costs_at_most_twice_a_single_look():
    single = 1.96 / math.sqrt(5000)

    assert single < half_width(5000, 1.0, 0.05) < 2 * single


@pytest.mark.slow
def test_it_misses_the_mean_of_a_skewed_quantity_in_at_most_alpha_of_runs_however_often_one_looks():
    random, missed, number = np.random.default_rng(8), 0, np.arange(1, 20_001)
    for _ in range(400):
        values = random.lognormal(0, 1, 20_000)
        mean = np.cumsum(values) / number
        spread = np.sqrt(np.maximum(np.cumsum(values**2) / number - mean**2, 0))
        width = np.array([half_width(n, 1.0, 0.05) for n in number[LEAST - 1 :: 50].tolist()])
        off = np.abs(mean - math.exp(0.5))[LEAST - 1 :: 50] > width * spread[LEAST - 1 :: 50]
        missed += bool(off.any())

    assert missed / 400 <= 0.05
