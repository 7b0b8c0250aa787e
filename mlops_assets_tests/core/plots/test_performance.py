"""The pictures of performance reports: the same bytes, small, and drawn for weeks that could not be judged, too."""

from typing import Any
from xml.etree import ElementTree

import pytest

from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.performance import performance_history, realised_calibration
from mlops_assets.declare import Task
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.performance.worlds import cohort, report
from mlops_assets_tests.core.plots.seen import texts


@pytest.fixture(scope="module")
def weeks() -> list[tuple[str, dict[str, Any]]]:
    shares = {"2024-01-01": 0.05, "2024-01-08": 0.06, "2024-01-15": 0.4}
    found = [(week, report(cohort([share] * 7)).to_json()) for week, share in shares.items()]
    return [*found, ("2024-01-22", report(cohort([0.1] * 7), matured=False).to_json())]


def test_the_same_reports_give_the_same_bytes(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    assert performance_history(weeks) == performance_history(weeks)
    assert realised_calibration(weeks[0][1], task=Task.CLASSIFICATION) == realised_calibration(
        weeks[0][1], task=Task.CLASSIFICATION
    )


def test_it_names_metrics_weeks_and_states(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    said = texts(performance_history(weeks))

    assert {"2024-01-01", "2024-01-22", "concept drift", "insufficient labels", "alarm"} <= set(said)
    assert [text.split(" (")[0] for text in said if "is better" in text] == ["log loss in nats", "brier", "AUC"]


def test_two_years_of_weeks_stay_below_60_kb(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    many = []
    for at in range(104):
        record = dict(weeks[at % 3][1])
        record["metrics"] = [{**figure, "reference": 0.3 + at / 999} for figure in record["metrics"]]
        many.append((f"week {at}", record))
    drawn = performance_history(many)

    assert len(drawn) < 60_000
    assert "Realised performance on matured labels, the latest 53 of 104 weeks" in texts(drawn)


def test_weeks_without_figures_and_no_weeks_at_all_are_drawn(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    one_class = report(cohort([0.05] * 2, late=0.0)).to_json()

    for history in ([], weeks[-1:], [("2024-01-01", one_class)]):
        assert ElementTree.fromstring(performance_history(history)).tag.endswith("svg")  # noqa: S314  # our own bytes


def test_the_calibration_says_predicted_and_actual_and_a_week_without_it_its_reason(
    weeks: list[tuple[str, dict[str, Any]]],
) -> None:
    drawn = realised_calibration(weeks[0][1], task=Task.CLASSIFICATION)
    unjudged = "".join(texts(realised_calibration(weeks[-1][1], task=Task.CLASSIFICATION)))

    assert any(text.startswith("Predicted ") and "over 700 labelled rows" in text for text in texts(drawn))
    assert "insufficient labels" in unjudged
    assert len(drawn) < 60_000
    assert "predicted (min)" in texts(realised_calibration(weeks[0][1], task=Task.REGRESSION, unit="min"))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_picture(weeks: list[tuple[str, dict[str, Any]]], name: str) -> None:
    unjudged = {**weeks[-1][1], "sentence": name}

    assert visible(name) in texts(performance_history([(name, weeks[0][1])]))
    assert f"predicted ({visible(name)})" in texts(realised_calibration(weeks[0][1], task=Task.REGRESSION, unit=name))
    assert "".join(texts(realised_calibration(unjudged, task=Task.REGRESSION))) == visible(name)
