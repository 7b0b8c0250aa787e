"""The journal keeps what was told, whole, in the order in which it came; and refuses a file that is none."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.core.validation.told import Told
from mlops_assets.declare import DataError
from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.journal import Journal, State

ROW = State(b"row", "2013-01-07", Told(values={"at": "é", "x": 0.1}, arrived={"always": 5, "done": None}), True)


def test_what_was_told_is_there_after_it_is_opened_again(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal, journal.changing():
        journal.add("visits", ROW, {"x": 0.1}, 5)
    with closing(Journal(tmp_path / "j.db")) as journal:
        assert journal.states("visits", [b"row", b"none"]) == {b"row": ROW}
        assert journal.told("visits", "2013-01-07") == [ROW]
        assert journal.touched(0) == (1, {"visits": [b"row"]})
        assert (journal.touched(1), journal.last_arrival()) == ((1, {}), 5)


def test_a_change_that_fails_is_not_there_at_all(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db")) as journal:
        with pytest.raises(ValueError, match="half way"), journal.changing():
            journal.add("visits", ROW, {}, 5)
            raise ValueError("half way")

        assert journal.states("visits", [b"row"]) == {}
        assert journal.last_arrival() is None


def test_a_file_in_place_of_an_earlier_one_leaves_what_events_told(tmp_path: Path) -> None:
    landed = [State(name, ROW.week, Told(values={"x": 1}), False) for name in (b"a", b"b")]
    with closing(Journal(tmp_path / "j.db")) as journal:
        with journal.changing():
            journal.add("visits", ROW, {}, 5)
            journal.land("visits", ROW.week, landed)
            journal.land("visits", ROW.week, landed[:1])
        assert set(journal.states("visits", [b"a", b"b", b"row"])) == {b"a", b"row"}
        journal.forget("2013-01-14")
        assert set(journal.states("visits", [b"a", b"b", b"row"])) == {b"row"}


def test_a_file_that_is_no_journal_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(DamagedError, match="is no journal"):
        Journal(tmp_path / "text.db")
    with pytest.raises(DataError, match="cannot be used"):
        Journal(tmp_path / "text.db" / "j.db")
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        db.execute("PRAGMA user_version=9")
    with pytest.raises(DataError, match="has format 9, must be 1"):
        Journal(tmp_path / "new.db")
