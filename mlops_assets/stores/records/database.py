"""The database of the records: how it is opened, its two kinds of transaction, and what its errors mean.

SQLite with write-ahead logging, where `synchronous=FULL` makes a commit survive a power cut. Nothing is opened before
it is used. It knows its tables' format and none of their meaning.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.records.tables import FORMAT, METADATA, UPGRADED
from mlops_assets.stores.transactions import ALONE, begin, driver, is_new, pragma

_APPLICATION = int.from_bytes(b"mlrc")  # says whose file it is (sqlite.org/pragma.html#pragma_application_id)
_PATIENCE_S = 30.0  # how long one writer waits for another; a record is written in milliseconds
_BACKUP = "put the backup back"
_OUTDATED = (
    "an earlier state of the project wrote it: move it and the files beside it away, then `mlops doctor` "
    "says how each model is registered anew"
)
_REMEDIES = {
    sqlite3.SQLITE_BUSY: (DataError, "another writer holds it: try again when it has finished"),
    sqlite3.SQLITE_CANTOPEN: (DataError, "its folder must be there and yours to write: make it, or name another"),
    sqlite3.SQLITE_READONLY: (DataError, "it must be yours to write: change its rights, or name another"),
    sqlite3.SQLITE_PERM: (DataError, "it must be yours to write: change its rights, or name another"),
    sqlite3.SQLITE_FULL: (DataError, "the disk must have room: make some, then run again"),
    sqlite3.SQLITE_IOERR: (DataError, "the disk must work: look after it, then run again"),
    sqlite3.SQLITE_CONSTRAINT: (DataError, "what is recorded once stands: record something else beside it"),
    sqlite3.SQLITE_CORRUPT: (DamagedError, f"it is damaged: {_BACKUP}"),
    sqlite3.SQLITE_NOTADB: (DamagedError, f"it is no database, or damaged: name another file, or {_BACKUP}"),
}


class Database:
    """The file at a path or an `sqlite:///` URL. With `create=False` a file that is not there is an error.

    Raises DataError for a place that cannot be used, DamagedError for a file that is none of ours; both at first use.
    """

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        self.path, self._create = _path(str(where)), create

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment of the file."""
        with self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that alone may write; all of it is on disk afterwards, or nothing when the block raises."""
        with self._told(), self._engine.connect() as connection, connection.execution_options(**{ALONE: True}).begin():
            yield connection

    def close(self) -> None:
        """Close every connection of this process."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        if not self._create and not self.path.exists():
            raise DataError(f"{self._name} is not there: nothing has been recorded yet; register a model first.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise DataError(f"{self._name}: {refused}: name a file in a folder you may write.") from refused
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            connect_args={"timeout": _PATIENCE_S, "isolation_level": None},
        )
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", begin)
        try:
            with engine.connect() as connection:
                if _behind(driver(connection)):
                    _make(connection.execution_options(**{ALONE: True}))
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _prepare(self, raw: sqlite3.Connection, _record: Any) -> None:
        if not is_new(raw):
            if pragma(raw, "application_id") != _APPLICATION:
                raise DamagedError(f"{self._name} is a database of something else: name another file.")
            if (met := pragma(raw, "user_version")) not in (FORMAT, *UPGRADED):
                remedy = "upgrade the project" if met > FORMAT else _OUTDATED
                raise DataError(f"{self._name}: format == {met}, must be {FORMAT}: {remedy}.")
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")

    @property
    def _name(self) -> str:
        return f"the database of records {str(self.path)!r}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes end in the plain
            kind, remedy = _REMEDIES.get(code, (DamagedError, f"no such thing may happen to a whole file: {_BACKUP}"))
            raise kind(f"{self._name}: {cause}; {remedy}.") from error


def _path(where: str) -> Path:
    """The file behind a path or URL. Raises DataError for another database, and for one that is in memory."""
    if "://" not in where:
        return Path(where)
    try:
        url = make_url(where)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            return Path(url.database)
    except ArgumentError:
        pass  # said below, in one sentence
    scheme = where.partition("://")[0]  # what comes after may hold a password
    raise DataError(
        f"records == '{scheme}://...', must be a path or sqlite:///path: no other database is supported yet."
    )


def _behind(raw: sqlite3.Connection) -> bool:
    """True for a file that lacks tables: a new one, or one of an earlier format."""
    return is_new(raw) or pragma(raw, "user_version") != FORMAT


def _make(connection: Connection) -> None:
    with connection.begin():
        raw = driver(connection)
        if _behind(raw):  # no other process was first
            METADATA.create_all(connection)  # what is there stays as it is
            raw.execute(f"PRAGMA application_id = {_APPLICATION}")
            raw.execute(f"PRAGMA user_version = {FORMAT}")
