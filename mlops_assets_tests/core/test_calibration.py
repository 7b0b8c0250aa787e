"""The calibration table: all rows, once, in groups that never part equal predictions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.calibration import calibrate
from mlops_assets.declare import DataError

ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.3]) | st.floats(0, 1)), min_size=1, max_size=60)


@given(ROWS, st.integers(1, 12))
def test_groups_hold_every_row_once_in_order(rows, bins):
    truth, prediction = [r[0] for r in rows], [r[1] for r in rows]

    table = calibrate(truth, prediction, bins)

    assert sum(d.rows for d in table.deciles) == len(rows) and 1 <= len(table.deciles) <= bins
    assert all(a.high < b.low for a, b in zip(table.deciles, table.deciles[1:], strict=False))
    total = sum(d.rows * d.actual for d in table.deciles) / len(rows)
    assert math.isclose(total, table.mean_actual, abs_tol=1e-12)
    assert 0 <= table.ece <= 1
    json.dumps(table.to_json(), allow_nan=False)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    assert calibrate(*zip(*rows, strict=True)) == calibrate(*zip(*shuffled, strict=True))


def test_a_thousand_different_predictions_make_ten_groups_of_a_hundred():
    random = np.random.default_rng(0)
    p = random.random(1000)
    table = calibrate(random.random(1000) < p, p)

    assert [d.rows for d in table.deciles] == [100] * 10
    assert table.ece < 0.08 < calibrate(random.random(1000) < p, p**4).ece


def test_a_constant_prediction_is_one_group():
    table = calibrate([True, False, False, False], [0.5] * 4)

    assert [(d.rows, d.actual) for d in table.deciles] == [(4, 0.25)]
    assert table.ece == 0.25


def test_nothing_has_no_calibration():
    with pytest.raises(DataError):
        calibrate([], [])
