"""Metrics: each equals scikit-learn's, and what is no metric is an error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from mlops_assets.core.metrics import METRIC, measure
from mlops_assets.declare import DataError, Task
from mlops_assets.declare.promotion import METRICS

ORACLE = {
    "log_loss": lambda y, p: theirs.log_loss(y, p, labels=[0, 1]),
    "brier": theirs.brier_score_loss,
    "auc": theirs.roc_auc_score,
    "mae": theirs.mean_absolute_error,
    "rmse": theirs.root_mean_squared_error,
}
CHANCES = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 1.0])
JUDGED = st.lists(st.tuples(st.booleans(), CHANCES), min_size=2, max_size=40).filter(
    lambda rows: len({happened for happened, _ in rows}) == 2
)
SIZES = st.floats(-1e6, 1e6)


@given(JUDGED)
def test_classification_metrics_equal_scikit_learns(rows):
    truth, prediction = np.array([r[0] for r in rows], dtype=float), np.array([r[1] for r in rows])

    for name, value in measure(Task.CLASSIFICATION, truth, prediction).items():
        assert math.isclose(value, ORACLE[name](truth, prediction), rel_tol=1e-12, abs_tol=1e-12), name


@given(st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=40))
def test_regression_metrics_equal_scikit_learns(rows):
    truth, prediction = [r[0] for r in rows], [r[1] for r in rows]

    for name, value in measure(Task.REGRESSION, truth, prediction).items():
        assert math.isclose(value, ORACLE[name](truth, prediction), rel_tol=1e-12, abs_tol=1e-300), name


@given(JUDGED)
def test_auc_counts_pairs(rows):
    wins = [(p > q) + (p == q) / 2 for happened, p in rows if happened for did_not, q in rows if not did_not]

    truth, prediction = zip(*rows, strict=True)
    assert math.isclose(METRIC["auc"].of(truth, prediction), sum(wins) / len(wins), rel_tol=1e-12)


def test_every_declared_metric_has_a_formula_and_its_declared_direction():
    assert {name: metric.greater_is_better for name, metric in METRIC.items()} == dict(METRICS)
    assert METRIC["log_loss"].gain(0.4, over=0.5) > 0 > METRIC["auc"].gain(0.4, over=0.5)


def test_a_certain_and_wrong_prediction_costs_much_but_not_everything():
    assert 36 < METRIC["log_loss"].of([True], [0.0]) < 37


@pytest.mark.parametrize("name", sorted(METRIC))
@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        ([], []),
        ([1.0], [float("nan")]),
        ([float("nan"), 0.0], [0.5, 0.5]),
        ([1.0, 0.0], [0.5, float("inf")]),
        ([1.0, 0.0], [0.5]),
        ([1.0, None], [0.5, 0.5]),
        ([[1.0], [0.0]], [[0.5], [0.5]]),
        (["x", "y"], [0.5, 0.5]),
    ],
)
def test_what_cannot_be_measured_is_refused(name, truth, prediction):
    with pytest.raises(DataError):
        METRIC[name].of(truth, prediction)


@pytest.mark.parametrize(("truth", "prediction"), [([0, 2], [0.5, 0.5]), ([0, 1], [0.5, 1.1]), ([0, 1], [-0.1, 0.5])])
def test_a_probability_is_of_two_classes_and_within_bounds(truth, prediction):
    for name in ("log_loss", "brier", "auc"):
        with pytest.raises(DataError):
            METRIC[name].of(truth, prediction)


def test_auc_of_one_class_is_refused():
    with pytest.raises(DataError, match="all True"):
        METRIC["auc"].of([1, 1], [0.1, 0.2])
