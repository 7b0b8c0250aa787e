"""The prediction log in an SQLite file: write-ahead log, every commit on disk, where it is `synced`."""

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.serving import log_session
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.log_session import Row, Session, insert_of
from mlops_assets.stores.serving.log_tables import FORMAT, TABLES

_APPLICATION = int.from_bytes(b"mlpl")  # says whose file it is (sqlite.org/pragma.html#pragma_application_id)
_CHUNKS = (64, 16, 4, 1)  # rows of one INSERT: few statements, each of which is prepared once
# writers of several processes take turns: one that waits looks so often, one that comes after another waits longer
_LOOK_S, _POLITE_S = 0.0005, 0.001
_CROWDED_S = 1.0  # for so long after it met another writer it expects one
_TYPES = {"integer": "INTEGER", "real": "REAL", "key": "TEXT", "strict": " STRICT"}


class SqlitePlace:
    """A file. Nothing is opened before a session is asked for."""

    reconnects = False

    def __init__(self, path: Path, *, create: bool = True, synced: bool = True) -> None:
        self.path, self._create, self._synced = path, create, synced
        self.name = f"the prediction log {str(path)!r}"

    def session(self) -> Session:
        if not self._create and not self.path.exists():
            raise Unavailable(f"{self.name} is not there: nothing was predicted yet; `mlops serve` makes it.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False,
                                 cached_statements=64)  # fmt: skip
        except (OSError, sqlite3.Error) as refused:
            raise Unavailable(f"{self.name}: {refused}: name a folder you may write.") from refused
        session = SqliteSession(db, self.path, self.name, synced=self._synced)
        try:
            session.prepare()
        except BaseException:
            db.close()
            raise
        return session


class SqliteSession:
    """A connection to the file."""

    def __init__(self, db: sqlite3.Connection, path: Path, name: str, *, synced: bool) -> None:
        self._db, self._path, self._name, self._polls = db, path, name, False
        self._synced = synced
        self._file: tuple[int, int] | None = None
        self._crowded_until = 0.0

    def prepare(self) -> None:
        """Make the tables when there are none; refuse another's file."""
        try:
            if self._pragma("application_id") == 0:
                self._make()
            if self._pragma("application_id") != _APPLICATION:
                raise DamagedError(f"{self._name} is a database of something else: name another folder.")
            if (met := self._pragma("user_version")) != FORMAT:
                raise DataError(f"{self._name}: format == {met}, must be {FORMAT}: use the project that wrote it.")
            self._db.execute("PRAGMA journal_mode = WAL").fetchall()
            self._db.execute(f"PRAGMA synchronous = {'FULL' if self._synced else 'OFF'}")
        except sqlite3.Error as error:
            raise self._told(error) from error
        self._file = self._stands()

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._pragma("application_id") == 0 and not self.rows("SELECT 1 FROM sqlite_master"):
                for statement in TABLES.format(**_TYPES).split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        except BaseException:
            self.rollback()
            raise
        self._db.execute("COMMIT")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def begin(self, *, alone: bool) -> None:
        if self._file is None or self._stands() != self._file:
            raise Unavailable(f"{self._name} was moved away or replaced: what is written here nobody would find.")
        if not alone:
            self.change("BEGIN")
            return
        if not self._polls:
            self.change("PRAGMA busy_timeout = 0")  # SQLite's own waits grow to 100 ms; writers need a few
            self._polls = True
        now = time.monotonic()
        until = now + log_session.PATIENCE_S
        if now < self._crowded_until:
            time.sleep(_POLITE_S)  # whoever waits already goes first
        while True:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.Error as error:
                now = time.monotonic()
                if _code(error) != sqlite3.SQLITE_BUSY or now > until:
                    raise self._told(error) from error
            self._crowded_until = now + _CROWDED_S
            time.sleep(_LOOK_S)

    def _stands(self) -> tuple[int, int] | None:
        """Which file is at the path now."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  before each transaction: the plain call
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._told(error) from error

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        try:
            return self._db.execute(sql, values).rowcount
        except sqlite3.DatabaseError as error:
            raise self._told(error) from error

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        # many rows a statement: the interpreter's lock is let go once a statement, and a busy event loop is slow to
        # give it back
        done = at = 0
        for size in _CHUNKS:
            while len(rows) - at >= size:
                chunk = rows[at : at + size]
                done += self.change(insert_of(table, size, len(chunk[0])), [value for row in chunk for value in row])
                at += size
        return done

    def commit(self) -> None:
        self.change("COMMIT")

    def rollback(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        self._db.close()

    def _told(self, error: sqlite3.Error) -> Exception:
        code = _code(error)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return DamagedError(f"{self._name} is no database, or damaged ({error}): put the backup back.")
        if code in _REMEDIES:
            return Unavailable(f"{self._name}: {error}: {_REMEDIES[code]}.")
        if isinstance(error, sqlite3.OperationalError) or "closed" in str(error):
            return Unavailable(f"{self._name}: {error}.")
        return error


_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another writer holds it; try again when it has finished",
    sqlite3.SQLITE_LOCKED: "another writer holds it; try again when it has finished",
    sqlite3.SQLITE_CANTOPEN: "its folder must be there and yours to write",
    sqlite3.SQLITE_READONLY: "it must be yours to write",
    sqlite3.SQLITE_PERM: "it must be yours to write",
    sqlite3.SQLITE_FULL: "the disk must have room",
    sqlite3.SQLITE_IOERR: "the disk must work and have room",
    sqlite3.SQLITE_NOMEM: "there must be memory",
    sqlite3.SQLITE_PROTOCOL: "another process holds its lock; try again",
}


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes end in the plain one
