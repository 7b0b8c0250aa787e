"""A decision is recorded once, in order, for good; and what was live is known for any instant."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.declare import DataError
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import FIRST, KINDS
from mlops_assets.stores.records.ledger import CRASH_POINTS
from mlops_assets_tests.stores.records.clerk import DAY, USE_CASE, alias, decision, start, told


def test_entries_count_from_one_and_each_names_the_one_before(records: Records) -> None:
    entries = told(records, 3)

    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == [FIRST, entries[0].hash, entries[1].hash]
    assert all(entry.hash == entry.computed_hash() for entry in entries)
    assert records.ledger.entries() == entries and records.ledger.verify() == []


def test_the_hash_is_over_everything_and_the_same_on_every_machine(records: Records) -> None:
    entry = records.ledger.append(**decision(1))

    assert entry.at == "2013-07-02T10:00:00.000000+00:00"
    assert entry.evidence == '{"log_loss":1.5,"é":[null]}' and dict(entry.facts) == decision(1)["evidence"]
    assert entry.hash[:16] == "599cd9eb92215dec"


def test_the_same_decision_told_again_changes_nothing(records: Records) -> None:
    first, second = told(records, 2)

    again = records.ledger.append(**decision(0, at=DAY.format(9), who="the weekly run, once more"))

    assert again == first
    assert records.ledger.entries() == [first, second]


@pytest.mark.parametrize("change", [
    {"why": "other"}, {"evidence": {}}, {"subject": "x@1"}, {"kind": "verdict"}, {"use_case": "parking"},
])  # fmt: skip
def test_another_decision_under_the_same_name_is_refused(records: Records, change: dict[str, object]) -> None:
    told(records, 2)

    with pytest.raises(DataError, match=r"once == 'registered/1/x' is entry 2 .* must be the same decision"):
        records.ledger.append(**decision(1, **change))
    assert len(records.ledger.entries()) == 2


@pytest.mark.parametrize(("change", "said"), [
    ({"kind": "guess"}, f"kind == 'guess', must be one of {KINDS}"),
    ({"kind": "alias"}, "through `set_alias`"),
    ({"kind": "retrain_requested"}, "through `Records.retrainings`"),
    ({"at": "2013-07-01T10:00:00"}, "must be an ISO 8601 instant with its zone"),
    ({"at": "yesterday"}, "must be an ISO 8601 instant"),
    ({"who": " "}, "who == ' ', must be a text that says something"),
    ({"once": ""}, "once == ''"),
    ({"use_case": "../x"}, "ledger's use_case"),
    ({"evidence": {"loss": float("nan")}}, "must be finite"),
    ({"why": "half \ud800"}, "half a character"),
])  # fmt: skip
def test_what_cannot_be_recorded_is_refused_in_words(records: Records, change: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as refused:
        records.ledger.append(**decision(1, **change))

    assert said in str(refused.value)
    assert records.ledger.entries() == []


@pytest.mark.parametrize("statement", [
    "UPDATE ledger SET why = 'other' WHERE seq = 1",
    "DELETE FROM ledger WHERE seq = 3",
    "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE seq = 2",
    "INSERT OR REPLACE INTO ledger SELECT 4, at, use_case, kind, subject, who, why, evidence, once, previous, hash "
    "FROM ledger WHERE seq = 2",
    "INSERT INTO ledger SELECT 9, at, use_case, kind, subject, who, why, evidence, 'new', previous, hash "
    "FROM ledger WHERE seq = 2",
])  # fmt: skip
def test_the_database_itself_refuses_to_change_an_entry(records: Records, tmp_path: Path, statement: str) -> None:
    entries = told(records, 3)

    with closing(sqlite3.connect(tmp_path / "records.db")) as db, pytest.raises(sqlite3.IntegrityError, match="grows"):
        db.execute(statement)
    assert records.ledger.entries() == entries


def test_what_was_live_is_known_for_any_instant(records: Records) -> None:
    alias(records, "champion", 1, 2)
    alias(records, "challenger", 2, 3)
    alias(records, "champion", 2, 5)
    alias(records, "challenger", None, 5)

    def live(day: int, clock: str = "10:00:00") -> dict[str, int]:
        then = records.ledger.at(f"2013-07-0{day}T{clock}+00:00").get(USE_CASE, {})
        return {name: entry.facts["version"] for name, entry in then.items()}

    assert [live(day) for day in (1, 2, 3, 5)] == [
        {}, {"champion": 1}, {"champion": 1, "challenger": 2}, {"champion": 2}
    ]  # fmt: skip
    assert live(5, "09:59:59") == live(4) == {"champion": 1, "challenger": 2}
    assert records.aliases(USE_CASE) == live(9) and records.aliases("parking") == {}


def test_an_alias_that_stands_is_not_decided_again(records: Records) -> None:
    first = alias(records, "champion", 1, 2)

    assert alias(records, "champion", 1, 3) == first
    assert alias(records, "challenger", None, 3) is None
    assert len(records.ledger.entries()) == 1


def test_an_old_decision_told_again_does_not_come_back(records: Records) -> None:
    first = alias(records, "champion", 1, 2)
    alias(records, "champion", 2, 3)

    assert alias(records, "champion", 1, 2) == first
    assert records.aliases(USE_CASE) == {"champion": 2} and len(records.ledger.entries()) == 2


def test_an_alias_goes_back_to_a_version_it_had_before(records: Records) -> None:
    for day, version in ((1, 1), (2, 2), (3, 1)):
        alias(records, "champion", version, day)

    assert records.aliases(USE_CASE) == {"champion": 1} and len(records.ledger.entries()) == 3


@pytest.mark.parametrize(("name", "version"), [("prod", 1), ("champion", 0)])
def test_an_alias_that_is_none_is_refused(records: Records, name: str, version: int) -> None:
    with pytest.raises(DataError, match="must be one of"):
        alias(records, name, version, 1)


# --- several writers, and kills ------------------------------------------------------------------------------------


def test_two_processes_that_append_at_once_leave_one_whole_chain(tmp_path: Path) -> None:
    database = tmp_path / "new" / "records.db"
    both = [start(database, 0, 40), start(database, 20, 60)]  # the twenty in the middle are told by both

    assert [process.wait(60) for process in both] == [0, 0]
    with Records(database) as records:
        assert records.ledger.verify() == []
        assert sorted(entry.once for entry in records.ledger.entries()) == sorted(
            decision(n)["once"] for n in range(60)
        )


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.parametrize("turn", [1, 3])
def test_killed_at_any_point_an_entry_is_there_once_or_not_at_all(tmp_path: Path, point: str, turn: int) -> None:
    database = tmp_path / "records.db"
    process = start(database, 0, 3, crash_at=f"{point}:{turn}")
    acknowledged = len(process.communicate(timeout=60)[0].split())

    assert process.returncode == -9
    with Records(database) as records:
        met = records.ledger.entries()
        assert records.ledger.verify() == []
        assert acknowledged <= len(met) <= acknowledged + 1
        assert [entry.once for entry in told(records, 3)] == [decision(n)["once"] for n in range(3)]
        assert records.ledger.entries()[: len(met)] == met and len(records.ledger.entries()) == 3
        assert records.ledger.verify() == []


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_instant_what_was_acknowledged_is_there(tmp_path: Path, seed: int) -> None:
    database = tmp_path / "records.db"
    process = start(database, 0, 10_000)
    assert process.stdout is not None and process.stdout.readline() == "0\n"
    time.sleep(random.Random(seed).uniform(0, 0.3))
    process.kill()
    acknowledged = 1 + len(process.communicate(timeout=60)[0].split())

    with Records(database) as records:
        assert records.ledger.verify() == []
        assert acknowledged <= len(records.ledger.entries()) <= acknowledged + 1
        records.ledger.append(**decision(10_001))
        assert records.ledger.verify() == []


def test_an_earlier_champion_comes_back_under_another_name(records: Records) -> None:
    def decide(version: int | None) -> None:
        stands = records.standing(USE_CASE).get("champion")
        alias(records, "champion", version, 1, once=f"champion {version} after {stands.seq if stands else 0}")

    for version in (1, 2, 1, None, 1, 1):
        decide(version)

    assert records.aliases(USE_CASE) == {"champion": 1} and len(records.ledger.entries()) == 5


def test_what_stands_is_told_also_where_an_alias_points_nowhere(records: Records) -> None:
    alias(records, "champion", 1, 1)
    alias(records, "challenger", 2, 2)
    nowhere = alias(records, "challenger", None, 3)

    assert records.standing(USE_CASE) == {"champion": records.ledger.entries()[0], "challenger": nowhere}
    assert records.standing("parking") == {} and records.aliases(USE_CASE) == {"champion": 1}
