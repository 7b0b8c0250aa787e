"""The database is opened when it is used, and says in words why it cannot be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.declare import DamagedError, DataError
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.ledger import append_in
from mlops_assets.stores.records.tables import FORMAT
from mlops_assets.stores.settings import settings
from mlops_assets_tests.stores.records.clerk import decision, start, told


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    Records(tmp_path / "records.db").close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_what_was_recorded_is_there_after_it_is_opened_again(tmp_path: Path, form: str) -> None:
    where = form.format(tmp_path / "with space" / "a?b.db" if form == "{}" else tmp_path / "records.db")
    with Records(where) as records:
        entries = told(records, 2)

    with Records(where, create=False) as records:
        assert records.ledger.entries() == entries


def test_a_file_that_is_no_database_of_records_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE mine(x)")
    before = (tmp_path / "other.db").read_bytes()

    with Records(tmp_path / "text.db") as records, pytest.raises(DamagedError, match=r"text\.db.* it is no database"):
        records.ledger.entries()
    with Records(tmp_path / "other.db") as records, pytest.raises(DamagedError, match="a database of something else"):
        records.ledger.entries()
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Records(tmp_path / "file" / "records.db") as records, pytest.raises(DataError, match="you may write"):
        records.ledger.append(**decision(0))
    with Records(tmp_path) as records, pytest.raises(DataError, match="must be there and yours to write"):
        records.ledger.append(**decision(0))


@pytest.mark.parametrize(("other", "remedy"), [(9, "upgrade the project"), (1, "move it and the files beside it away")])
def test_another_format_is_refused_with_its_number(tmp_path: Path, other: int, remedy: str) -> None:
    with Records(tmp_path / "records.db") as records:
        told(records, 1)
    with closing(sqlite3.connect(tmp_path / "records.db")) as db:
        db.execute(f"PRAGMA user_version = {other}")

    with (
        Records(tmp_path / "records.db") as records,
        pytest.raises(DataError, match=f"format == {other}, must be {FORMAT}: .*{remedy}"),
    ):
        records.ledger.entries()


def put_back(path: Path) -> None:
    """Make the database what format 2 was: the same tables without the decisions."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE retraining_decision")
        db.execute("PRAGMA user_version = 2")


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_the_format_before_is_upgraded_where_it_is(tmp_path: Path, create: bool) -> None:
    with Records(tmp_path / "records.db") as records:
        entries = told(records, 3)
    put_back(tmp_path / "records.db")

    with Records(tmp_path / "records.db", create=create) as records:
        assert records.retrainings.decisions("flight_delays") == []
        assert records.ledger.entries() == entries and records.ledger.verify() == []
        records.ledger.append(**decision(4))
    with closing(sqlite3.connect(tmp_path / "records.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,) == (3,)


def test_processes_that_open_an_older_database_at_once_upgrade_it_once(tmp_path: Path) -> None:
    with Records(tmp_path / "records.db") as records:
        told(records, 1)
    put_back(tmp_path / "records.db")

    both = [start(tmp_path / "records.db", first, first + 5) for first in (0, 3, 5)]

    assert [process.wait(60) for process in both] == [0, 0, 0]
    with Records(tmp_path / "records.db") as records:
        assert len(records.ledger.entries()) == 10 and records.ledger.verify() == []


def test_what_only_reads_makes_no_database(tmp_path: Path) -> None:
    with Records(tmp_path / "records.db", create=False) as records, pytest.raises(DataError, match="nothing has been"):
        records.ledger.entries()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["postgresql://me:secret@host/records", "sqlite://", "sqlite:///:memory:", "no://"])
def test_another_kind_of_database_is_refused_without_its_password(where: str) -> None:
    with pytest.raises(DataError, match="must be a path or sqlite:///path") as refused:
        Records(where)
    assert "secret" not in str(refused.value)


def test_a_change_that_fails_is_not_there_at_all(records: Records) -> None:
    with pytest.raises(ValueError, match="half way"), records.ledger.appending() as connection:
        append_in(connection, **decision(0))
        raise ValueError("half way")

    assert records.ledger.entries() == [] and records.ledger.verify() == []


def test_the_place_comes_from_the_environment() -> None:
    assert settings({"MLOPS_DATA": "/srv"}).records == "/srv/records/records.db"
    assert settings({"MLOPS_RECORDS": "sqlite:////srv/r.db"}).records == "sqlite:////srv/r.db"
    assert settings({"MLOPS_RECORDS": "/srv/r.db"}).records == "/srv/r.db"
