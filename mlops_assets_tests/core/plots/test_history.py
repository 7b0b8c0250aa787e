"""The picture of drift over the weeks: the same bytes, small, naming what is flagged now and nothing it cannot draw."""

import subprocess
import sys
from typing import Any

import pytest

from mlops_assets.core.plots import drift
from mlops_assets.core.plots.history import _CALM, _DRIFT, _FAULT, _OPEN, _WATCH, drift_history, flagged
from mlops_assets_tests.core.pages.world import HOSTILE, hostile, report
from mlops_assets_tests.core.plots.seen import texts

NO_MODEL = {"verdict": "INCONCLUSIVE", "sentence": "INCONCLUSIVE: no model led before, so there is no reference."}


@pytest.fixture(scope="module")
def weeks() -> list[tuple[str, dict[str, Any]]]:
    found = [(f"2013-01-{day:02}", report(day)) for day in (7, 14, 21)]
    return [("2013-01-01", NO_MODEL), *found, ("2013-01-28", report(28, warmer=40))]


def test_the_same_reports_give_the_same_bytes(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    assert drift_history(weeks) == drift_history(weeks)


def test_it_names_the_verdicts_the_weeks_and_the_most_drifted_column_first(
    weeks: list[tuple[str, dict[str, Any]]],
) -> None:
    said = texts(drift_history(weeks))

    assert {"ACT", "WATCH", "QUIET", "INCONCLUSIVE", "2013-01-01", "2013-01-28"} <= set(said)
    assert next(text for text in said if "PSI" in text).startswith("temp [degF]: PSI ")


def test_a_week_with_a_feed_fault_gets_a_lane_of_its_own(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    broken = [*weeks[:-1], ("2013-01-28", report(28, faults=[{"columns": ["temp"], "kind": "unit", "sentence": "C"}]))]

    assert "feed fault" in texts(drift_history(broken))
    assert "feed fault" not in texts(drift_history(weeks))


def test_the_latest_year_of_many_weeks_stay_below_60_kb_with_every_level_changing() -> None:
    column = {**report(28, warmer=40)["columns"][0], "unit": "minutes"}
    many = [{**column, "name": f"a_rather_long_feature_name_{at:02}", "threshold": 0.2 + at / 7} for at in range(40)]
    weeks = []
    for at in range(100):
        restless = [{**row, "psi": row["psi"] + at / 7, "threshold": row["threshold"] + at / 9} for row in many]
        weeks.append((f"week {at:03}", {"verdict": "ACT", "columns": restless}))
    drawn = drift_history(weeks)

    assert len(drawn) < 60_000
    assert "Verdict per week, the latest 53 of 100 weeks" in texts(drawn)
    assert sum(": PSI" in text for text in texts(drawn)) == 6


def test_flagged_columns_come_before_those_that_are_only_near(weeks: list[tuple[str, dict[str, Any]]]) -> None:
    last = weeks[-1][1]

    assert flagged(last)[0] == "temp"
    assert len(flagged(last, 2)) == 2
    assert flagged(NO_MODEL) == ()


@pytest.mark.parametrize("history", [[], [("2013-01-01", NO_MODEL)]])
def test_without_a_column_to_draw_there_are_the_verdicts_alone(history: list[tuple[str, dict[str, Any]]]) -> None:
    assert "Verdict per week" in texts(drift_history(history))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_picture(name: str) -> None:
    said = texts(drift_history([(name, hostile(name))]))

    assert any("PSI" in text for text in said)


def test_its_colours_are_those_of_the_other_pictures() -> None:
    of_drift = (drift._DRIFT, drift._FAULT, drift._WATCH, drift._CALM, drift._OPEN)

    assert of_drift == (_DRIFT, _FAULT, _WATCH, _CALM, _OPEN)


def test_importing_it_does_not_import_matplotlib() -> None:
    code = "import sys, mlops_assets.core.plots.history; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
