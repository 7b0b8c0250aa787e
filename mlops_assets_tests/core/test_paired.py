"""The difference of two models and its error: over blocks of days, which is what the figure really varies by."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.paired import difference, jackknife_error, paired
from mlops_assets.declare import Promotion, Task

MAE = Promotion(metric="mae", margin=0)


def stormy(seed, days=14, per_day=30):
    """Two equally good models of a label 0: each day of its own moves the loss difference of all its rows."""
    random = np.random.default_rng(seed)
    day = np.arange(days * per_day) // per_day
    storm, noise = random.normal(0, 0.5, days)[day], random.normal(0, 0.5, len(day))
    rows = pd.DataFrame({"parcel": np.arange(len(day)), "block": day.astype(str), "label": 0.0})
    return rows.assign(prediction=10 + storm + noise), rows.assign(prediction=10 - storm - noise)


def error(challenger, champion):
    return difference(MAE, paired(challenger, champion)[1], Task.REGRESSION).standard_error


def test_the_error_over_days_is_what_the_difference_really_varies_by_and_that_over_rows_is_far_too_small():
    worlds = [stormy(seed) for seed in range(120)]
    met = [a["prediction"].mean() - b["prediction"].mean() for a, b in worlds]

    by_day = np.sqrt(np.mean([error(*world) ** 2 for world in worlds]))
    by_row = np.sqrt(
        np.mean([error(*(side.assign(block=side["parcel"]) for side in world)) ** 2 for world in worlds[:10]])
    )

    assert by_day == pytest.approx(np.std(met), rel=0.2)
    assert by_row < by_day / 3


def test_rows_that_share_nothing_have_the_same_error_in_any_blocks():
    random = np.random.default_rng(5)
    rows = pd.DataFrame({"parcel": np.arange(2000), "label": 0.0})
    sides = [rows.assign(prediction=random.normal(10, 1, 2000)) for _ in range(2)]

    found = [error(*(side.assign(block=side["parcel"] % blocks) for side in sides)) for blocks in (50, 200, 2000)]

    assert found == pytest.approx([math.sqrt(2 / 2000)] * 3, rel=0.2)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_jackknife_of_a_mean_is_the_textbooks_standard_error(values):
    values = np.array(values)
    without = (values.sum() - values) / (len(values) - 1)

    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / math.sqrt(len(values)), rel=1e-6, abs=1e-9)


def test_fewer_blocks_than_can_tell_are_said_in_the_declared_words():
    sides = [side[side["block"].astype(int) < 4] for side in stormy(0)]
    three_days = Promotion(metric="mae", margin=0, block=pd.Timedelta(days=3).to_pytimedelta())

    said = [difference(p, paired(*sides)[1], Task.REGRESSION).untold for p in (MAE, three_days)]

    assert said == ["4 days, 5 are the least that tell", "4 blocks of 3 days, 5 are the least that tell"]
