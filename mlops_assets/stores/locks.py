"""One at a time, also across processes: a lock that ends with whoever holds it, however it ends.

It is an SQLite file in a transaction of its own, which the system lets go when a process is killed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlops_assets.declare.errors import DataError

PATIENCE_S = 900.0  # a registration takes seconds, a slow tracker's a minute


@contextmanager
def alone(file: Path, what: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Be the only one inside for this file; wait for whoever is.

    Raises DataError naming `what` after `patience_s` seconds, and where the file cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=patience_s, isolation_level=None)
    except (OSError, sqlite3.OperationalError) as refused:
        raise DataError(
            f"lock {str(file)!r} for {what} cannot be made ({refused}): name a folder to write."
        ) from refused
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as busy:
            raise DataError(
                f"{what}: another process has been at it for {patience_s:g} s ({busy}): run again when it has ended."
            ) from busy
        yield
