"""`mlops history`: what was decided, and what was live when."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.declare import DataError
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.cli.recorded import registry
from mlops_assets_tests.stores.records.models import USE_CASE


def test_every_decision_is_told_in_order(project: Path, mlops: Mlops) -> None:
    answer = mlops("history")

    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[::2]] == ["1", "2", "3", "4"]
    assert f"alias champion        {USE_CASE}@1\n       week 2 (gate)" in answer.out
    assert [entry["evidence"] for entry in mlops("history", USE_CASE, "--json").json] == [
        {}, {}, {"alias": "champion", "version": 1}, {"alias": "challenger", "version": 2},
    ]  # fmt: skip


@pytest.mark.parametrize(("at", "champion", "challenger"), [
    ("2013-07-01", "none", "none"),
    ("2013-07-02T09:00:00Z", "none", "none"),
    ("2013-07-02", f"{USE_CASE}@1", "none"),  # at the day's end
    ("2013-07-03T12:00:00+02:00", f"{USE_CASE}@1", "none"),
    ("2013-07-09", f"{USE_CASE}@1", f"{USE_CASE}@2"),
])  # fmt: skip
def test_what_was_live_at_a_date_is_told_in_words(
    project: Path, mlops: Mlops, at: str, champion: str, challenger: str
) -> None:
    first, second = mlops("history", "--at", at).out.splitlines()

    assert first.startswith(f"{USE_CASE}: champion at ") and f" was {champion}" in first
    assert second.startswith(f"{USE_CASE}: challenger at ") and f" was {challenger}" in second


def test_a_program_gets_what_was_live_as_json(project: Path, mlops: Mlops) -> None:
    told = mlops("history", "--at", "2013-07-03", "--json").json

    assert told["at"] == "2013-07-03T23:59:59.999999+00:00"
    assert told["live"][USE_CASE]["champion"]["evidence"] == {"alias": "champion", "version": 1}
    assert list(told["live"][USE_CASE]) == ["champion"]


def test_a_use_case_nothing_was_decided_about_is_exit_code_1(project: Path, mlops: Mlops) -> None:
    answer = mlops("history", "parking")

    assert answer.code == 1 and f"must be one of ['{USE_CASE}']" in answer.said


@pytest.mark.parametrize("at", ["yesterday", "2013-07-01T10:00:00", "2013-13-01"])
def test_a_date_that_is_none_is_exit_code_2(project: Path, mlops: Mlops, at: str) -> None:
    assert mlops("history", "--at", at).code == 2


@pytest.mark.parametrize("evidence", ['{"alias":"champion","version":2}', "{}", "no JSON"])
def test_a_history_that_was_changed_is_not_told_as_if_it_were_whole(project: Path, mlops: Mlops, evidence: str) -> None:
    with closing(sqlite3.connect(project / "records" / "records.db", isolation_level=None)) as db:
        db.execute("DROP TRIGGER ledger_refuses_update")
        db.execute("UPDATE ledger SET evidence = ? WHERE seq = 3", (evidence,))

    for asked in ((), ("--at", "2013-07-03"), ("--json",)):
        answer = mlops("history", *asked)
        assert answer.code == 1 and "`mlops doctor`" in answer.said


def test_who_asks_the_registry_for_a_version_that_is_not_there_is_sent_to_the_history(project: Path) -> None:
    with pytest.raises(DataError, match=f"`mlops history {USE_CASE}`"):
        registry(project).get(USE_CASE, 999_999_999)
