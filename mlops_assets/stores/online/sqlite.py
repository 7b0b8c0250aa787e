"""The embedded online store: running totals in one SQLite file.

A look-up is one index seek for each ask, all asks of a request in one statement on one snapshot. All arithmetic is that
of `totals.rewritten`: SQLite only keeps and finds.
"""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mlops_assets.core.online.store import Ask, refuse_pruned
from mlops_assets.core.online.totals import Applied, Change, Scalar, Total, rewritten
from mlops_assets.declare import DataError
from mlops_assets.stores.crashpoints import reach as crash_point
from mlops_assets.stores.online.sqlite_file import Connection, SqliteFile

_AT_ONCE = 100  # asks in one statement; SQLite takes 500 parts at most (sqlite.org/limits.html)
_TRUE, _FALSE = b"\x01", b"\x00"  # SQLite has no bool, and no value of ours is bytes
_LAST = """SELECT t, row, n, s, value FROM totals WHERE series = ? AND key = ? ORDER BY t DESC, row DESC LIMIT 1"""
_BEFORE = """SELECT t, row, n, s, value FROM totals WHERE series = ? AND key = ? AND (t, row) < (?, ?)
    ORDER BY t DESC, row DESC LIMIT 1"""
_FROM = """SELECT t, row, n, s, value FROM totals WHERE series = ? AND key = ? AND (t, row) >= (?, ?)
    ORDER BY t, row"""
_BETWEEN = """SELECT t, row, n, s, value FROM totals WHERE series = ? AND key = ? AND t > ? AND t <= ?
    ORDER BY t, row"""
_WRITE = "INSERT OR REPLACE INTO totals (series, key, t, row, n, s, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM totals WHERE series = ? AND key = ? AND t = ? AND row = ?"
# of each key everything up to :old, but for the last of it where something comes after: windows are counted from it
_FORGET = """DELETE FROM totals WHERE series = :series AND t <= :old AND (
    NOT EXISTS (SELECT 1 FROM totals AS l WHERE l.series = :series AND l.key = totals.key AND l.t > :old)
    OR EXISTS (SELECT 1 FROM totals AS l WHERE l.series = :series AND l.key = totals.key AND l.t <= :old
               AND (l.t, l.row) > (totals.t, totals.row)))"""
_NOTE = "INSERT OR REPLACE INTO notes (name, text) VALUES (?, ?)"
_PRUNED = "INSERT OR REPLACE INTO pruned (id, kept_since) VALUES (0, ?)"


class SqliteStore:
    """An `OnlineStore` in the file `path`, for any number of threads and processes of one machine.

    The file is made when there is none. Raises DataError where it cannot be opened or written, DamagedError where it
    is no whole store; the message says what to do.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = SqliteFile(Path(path))

    def look_up(self, as_of: int, asks: Sequence[Ask]) -> list[Total | None]:
        found: list[Total | None] = [None] * len(asks)
        with self._file.reading() as db:
            refuse_pruned(as_of, _kept_since(db))
            for start in range(0, len(asks), _AT_ONCE):
                seeks: list[int | bytes | None] = []
                for series, key, t in asks[start : start + _AT_ONCE]:
                    seeks += (db.series.get(series) or _id(db, series), key, t)
                for place, t, row, n, s, value in db.execute(_seeks(len(seeks) // 3), seeks):
                    found[start + place] = Total(t, row, n, s, _shown(value) if type(value) is bytes else value)
        return found

    def apply(self, changes: Mapping[tuple[str, bytes], Change], notes: Mapping[str, str] | None = None) -> Applied:
        applied = Applied()
        with self._file.writing() as db:
            new = {name for name, _ in changes if _id(db, name) is None}
            db.executemany("INSERT INTO series (name) VALUES (?)", ((name,) for name in sorted(new)))
            ids: dict[str, int] = dict(db.execute("SELECT name, id FROM series"))  # not ours yet: it may roll back
            for (name, key), change in changes.items():
                applied += _rewrite(db, (ids[name], key), change)
            db.executemany(_NOTE, (notes or {}).items())
            crash_point("online.rewritten")
        crash_point("online.committed")
        return applied

    def totals(self, series: str, key: bytes, after: int, until: int) -> list[Total]:
        with self._file.reading() as db:
            return _totals(db.execute(_BETWEEN, (_id(db, series), key, after, until)))

    def prune(self, as_of: int, reach: Mapping[str, int]) -> int:
        gone = 0
        with self._file.writing() as db:
            kept_since = _kept_since(db)
            if kept_since is not None and as_of < kept_since:
                return 0
            for name, us in reach.items():
                gone += db.execute(_FORGET, {"series": _id(db, name), "old": as_of - us}).rowcount
            db.execute(_PRUNED, (as_of,))
        return gone

    @property
    def kept_since(self) -> int | None:
        with self._file.reading() as db:
            return _kept_since(db)

    def note(self, name: str) -> str | None:
        with self._file.reading() as db:
            row = db.execute("SELECT text FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def entries(self) -> int:
        with self._file.reading() as db:
            return int(db.execute("SELECT count(*) FROM totals").fetchone()[0])

    def close(self) -> None:
        """Close the file for all threads."""
        self._file.close()


@cache
def _seeks(asks: int) -> str:
    """One statement for so many asks, of (series, key, t) each; its rows begin with the place of their ask."""
    return " UNION ALL ".join(
        f"SELECT * FROM (SELECT {place}, t, row, n, s, value FROM totals WHERE series = ? AND key = ? AND t <= ? "  # noqa: S608  # a count of ours
        "ORDER BY t DESC, row DESC LIMIT 1)"
        for place in range(asks)
    )


def _rewrite(db: sqlite3.Connection, where: tuple[int, bytes], change: Change) -> Applied:
    before, tail = _first(db.execute(_LAST, where)), list[Total]()
    if before is not None and before[:2] >= change.first:
        before = _first(db.execute(_BEFORE, (*where, *change.first)))
        tail = _totals(db.execute(_FROM, (*where, *change.first)))
    new = rewritten(before, tail, change)
    if new.applied.added or new.applied.removed or new.totals != tuple(tail):
        db.executemany(_DELETE, ((*where, *place) for place in new.deleted))
        db.executemany(_WRITE, ((*where, t, row, n, s, _stored(value)) for t, row, n, s, value in new.totals))
    return new.applied


def _id(db: Connection, name: str) -> int | None:
    """The number of a series, None (which no row has) while it has none in the moment that `db` sees."""
    known = db.series.get(name)
    if known is None:
        row = db.execute("SELECT id FROM series WHERE name = ?", (name,)).fetchone()
        if row is not None:
            known = db.series[name] = int(row[0])
    return known


def _kept_since(db: sqlite3.Connection) -> int | None:
    row = db.execute("SELECT kept_since FROM pruned").fetchone()
    return None if row is None else int(row[0])


def _first(rows: Iterable[Sequence[Any]]) -> Total | None:
    return next(map(_total, rows), None)


def _totals(rows: Iterable[Sequence[Any]]) -> list[Total]:
    return list(map(_total, rows))


def _total(columns: Sequence[Any]) -> Total:
    t, row, n, s, value = columns
    return Total(t, row, n, s, _shown(value))


def _shown(value: Scalar | bytes) -> Scalar:
    return value == _TRUE if isinstance(value, bytes) else value


def _stored(value: Scalar) -> Scalar | bytes:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, float) and math.isnan(value):  # which SQLite would keep as null
        raise DataError("online store: value == nan, must be a number or null: correct the table's rows.")
    return value
