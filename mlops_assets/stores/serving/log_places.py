"""Where the prediction log lies: an SQLite file or a PostgreSQL schema for each use case, and how a session is opened.

Both speak the same SQL with `?` for a parameter. A session has two kinds of transaction: `alone`, which excludes every
other writer from its first moment, so that commits come in the order of their numbers; and one that sees one moment.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.serving.database import SERVERS, Unavailable
from mlops_assets.stores.serving.log_tables import FORMAT, TABLES

_ENDING = ".predictions.db"
PATIENCE_S = 2.0  # how long one writer waits for another, which needs milliseconds
_APPLICATION = int.from_bytes(b"mlpl")  # says whose file it is (sqlite.org/pragma.html#pragma_application_id)
_CHUNKS = (64, 16, 4, 1)  # rows of one INSERT: few statements, each of which is prepared once
_SQLITE = {"integer": "INTEGER", "real": "REAL", "key": "TEXT", "strict": " STRICT"}
_POSTGRES = {"integer": "bigint", "real": "double precision", "key": 'text COLLATE "C"', "strict": ""}
Row = tuple[Any, ...]


class Session(Protocol):
    """A connection to the log. Every method raises Unavailable, or DamagedError, or what is wrong with the values."""

    def begin(self, *, alone: bool) -> None:
        """Begin a transaction that sees one moment, or alone may write."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a question."""

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Change something; how many rows."""

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        """Write rows; those whose id is there change nothing. How many were written."""

    def commit(self) -> None:
        """It is on disk afterwards, all of it."""

    def rollback(self) -> None:
        """Nothing of it happened. Never raises."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""


class Place(Protocol):
    """Where the log of a use case is. `reconnects`: a session may be lost while the place is well."""

    name: str
    reconnects: bool

    def session(self) -> Session:
        """A new session. Raises Unavailable where it cannot be, DamagedError where something else is."""


def place(where: str | Path, use_case: str, *, create: bool = True) -> "Place":
    """The place of a use case's log below `Settings.serving`: a folder, or `postgresql+psycopg2://...`."""
    check_name("use case", use_case)
    text = str(where)
    if text.startswith(SERVERS):
        return PostgresPlace(text, use_case, create=create)
    if "://" in text:
        scheme = text.partition("://")[0]  # what comes after may hold a password
        raise DataError(f"serving == '{scheme}://...', must be a folder or postgresql+psycopg2://...: name one.")
    return SqlitePlace(Path(text) / f"{use_case}{_ENDING}", create=create)


def places(where: str | Path) -> dict[str, "Place"]:
    """Use case -> the place of its log, of every log there is. Raises like `place` and `Place.session`."""
    text = str(where)
    if not text.startswith(SERVERS):
        found = sorted(file.name.removesuffix(_ENDING) for file in Path(text).glob(f"*{_ENDING}"))
    else:
        session = PostgresPlace(text, "", create=False).connected()
        try:
            schemas = session.rows("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'predictions_')")
            asked = (f'SELECT use_case FROM "{schema}".log_of' for (schema,) in schemas)  # noqa: S608  a schema's name
            found = sorted(session.rows(each)[0][0] for each in asked)
        finally:
            session.close()
    return {use_case: place(where, use_case, create=False) for use_case in found}


class SqlitePlace:
    """A file. Nothing is opened before a session is asked for."""

    reconnects = False

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path, self._create = path, create
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
        session = SqliteSession(db, self.path, self.name)
        try:
            session.prepare()
        except BaseException:
            db.close()
            raise
        return session


class SqliteSession:
    """A connection to the file."""

    def __init__(self, db: sqlite3.Connection, path: Path, name: str) -> None:
        self._db, self._path, self._name, self._polls = db, path, name, False
        self._file: tuple[int, int] | None = None

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
            self._db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self._told(error) from error
        self._file = self._stands()

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._pragma("application_id") == 0 and not self.rows("SELECT 1 FROM sqlite_master"):
                for statement in TABLES.format(**_SQLITE).split(";"):
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
        until, pause = time.monotonic() + PATIENCE_S, 0.0002
        while True:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.Error as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise self._told(error) from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)

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
                done += self.change(_insert(table, size, len(chunk[0])), [value for row in chunk for value in row])
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


_INSERTS: dict[tuple[str, int, int], str] = {}


def _insert(table: str, rows: int, columns: int) -> str:
    """INSERT of so many rows; an id that is there already wins."""
    if (found := _INSERTS.get((table, rows, columns))) is None:
        one = f"({', '.join('?' * columns)})"
        found = f"INSERT INTO {table} VALUES {', '.join([one] * rows)} ON CONFLICT DO NOTHING"  # noqa: S608  ours
        _INSERTS[table, rows, columns] = found
    return found


class PostgresPlace:
    """A schema of its own on a server. Nothing is opened before a session is asked for."""

    reconnects = True

    def __init__(self, url: str, use_case: str, *, create: bool = True) -> None:
        self._dsn, self._create = url.replace("postgresql+psycopg2://", "postgresql://", 1), create
        self._use_case = use_case
        self.name = f"the prediction log of {use_case} on PostgreSQL"

    def session(self) -> Session:
        session = self.connected()
        try:
            session.prepare(create=self._create)
        except BaseException:
            session.close()
            raise
        return session

    def connected(self) -> "PostgresSession":
        """A connection that has not looked for the log yet."""
        try:
            import psycopg2  # type: ignore[import-untyped]  # it ships none
        except ImportError as absent:
            raise DataError(f"{self.name} needs psycopg2: pip install mlops-assets[postgres].") from absent
        try:
            db = psycopg2.connect(
                self._dsn, connect_timeout=3, keepalives_idle=5, keepalives_interval=2, keepalives_count=2,
                tcp_user_timeout=5000,
                # a gateway that vanishes, or another's long lock, may not stop the others for longer than this
                options=f"-c synchronous_commit=on -c lock_timeout={PATIENCE_S:.0f}s -c client_encoding=UTF8 "
                "-c idle_in_transaction_session_timeout=10s",
            )  # fmt: skip
        except psycopg2.Error as refused:
            raise Unavailable(f"{self.name}: {str(refused).strip()}: the server must run and take us in.") from refused
        db.autocommit = True
        return PostgresSession(db, self.name, self._use_case)


def schema_of(use_case: str) -> str:
    """The schema of a use case's log. PostgreSQL cuts names at 63 bytes: a longer one ends in its hash.

    >>> schema_of("flight_delays"), len(schema_of("x" * 128))
    ('predictions_flight_delays', 61)
    """
    if len(use_case) <= 48:
        return f"predictions_{use_case}"
    return f"predictions_{use_case[:32]}_{blake3(use_case.encode()).hexdigest()[:16]}"


class PostgresSession:
    """A connection to the server; in `autocommit`, so that a transaction is what we say it is."""

    def __init__(self, db: Any, name: str, use_case: str) -> None:
        self._db, self._name, self._use_case, self._schema = db, name, use_case, schema_of(use_case)
        self._cursor = db.cursor()
        self._key = int.from_bytes(blake3(f"predictions {use_case}".encode()).digest()[:8], signed=True)

    def prepare(self, *, create: bool) -> None:
        """Make schema and tables when there are none."""
        if not self._is_there():
            if not create:
                raise Unavailable(f"{self._name} is not there: nothing was predicted yet; `mlops serve` makes it.")
            self.begin(alone=True)
            if not self._is_there():  # no other process was first
                self.change(f'CREATE SCHEMA "{self._schema}"')
                self.change(f'SET LOCAL search_path TO "{self._schema}"')
                self.change(TABLES.format(**_POSTGRES))
                self.change("CREATE TABLE log_of(use_case text NOT NULL, format bigint NOT NULL)")
                self.change("INSERT INTO log_of VALUES (?, ?)", [self._use_case, FORMAT])
            self.commit()
        self.change(f'SET search_path TO "{self._schema}"')
        ((met,),) = self.rows("SELECT format FROM log_of")
        if met != FORMAT:
            raise DataError(f"{self._name}: format == {met}, must be {FORMAT}: use the project that wrote it.")

    def _is_there(self) -> bool:
        return bool(self.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?", [self._schema]))

    def begin(self, *, alone: bool) -> None:
        if alone:
            # one writer at a time: numbers become visible in their order, so that no reader skips one
            self.change(f"BEGIN; SET LOCAL statement_timeout = '10s'; SELECT pg_advisory_xact_lock({self._key})")
        else:
            self.change("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        self.change(sql, values)
        found: list[Row] = self._cursor.fetchall()
        return found

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        import psycopg2

        try:
            self._cursor.execute(sql.replace("?", "%s"), values or None)
        except psycopg2.Error as error:
            if isinstance(error, psycopg2.DataError):
                raise  # of the values
            raise Unavailable(f"{self._name}: {str(error).strip()}.") from error
        return int(self._cursor.rowcount)

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        done = 0
        for at in range(0, len(rows), 500):
            chunk = rows[at : at + 500]
            done += self.change(_insert(table, len(chunk), len(chunk[0])), [value for row in chunk for value in row])
        return done

    def commit(self) -> None:
        self.change("COMMIT")

    def rollback(self) -> None:
        try:
            self.change("ROLLBACK")
        except Exception:
            self.close()

    def close(self) -> None:
        import psycopg2

        try:
            self._db.close()
        except psycopg2.Error:
            return
