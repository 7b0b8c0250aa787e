"""A session of the prediction log: what the writer, the reader and the archive may ask of either database.

SQL has `?` for a parameter. There are two kinds of transaction: `alone`, which excludes every other writer from its
first moment, so that commits come in the order of their numbers; and one that sees one moment.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

PATIENCE_S = 2.0  # how long one writer waits for another, which needs milliseconds
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


@cache
def insert_of(table: str, rows: int, columns: int) -> str:
    """INSERT of so many rows; an id that is there already wins.

    >>> insert_of("began", 2, 2)
    'INSERT INTO began VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING'
    """
    one = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([one] * rows)} ON CONFLICT DO NOTHING"  # noqa: S608  names of ours
