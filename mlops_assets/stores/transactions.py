"""A transaction that is alone, and what SQLite keeps of a file: the same for every database of the stores."""

import sqlite3

from sqlalchemy import Connection

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
