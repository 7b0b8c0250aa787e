"""The store in a file: what the file must be, who may use it at once, and what its errors say."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_assets.core.online.totals import Change
from mlops_assets.declare import DamagedError, DataError
from mlops_assets.stores.online import SqliteStore, open_online
from mlops_assets.stores.online.sqlite_file import FORMAT
from mlops_assets_tests.stores.online.world import KEYS, LATE, added, counted, entry, turn

ANEW = "move it away and materialize online_features again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.sqlite"


def test_look_ups_go_on_while_a_writer_works(path):
    store, other = SqliteStore(path), SqliteStore(path)
    store.apply(turn(0))
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM totals")

        assert counted(store) == counted(other) == {(1, 0)}
        writer.execute("ROLLBACK")


def test_a_finished_change_is_on_disk_and_in_the_log_of_writes(path):
    store = SqliteStore(path)
    with store._file.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_look_up_seeks_and_never_scans(path):
    store = SqliteStore(path)
    with store._file.reading() as db:
        one = "SELECT t FROM totals WHERE series = 1 AND key = x'00' AND {} ORDER BY t DESC, row DESC LIMIT 1"
        for bound in ("t <= 5", "(t, row) < (5, x'00')"):
            plan = " ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + one.format(bound)))
            assert "SEARCH totals USING PRIMARY KEY (series=? AND key=? AND" in plan
            assert "TEMP B-TREE" not in plan


def test_eight_may_make_the_file_at_once(path):
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: SqliteStore(path), range(8)))
        list(pool.map(lambda number: stores[number].apply(turn(number)), range(8)))

    assert counted(stores[0]) == {(8, sum(range(8)))}


def test_a_process_that_forked_opens_the_file_for_itself(path):
    store = SqliteStore(path)
    store.apply(turn(0))
    child = os.fork()
    if child == 0:
        with_what = 1
        try:
            store.apply(turn(1))
            with_what = 0
        finally:
            os._exit(with_what)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counted(store) == {(2, 1)}


def test_a_file_made_anew_is_read_by_its_own_numbers_of_the_series(path):
    store = SqliteStore(path)
    store.apply(turn(0))
    path.rename(path.with_suffix(".old"))
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).rename(path.with_name(f"old{log}"))
    anew = SqliteStore(path)
    anew.apply({("another", KEYS[0]): Change(added=(entry(1, 1),))})
    anew.apply(turn(5))

    with ThreadPoolExecutor(1) as other_thread:
        assert other_thread.submit(counted, store).result() == {(1, 5)}


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(DataError, match=r"absent/online\.sqlite: unable to open .* its folder must exist"):
        open_online(str(tmp_path / "absent" / "online.sqlite"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is read-only")
def test_a_file_that_may_not_be_written_is_said(path):
    SqliteStore(path).close()
    path.chmod(0o400)

    with pytest.raises(DataError, match="it must be yours to write"):
        SqliteStore(path).apply(turn(0))


def test_bytes_that_are_no_database_are_refused_and_left_alone(path):
    path.write_bytes(b"no database at all" * 100)

    with pytest.raises(DamagedError, match=rf"online\.sqlite: file is not a database.*{ANEW}"):
        SqliteStore(path)
    assert path.read_bytes() == b"no database at all" * 100


def test_a_database_of_something_else_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()

    with pytest.raises(DamagedError, match=r"online\.sqlite: it is a database of something else"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_of_another_format_is_refused(path):
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")

    with pytest.raises(DataError, match=rf"format == {FORMAT + 1}, must be {FORMAT}: {ANEW}"):
        SqliteStore(path)


def test_a_damaged_page_is_said_and_never_answered_from(path):
    store = SqliteStore(path)
    for number in range(30):
        store.apply(turn(number))
    store.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xaa" * (len(data) - 8192)
    path.write_bytes(bytes(data))

    with pytest.raises(DamagedError, match=rf"online\.sqlite: .*{ANEW}"):
        counted(SqliteStore(path))


def test_a_closed_store_answers_nothing(path):
    store = SqliteStore(path)
    store.close()

    with pytest.raises(DataError, match="closed"):
        store.entries()


def test_not_a_number_is_refused_for_sqlite_would_keep_a_null(path):
    store = SqliteStore(path)

    with pytest.raises(DataError, match="value == nan"):
        store.apply(added(entry(1, 1, value=float("nan"))))
    assert store.totals("late", KEYS[0], -LATE, LATE) == []
