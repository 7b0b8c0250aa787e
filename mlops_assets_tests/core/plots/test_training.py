"""Pictures of a training: the same bytes for the same records, small, and they say their figures."""

from xml.etree import ElementTree

import pytest

from mlops_assets.core.calibration import calibrate
from mlops_assets.core.fitting import WeekMetric, fit
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.training import calibration_svg, importances_svg, weekly_svg
from mlops_assets.declare import Task
from mlops_assets_tests.core import tiny
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.plots.seen import texts


@pytest.fixture(scope="module", params=list(Task), ids=lambda task: task.value)
def case(request):
    return request.param, fit(tiny.use_case(task=request.param), tiny.weeks())


def pictures(task, model):
    return {
        "calibration": calibration_svg(model.calibration, task=task, unit="min"),
        "importances": importances_svg(model.importances, metric=model.metric),
        "weekly": weekly_svg(model.weekly, metric=model.metric),
    }


def test_the_same_records_give_the_same_bytes(case):
    assert pictures(*case) == pictures(*case)


def test_every_picture_is_an_svg_of_less_than_60_kb(case):
    for name, data in pictures(*case).items():
        assert ElementTree.fromstring(data).tag.endswith("svg"), name  # noqa: S314  our own bytes
        assert len(data) < 60_000, name
        assert b"<dc:date>" not in data, name


def test_the_figures_are_said_in_words(case):
    task, model = case
    found = pictures(task, model)

    assert f"over {model.calibration.rows:,} rows".encode() in found["calibration"]
    assert (b"happened (%)" if task is Task.CLASSIFICATION else b"actual mean (min)") in found["calibration"]
    assert f"{model.importances['weight']:.1%}".encode() in found["importances"]
    assert b"lower is better" in found["weekly"] and b"2024-01-29" in found["weekly"]


def test_a_label_of_shares_and_one_of_thousands_are_said_in_three_digits():
    small = calibrate([0.12, 0.52, 0.61], [0.1234, 0.5049, 0.6123])
    large = calibrate([12_000, 52_000, 61_000], [12_340, 50_490, 61_230])

    said = [calibration_svg(c, task=Task.REGRESSION, unit="car").decode() for c in (small, large)]

    assert "Predicted 0.414 car, actual mean 0.417 car over 3 rows" in said[0]
    assert "(mean distance to the line) 0.00693 car" in said[0]
    assert "Predicted 41,353 car, actual mean 41,667 car over 3 rows" in said[1]


def test_a_year_of_weeks_and_a_hundred_features_stay_small():
    weekly = [
        WeekMetric(
            partition=f"2013-{n:03}", role="train", rows=9, model=None if n == 5 else 0.5 + n / 100, baseline=0.7
        )
        for n in range(53)
    ]

    assert len(weekly_svg(weekly, metric="auc")) < 60_000
    picture = importances_svg({f"feature_{n}": n / 4950 for n in range(100)}, metric="log_loss")
    assert len(picture) < 60_000
    assert b"1 of 100 features show none" in picture and b"lies in features not drawn" in picture


def test_no_importance_at_all_still_draws():
    assert b"2 of 2 features show none" in importances_svg({"a": 0.0, "b": 0.0}, metric="brier")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_picture(name: str) -> None:
    week = WeekMetric(partition=name, role="train", rows=9, model=0.5, baseline=0.7)
    calibration = calibrate([12.0, 52.0, 61.0], [12.3, 50.5, 61.2])

    assert visible(name) in texts(importances_svg({name: 0.6, f"{name}2": 0.4}, metric="log_loss"))
    assert visible(name) in texts(weekly_svg([week], metric="auc"))
    assert f"predicted ({visible(name)})" in texts(calibration_svg(calibration, task=Task.REGRESSION, unit=name))
