"""The file of the embedded online store: what it must be, how it is opened, and what its errors mean.

Write-ahead logging lets readers go on while a writer works; `synchronous=FULL` makes a commit survive a power cut.
A connection belongs to one thread of one process (sqlite.org/howtocorrupt.html, 2.6).
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops_assets.declare import DamagedError, DataError

FORMAT = 1
_APPLICATION = int.from_bytes(b"mlon")  # says whose file it is (sqlite.org/pragma.html#pragma_application_id)
_OLDEST = (3, 37)  # the first with STRICT tables
_PATIENCE_S = 30.0  # how long one writer waits for another; a week is written in about a second
_CACHE_KIB = 16_384  # for each thread; with SQLite's own 2 MiB a look-up in five weeks of flights takes a tenth longer
_SCHEMA = (
    "CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE totals (
        series INTEGER NOT NULL, key BLOB NOT NULL, t INTEGER NOT NULL, row BLOB NOT NULL,
        n INTEGER NOT NULL, s INTEGER NOT NULL, value ANY,
        PRIMARY KEY (series, key, t, row)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE pruned (id INTEGER PRIMARY KEY CHECK (id = 0), kept_since INTEGER NOT NULL) STRICT",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)
_ANEW = "move it away and materialize online_features again, all it holds is made from the validated datasets"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: (DataError, "another writer holds it: try again when it has finished"),
    sqlite3.SQLITE_CANTOPEN: (DataError, "its folder must exist and be yours to write: make it, or name another"),
    sqlite3.SQLITE_READONLY: (DataError, "it must be yours to write: change its rights, or name another"),
    sqlite3.SQLITE_PERM: (DataError, "it must be yours to write: change its rights, or name another"),
    sqlite3.SQLITE_FULL: (DataError, "the disk must have room: make some, then run the step again"),
    sqlite3.SQLITE_IOERR: (DataError, "the disk must work: look after it, then run the step again"),
    sqlite3.SQLITE_CORRUPT: (DamagedError, f"it is damaged: {_ANEW}"),
    sqlite3.SQLITE_NOTADB: (DamagedError, f"it is no online store, or damaged: name another file, or {_ANEW}"),
}


class Connection(sqlite3.Connection):
    """One that can be referred to weakly, so that it closes with its thread, and that remembers the series it has met.

    A series keeps its number for ever; another connection may be one to a file that was made anew.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.series: dict[str, int] = {}


class SqliteFile:
    """One file and the connections to it. Raises DataError and DamagedError that name the file, here and later."""

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise DataError(
                f"online store {path}: SQLite is {sqlite3.sqlite_version}, must be 3.37 or later: install a newer one."
            )
        self._path, self._own = path, threading.local()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        with self._told():
            self._connection()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment of the file."""
        with self._told():
            db = self._connection()
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that alone may write, until all of it is on disk; nothing of it when the block raises."""
        with self._told():
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connections of all threads of this process."""
        for db in list(self._open):
            db.close()

    def _connection(self) -> Connection:
        mine: tuple[int, Connection] | None = getattr(self._own, "mine", None)
        if mine is None or mine[0] != os.getpid():
            mine = self._own.mine = (os.getpid(), self._connected())
        return mine[1]

    def _connected(self) -> Connection:
        db = sqlite3.connect(
            self._path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False, factory=Connection
        )
        try:
            if self._is_new(db):
                self._make(db)
            self._check(db)
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except BaseException:
            db.close()
            raise
        self._open.add(db)
        return db

    @staticmethod
    def _is_new(db: sqlite3.Connection) -> bool:
        return not _pragma(db, "application_id") and not db.execute("SELECT 1 FROM sqlite_master").fetchone()

    def _make(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if self._is_new(db):  # no other process was first
            for statement in _SCHEMA:
                db.execute(statement)
        db.execute("COMMIT")

    def _check(self, db: sqlite3.Connection) -> None:
        if _pragma(db, "application_id") != _APPLICATION:
            raise DamagedError(f"online store {self._path}: it is a database of something else: name another file.")
        if (met := _pragma(db, "user_version")) != FORMAT:
            raise DataError(f"online store {self._path}: format == {met}, must be {FORMAT}: {_ANEW}.")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes end in the plain
            kind, remedy = _REMEDIES.get(code, (DamagedError, f"no such thing may happen to a whole file: {_ANEW}"))
            raise kind(f"online store {self._path}: {error}; {remedy}.") from error


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
