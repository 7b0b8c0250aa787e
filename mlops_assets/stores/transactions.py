"""A transaction that is alone, and what SQLite keeps of a file: the same for every database of the stores."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

ALONE = "alone"  # execution option of a transaction that takes the write lock at once


def begin(connection: Connection) -> None:
    """Listens to an engine's "begin": a transaction with the option `ALONE` takes the write lock at once."""
    # to the driver itself: it is no statement of whoever asks
    driver(connection).execute("BEGIN IMMEDIATE" if connection.get_execution_options().get(ALONE) else "BEGIN")


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, for what no portable SQL says."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"driver connection is {type(raw).__name__}, must be sqlite3's")
    return raw


def is_new(raw: sqlite3.Connection) -> bool:
    """True for a file in which nobody has made anything yet."""
    return not pragma(raw, "application_id") and not raw.execute("SELECT 1 FROM sqlite_master").fetchone()


def pragma(raw: sqlite3.Connection, name: str) -> int:
    """A number that SQLite keeps for a file."""
    return int(raw.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def unsynced() -> Iterator[None]:
    """Leave every SQLite file that SQLAlchemy opens within the block to the operating system to bring to disk.

    A commit survives the process, not the machine: for what can be made again. Dagster commits each event by itself.
    """
    event.listen(Engine, "connect", _leave)
    try:
        yield
    finally:
        event.remove(Engine, "connect", _leave)


def _leave(raw: Any, _record: Any) -> None:
    if isinstance(raw, sqlite3.Connection):
        raw.execute("PRAGMA synchronous = OFF")
