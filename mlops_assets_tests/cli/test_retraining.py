"""`mlops retraining`: what stands in the way, what was decided, and the breaker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.core.retraining.cause import Signal
from mlops_assets.stores.records import Records
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.cli.recorded import places
from mlops_assets_tests.stores.records.sensing import AT, NAME, QUIET, WEEKS, cause, consider, judged


@pytest.fixture
def records(mlops: Mlops, tmp_path: Path) -> Iterator[Records]:
    """What `mlops(...)` looks at."""
    with Records(places(tmp_path).records) as opened:
        yield opened


def broken(records: Records) -> None:
    """Three failures in a row."""
    for week in (3, 14, 31):
        consider(records, week)
        records.retrainings.failed(cause(week).key, why="the disk is full", at=AT)


def test_the_status_tells_what_stands_in_the_way_and_what_became_of_the_trainings(
    records: Records, mlops: Mlops
) -> None:
    judged(records, 5)
    consider(records, 20)
    for _ in range(3):
        consider(records, 20, sensor="concept_drift_sensor", signal=Signal.CONCEPT)

    said = mlops("retraining", "status", NAME)
    lines = [" ".join(line.split()) for line in said.out.splitlines()]

    assert said.code == 0
    assert lines[0] == f"flight_delays, as of the window {WEEKS[20]}:"
    assert f"✗ none pending the training of {WEEKS[20]} is not judged yet" in lines
    assert "✓ breaker 0 of 3 failures in a row, it is closed" in lines
    assert f"✗ cooldown 0 of 4 weeks since the training of {WEEKS[20]}" in lines
    assert "✓ budget 1 of 6 trainings within 52 weeks" in lines
    assert any(line.startswith(f"concept_drift_sensor said no about {NAME}@1 in {WEEKS[20]}: none pending") and
               "3 times from 2013-07-01T10:00:00Z" in line for line in lines)  # fmt: skip
    assert any(line.startswith("drift_sensor said yes about") for line in lines)
    assert lines[-2:] == [f"{WEEKS[5]} somebody nominated", f"{WEEKS[20]} data drift pending"]


def test_the_status_is_there_for_programs(records: Records, mlops: Mlops) -> None:
    consider(records, 20)

    told = mlops("retraining", "status", NAME, "--json").json

    assert told["newest"] == WEEKS[20]
    assert [guard["name"] for guard in told["standing"]] == ["none pending", "breaker", "cooldown", "budget"]
    assert [decision["yes"] for decision in told["decisions"]] == [True]
    assert told["trainings"] == [
        {"partition": WEEKS[20], "key": cause(20).key, "by": "data drift", "outcome": "pending", "forgiven": False}
    ]


def test_every_decision_is_a_line_the_newest_first(records: Records, mlops: Mlops) -> None:
    for week in (20, 21, 21):
        consider(records, week, answer=QUIET, at=f"2013-07-{week}T10:00:00Z")

    said = " ".join(mlops("retraining", "decisions", NAME).out.split())

    first = f"2013-07-21T10:00:00Z {WEEKS[21]} no drift_sensor, 2 ticks response: nothing: all is as it was"
    second = f"2013-07-20T10:00:00Z {WEEKS[20]} no drift_sensor, 1 tick response: nothing: all is as it was"
    assert said == f"{first} {second}"
    assert [row["window"] for row in mlops("retraining", "decisions", NAME, "--json", "--limit", "1").json] == [
        WEEKS[21]
    ]


def test_an_operator_closes_the_breaker_and_says_why(records: Records, mlops: Mlops) -> None:
    broken(records)
    assert "3 of 3 failures in a row, it is open" in mlops("retraining", "status", NAME).out

    said = mlops("retraining", "close", NAME, "--why", "a larger disk")

    assert said.code == 0 and "the breaker is closed, 3 failures in a row count no more" in said.out
    assert records.ledger.entries()[-1].why == "a larger disk"
    assert "0 of 3 failures in a row, it is closed" in mlops("retraining", "status", NAME).out
    assert "failed, forgiven" in mlops("retraining", "status", NAME).out
    again = mlops("retraining", "close", NAME, "--why", "a larger disk", "--json")
    assert again.code == 1 and "nothing to close" in again.said


def test_where_nothing_was_considered_yet_it_says_so(records: Records, mlops: Mlops) -> None:
    records.ledger.entries()  # the database is there

    assert "no sensor has considered a training yet" in mlops("retraining", "status", NAME).out
    assert "no sensor has considered a training yet" in mlops("retraining", "decisions", NAME).out
    assert mlops("retraining", "decisions", NAME, "--json").json == []


@pytest.mark.parametrize("arguments", [
    ["status", "nobody"], ["decisions", "nobody"], ["close", "nobody", "--why", "x"], ["close", NAME],
    ["decisions", NAME, "--limit", "0"],
])  # fmt: skip
def test_a_name_that_is_none_and_an_option_that_is_missing_are_exit_code_2(mlops: Mlops, arguments: list[str]) -> None:
    assert mlops("retraining", *arguments).code == 2


def test_without_records_it_is_exit_code_1(mlops: Mlops) -> None:
    said = mlops("retraining", "status", NAME)

    assert said.code == 1 and "nothing has been recorded yet" in said.said
