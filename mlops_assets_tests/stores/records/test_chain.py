"""Whatever is done to the ledger behind its back is found: a byte, an entry, an order, an end."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.declare import DamagedError
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import Entry
from mlops_assets.stores.records.tables import GUARDS, LEDGER
from mlops_assets_tests.stores.records.clerk import decision, told

COUNT = 5
TEXTS = [column.name for column in LEDGER.c if column.name != "seq"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of five entries, closed."""
    database = tmp_path_factory.mktemp("written") / "records.db"
    with Records(database) as records:
        told(records, COUNT)
    return database


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    for name in ("records.db", "records.db.head"):
        shutil.copy(written.parent / name, tmp_path / name)
    return tmp_path / "records.db"


def tamper(database: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Change the file as somebody who can write it would; the guards are put back afterwards."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        guards = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
        for name in GUARDS:
            db.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            db.execute(statement, values)
        for guard in guards:
            db.execute(guard)


def kinds(database: Path) -> list[str]:
    with Records(database) as records:
        return [finding.kind for finding in records.ledger.verify()]


def test_a_whole_ledger_has_no_findings(copy: Path) -> None:
    assert kinds(copy) == []


@settings(deadline=None)  # a machine at work is not a failure
@given(data=st.data())
def test_any_changed_byte_of_any_column_of_any_entry_is_found(
    written: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    seq, column = data.draw(st.integers(1, COUNT)), data.draw(st.sampled_from(TEXTS))
    database = tmp_path_factory.getbasetemp() / "changed.db"
    shutil.copy(written, database)
    shutil.copy(f"{written}.head", f"{database}.head")
    with closing(sqlite3.connect(database)) as db:
        ((value,),) = db.execute(f"SELECT CAST({column} AS BLOB) FROM ledger WHERE seq = ?", (seq,))  # noqa: S608
    place = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != value[place]))
    changed = value[:place] + bytes([byte]) + value[place + 1 :]

    tamper(database, (f"UPDATE ledger SET {column} = CAST(? AS TEXT) WHERE seq = ?", (changed, seq)))  # noqa: S608

    assert "changed" in kinds(database)


@pytest.mark.parametrize("column", TEXTS)
@pytest.mark.parametrize("value", [b"\xff\xfe", b"", 7, 0.5])
def test_a_value_of_another_type_is_found(copy: Path, column: str, value: object) -> None:
    tamper(copy, (f"UPDATE ledger SET {column} = ? WHERE seq = 2", (value,)))  # noqa: S608

    assert "changed" in kinds(copy)


@pytest.mark.parametrize("seq", range(1, COUNT + 1))
def test_a_hash_that_is_no_text_any_more_is_found_and_nothing_is_appended_to_it(copy: Path, seq: int) -> None:
    tamper(copy, ("UPDATE ledger SET hash = CAST(? AS TEXT) WHERE seq = ?", (b"\xff" * 64, seq)))

    assert "changed" in kinds(copy)
    if seq == COUNT:
        with Records(copy) as records, pytest.raises(DamagedError, match="it was rewritten"):
            records.ledger.append(**decision(9))


def test_an_entry_that_is_gone_from_the_middle_is_a_gap(copy: Path) -> None:
    tamper(copy, ("DELETE FROM ledger WHERE seq IN (2, 3)", ()))

    with Records(copy) as records:
        (finding,) = records.ledger.verify()
    assert (finding.kind, finding.what) == ("gap", "entries 2 to 3 of the ledger are missing")


def test_entries_that_changed_places_are_found(copy: Path) -> None:
    moves = [("UPDATE ledger SET seq = ? WHERE seq = ?", pair) for pair in ((99, 2), (2, 3), (3, 99))]
    tamper(copy, *moves)

    assert set(kinds(copy)) == {"changed", "order"}


def test_an_entry_that_was_put_in_is_found(copy: Path) -> None:
    with Records(copy) as records:
        entries = records.ledger.entries()
    tamper(
        copy,
        *[
            insert(hashed(replace(entries[0], seq=0, once="new"))),
            insert(hashed(replace(entries[4], seq=6, once="n2"))),
        ],
    )

    assert kinds(copy) == ["order", "order"]


def test_a_ledger_rewritten_from_an_entry_on_is_found_by_its_head(copy: Path) -> None:
    with Records(copy) as records:
        entries = records.ledger.entries()
    forged, previous = [], entries[1].hash
    for entry in entries[2:]:
        forged.append(hashed(replace(entry, why="otherwise", previous=previous)))
        previous = forged[-1].hash
    tamper(copy, ("DELETE FROM ledger WHERE seq > 2", ()), *map(insert, forged))

    assert kinds(copy) == ["rewritten"]


def test_an_end_that_was_cut_off_is_found_and_nothing_is_appended_to_it(copy: Path) -> None:
    tamper(copy, ("DELETE FROM ledger WHERE seq > 3", ()))

    with Records(copy) as records:
        (finding,) = records.ledger.verify()
        assert finding.kind == "cut" and finding.what.startswith(
            "entries 4 to 5 of the ledger were written and are gone"
        )
        with pytest.raises(DamagedError, match=r"nothing was recorded: entries 4 to 5 .* `mlops doctor`"):
            records.ledger.append(**decision(9))
        records.ledger.repair()
        assert [finding.kind for finding in records.ledger.verify()] == ["cut"] and len(records.ledger.entries()) == 3


def test_an_older_copy_of_the_file_is_found(copy: Path) -> None:
    old = copy.read_bytes()
    with Records(copy) as records:
        records.ledger.append(**decision(7))
    for name in ("", "-wal", "-shm"):
        Path(f"{copy}{name}").unlink(missing_ok=True)
    copy.write_bytes(old)

    assert kinds(copy) == ["cut"]


@pytest.mark.parametrize(
    "break_head", [Path.unlink, lambda head: head.write_text("{}"), lambda head: head.write_bytes(b"\xff")]
)
def test_a_head_that_is_lost_is_found_and_written_anew_only_when_asked(
    copy: Path, break_head: Callable[[Path], object]
) -> None:
    break_head(Path(f"{copy}.head"))

    with Records(copy) as records:
        assert [finding.kind for finding in records.ledger.verify()] == ["head"]
        with pytest.raises(DamagedError, match="`mlops doctor --repair` writes the head anew"):
            records.ledger.append(**decision(9))
        records.ledger.repair()
        assert records.ledger.verify() == []
        assert records.ledger.append(**decision(9)).seq == COUNT + 1


def test_guards_that_are_gone_are_found(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TRIGGER ledger_refuses_update")

    assert kinds(copy) == ["guard"]


def test_a_head_that_lags_is_made_up_for_by_the_next_entry(copy: Path) -> None:
    old = Path(f"{copy}.head").read_bytes()
    with Records(copy) as records:
        records.ledger.append(**decision(7))
        new = Path(f"{copy}.head").read_bytes()
        Path(f"{copy}.head").write_bytes(old)
        assert records.ledger.verify() == []
        records.ledger.append(**decision(7))

    assert Path(f"{copy}.head").read_bytes() == new != old


def hashed(entry: Entry) -> Entry:
    return replace(entry, hash=entry.computed_hash())


def insert(entry: Entry) -> tuple[str, tuple[object, ...]]:
    fields = asdict(entry)
    return f"INSERT INTO ledger({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})", tuple(fields.values())  # noqa: S608


@pytest.mark.parametrize("break_", [
    "DROP TRIGGER ledger_refuses_update",
    "DROP TRIGGER ledger_refuses_update;"
    "CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger BEGIN SELECT 1; END",
])  # fmt: skip
def test_guards_that_are_gone_are_made_again_when_asked(copy: Path, break_: str) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.executescript(break_)

    with Records(copy) as records:
        assert [finding.kind for finding in records.ledger.verify()] == ["guard"]
        records.ledger.repair()
        assert records.ledger.verify() == []
    with closing(sqlite3.connect(copy)) as db, pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
        db.execute("UPDATE ledger SET why = 'x'")


def test_nothing_is_mended_beside_what_cannot_be(copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("DROP TRIGGER ledger_refuses_update")
        db.execute("UPDATE ledger SET why = 'x' WHERE seq = 2")
    Path(f"{copy}.head").unlink()

    with Records(copy) as records:
        records.ledger.repair()
        assert [finding.kind for finding in records.ledger.verify()] == ["changed", "head", "guard"]
