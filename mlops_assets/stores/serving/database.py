"""The database of the rollouts: an SQLite file for each use case, or tables on PostgreSQL; how it is opened and locked.

`synchronous=FULL` makes a commit survive a power cut; what is not `synced` need not, as a replay. Nothing is opened
before it is used: open it after a fork, not before. It knows its tables' format and none of their meaning.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.serving.tables import FORMAT, METADATA
from mlops_assets.stores.transactions import ALONE, begin, driver, is_new, pragma

SERVERS = ("postgresql://", "postgresql+psycopg2://")
_APPLICATION = int.from_bytes(b"mlro")  # says whose file it is (sqlite.org/pragma.html#pragma_application_id)
_PATIENCE_S = 10  # how long one writer waits for another; a decision is written in milliseconds
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Unavailable(DataError):
    """The database cannot be asked now: nothing of what was asked was done; it may be tried again."""


class Database:
    """The rollouts of a use case below `where` (`Settings.serving`): a folder, or `postgresql+psycopg2://...`.

    Raises DataError for another place; at use Unavailable, or DamagedError for a file that is none of ours.
    """

    def __init__(self, where: str | Path, use_case: str, *, synced: bool = True) -> None:
        check_name("use case", use_case, error=DataError)
        self.use_case, self._url, self._synced = use_case, str(where), synced
        self.server = self._url.startswith(SERVERS)
        if "://" in self._url and not self.server:
            scheme = self._url.partition("://")[0]  # what comes after may hold a password
            raise DataError(f"serving == '{scheme}://...', must be a folder or postgresql+psycopg2://...: name one.")
        self.path = None if self.server else Path(self._url) / f"{use_case}.rollout.db"
        self._file: tuple[int, int] | None = None  # which one is open

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment."""
        with self._told(), self._there().connect() as connection:
            if self.server:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """A connection for one statement: on a server it is the only one that travels."""
        with self._told(), self._there().connect() as connection:
            if self.server:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that alone may write; all of it is on disk afterwards, or nothing when the block raises."""
        with (
            self._told(),
            self._there().connect() as connection,
            connection.execution_options(**{ALONE: True}).begin(),
        ):
            if self.server:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self._key})
            yield connection

    def changes(self) -> "Changes":
        """An eye on changes, for microseconds a look (a file) or one round trip (a server)."""
        with self.reading():
            pass  # the tables are there, and ours
        return _Asked(self) if self.path is None else _Looked(self, self.path)

    def close(self) -> None:
        """Close every connection of this process but those of `changes`."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self._engine
            self._file = None

    def _there(self) -> Engine:
        """The engine, of a file that is still the one that was opened. A file that was removed, or put in another's

        place, goes on being read by whoever has it open, and nobody else's decisions would ever be seen.
        """
        engine = self._engine
        if self.path is not None and (met := _identity(self.path)) != self._file:
            if self._file is not None:
                self.close()
                raise Unavailable(f"{self._name}: it was removed or replaced while it was open: it is opened anew.")
            self._file = met
        return engine

    @cached_property
    def _engine(self) -> Engine:
        engine = self._server_engine() if self.path is None else self._file_engine(self.path)
        try:
            with engine.connect() as connection, connection.execution_options(**{ALONE: True}).begin():
                if self.server:  # two that make the tables at once would be in each other's way
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPLICATION})
                    METADATA.create_all(connection)
                elif is_new(driver(connection)):
                    METADATA.create_all(connection)
                    driver(connection).execute(f"PRAGMA application_id = {_APPLICATION}")
                    driver(connection).execute(f"PRAGMA user_version = {FORMAT}")
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _server_engine(self) -> Engine:
        settings = "-c lock_timeout=10s -c statement_timeout=10s -c idle_in_transaction_session_timeout=10s"
        try:
            return create_engine(
                self._url, pool_pre_ping=True, connect_args={"connect_timeout": 3, "options": settings}
            )
        except (SQLAlchemyError, ImportError) as wrong:
            raise DataError(f"{self._name}: {wrong}: correct the URL, pip install mlops-assets[postgres].") from wrong

    def _file_engine(self, path: Path) -> Engine:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise Unavailable(f"{self._name}: {refused}: name a folder you may write.") from refused
        engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": _PATIENCE_S, "isolation_level": None}
        )
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", begin)
        return engine

    def _prepare(self, raw: sqlite3.Connection, _record: Any) -> None:
        if not is_new(raw):
            if pragma(raw, "application_id") != _APPLICATION:
                raise DamagedError(f"{self._name} is a database of something else: name another folder.")
            if (met := pragma(raw, "user_version")) != FORMAT:
                raise DataError(f"{self._name}: format == {met}, must be {FORMAT}: use the project that wrote it.")
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute(f"PRAGMA synchronous = {'FULL' if self._synced else 'OFF'}")

    @property
    def _key(self) -> int:
        return int.from_bytes(blake3(f"rollout {self.use_case}".encode()).digest(length=8), signed=True)

    @property
    def _name(self) -> str:
        return f"the rollouts of {self.use_case} {'on PostgreSQL' if self.path is None else f'in {str(self.path)!r}'}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, DBAPIError, NoConnection) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise DamagedError(f"{self._name}: {cause}; it is damaged: put the backup back.") from error
            raise Unavailable(
                f"{self._name}: {str(cause).strip()}: it must be there, whole and ours to write."
            ) from error


class Changes(Protocol):
    """Says whether others may have changed row, lease or events. For one thread at a time."""

    def version(self) -> object:
        """Another value whenever they may have. Raises Unavailable."""

    def close(self) -> None:
        """Let go of its connection."""


class _Looked:
    """Looks at the counter that SQLite keeps of the commits to a file, over a connection of its own."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        with database._told():
            self._raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def version(self) -> object:
        """SQLite's number."""
        self._database._there()
        with self._database._told():
            return self._raw.execute("PRAGMA data_version").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


class _Asked:
    """Asks a server which version of the rows of a use case is the newest, over a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor: Any = None

    def version(self) -> object:
        """Which transactions wrote row and lease last, and the last event."""
        with self._database._told():
            try:
                if self._cursor is None:
                    self._cursor = self._prepared()
                self._cursor.execute("EXECUTE newest")
                return self._cursor.fetchone()
            except Exception as lost:
                self._cursor = None  # the next one asks over a new connection
                if isinstance(lost, self._database._engine.dialect.loaded_dbapi.Error):
                    raise Unavailable(f"{self._database._name}: {str(lost).strip()}: it must be there.") from lost
                raise

    def close(self) -> None:
        """Hang up."""
        if self._cursor is not None:
            self._cursor.connection.close()

    def _prepared(self) -> Any:
        connection = self._database._engine.raw_connection()
        raw: Any = connection.driver_connection
        connection.detach()  # not one of the pool's any more: it stays open
        raw.autocommit = True
        cursor = raw.cursor()
        cursor.execute(_NEWEST, [self._database.use_case] * 3)
        return cursor


# xmin is the transaction that wrote a row, ctid where it lies
_NEWEST = """PREPARE newest AS SELECT
(SELECT xmin::text || ctid::text FROM rollout WHERE use_case = %s),
(SELECT xmin::text || ctid::text FROM rollout_lease WHERE use_case = %s),
(SELECT max(epoch) FROM rollout_event WHERE use_case = %s)"""


def _identity(path: Path) -> tuple[int, int]:
    """Which file stands there; (0, 0) when none does."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
