"""The prediction log in a schema of its own on a PostgreSQL server."""

from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.log_session import PATIENCE_S, Row, Session, insert_of
from mlops_assets.stores.serving.log_tables import FORMAT, TABLES

_TYPES = {"integer": "bigint", "real": "double precision", "key": 'text COLLATE "C"', "strict": ""}
_TOGETHER = 500  # rows of one INSERT


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
                self.change(TABLES.format(**_TYPES))
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
        for at in range(0, len(rows), _TOGETHER):
            chunk = rows[at : at + _TOGETHER]
            done += self.change(insert_of(table, len(chunk), len(chunk[0])), [value for row in chunk for value in row])
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
