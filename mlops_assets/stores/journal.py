"""The journal of single events: what was told, when it arrived, what was refused and why. One SQLite file a use case.

It is the durable half of the write path: an event that is in here reaches the offline history and the online store,
however often a process is killed in between. It knows no rule; rows are `Told` records, keys are bytes.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mlops_assets.core.validation.told import Told
from mlops_assets.declare.errors import DamagedError, DataError

_FORMAT = 1
_TABLES = """
CREATE TABLE event(id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, row BLOB NOT NULL,
                   arrived INTEGER NOT NULL, given TEXT NOT NULL) STRICT;
CREATE TABLE state(tbl TEXT NOT NULL, row BLOB NOT NULL, week TEXT NOT NULL, given TEXT NOT NULL,
                   arrived TEXT NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (tbl, row)) STRICT, WITHOUT ROWID;
CREATE INDEX state_of_week ON state(tbl, week, told);
CREATE TABLE refused(id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, given TEXT NOT NULL,
                     arrived INTEGER NOT NULL, reasons TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1,
                     UNIQUE (tbl, given)) STRICT;
"""


class State(NamedTuple):
    """What is known of one row: its key, its week, what was told, and whether any of it by an event."""

    row: bytes
    week: str
    told: Told
    by_event: bool


class Refused(NamedTuple):
    """One refused event: what it gave, when it came first, how often, and why."""

    table: str
    given: Mapping[str, Any]
    arrived: int
    reasons: str
    times: int


class Journal:
    """The journal at a path, made when there is none. Raises DataError or DamagedError where it cannot be used."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            with self.changing():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version={_FORMAT}")
        except (OSError, sqlite3.OperationalError) as error:
            raise DataError(
                f"the journal {str(self.path)!r} cannot be used: {error}. Name a file you may write."
            ) from error
        except sqlite3.DatabaseError as error:
            raise DamagedError(f"{str(self.path)!r} is no journal ({error}): put the backup back.") from error
        if version not in (0, _FORMAT):
            raise DataError(
                f"the journal {str(self.path)!r} has format {version}, must be {_FORMAT}: upgrade the project."
            )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One transaction, alone: seen whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def states(self, table: str, rows: Iterable[bytes]) -> dict[bytes, State]:
        """What is known of these rows; those that are not named are unknown."""
        found = {}
        for row in dict.fromkeys(rows):
            met = self._db.execute(
                "SELECT row, week, given, arrived, told FROM state WHERE tbl=? AND row=?", (table, row)
            ).fetchone()
            if met is not None:
                found[row] = _state(met)
        return found

    def add(self, table: str, state: State, event: Mapping[str, Any], arrived_us: int) -> None:
        """Write one accepted event and what is known of its row after it. Within `changing`."""
        self._db.execute(
            "INSERT INTO event(tbl, row, arrived, given) VALUES (?, ?, ?, ?)",
            (table, state.row, arrived_us, _text(event)),
        )
        self._put(table, [state])

    def refuse(self, table: str, event: Mapping[str, Any], arrived_us: int, reasons: str) -> None:
        """Keep one refused event; the same again is counted. Within `changing`."""
        self._db.execute(
            "INSERT INTO refused(tbl, given, arrived, reasons) VALUES (?, ?, ?, ?) "
            "ON CONFLICT(tbl, given) DO UPDATE SET times = times + 1",
            (table, _text(event), arrived_us, reasons),
        )

    def land(self, table: str, week: str, states: Sequence[State]) -> None:
        """Write what a file says of a week's rows, in place of what an earlier one of that week said. In `changing`."""
        self._db.execute("DELETE FROM state WHERE tbl=? AND week=? AND told=0", (table, week))
        self._put(table, states)

    def forget(self, before: str) -> None:
        """Drop what files said of weeks before a week: events of those come too late. What events told stays."""
        with self.changing():
            self._db.execute("DELETE FROM state WHERE week < ? AND told = 0", (before,))

    def told(self, table: str, week: str) -> list[State]:
        """The rows of a week that events told, in the order of their keys."""
        found = self._db.execute(
            "SELECT row, week, given, arrived, told FROM state WHERE tbl=? AND week=? AND told=1 ORDER BY row",
            (table, week),
        )
        return [_state(met) for met in found]

    def touched(self, after: int) -> tuple[int, dict[str, list[bytes]]]:
        """The number of the last event, and by table the rows that events after number `after` told."""
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
        rows: dict[str, list[bytes]] = {}
        for table, row in self._db.execute(
            "SELECT DISTINCT tbl, row FROM event WHERE id>? AND id<=? ORDER BY tbl, row", (after, last)
        ):
            rows.setdefault(table, []).append(row)
        return last, rows

    def last_arrival(self) -> int | None:
        """When the newest event arrived (us since 1970)."""
        (found,) = self._db.execute("SELECT max(arrived) FROM event").fetchone()
        return None if found is None else int(found)

    def refused(self) -> list[Refused]:
        """Every refused event, oldest first."""
        found = self._db.execute("SELECT tbl, given, arrived, reasons, times FROM refused ORDER BY id")
        return [Refused(table, json.loads(given), at, why, times) for table, given, at, why, times in found]

    def _put(self, table: str, states: Sequence[State]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO state(tbl, row, week, given, arrived, told) VALUES (?, ?, ?, ?, ?, ?)",
            [(table, s.row, s.week, _text(s.told.values), _text(s.told.arrived), int(s.by_event)) for s in states],
        )

    def close(self) -> None:
        self._db.close()


def _state(met: tuple[bytes, str, str, str, int]) -> State:
    row, week, given, arrived, told = met
    return State(row, week, Told(values=json.loads(given), arrived=json.loads(arrived)), bool(told))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), default=str)
