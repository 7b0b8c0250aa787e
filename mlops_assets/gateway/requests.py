"""Rows of a request: what may be asked, checked value by value, with the features they are answered by.

A row either gives all the features of the model by name, or the columns they are looked up and computed by (then
`as_of` may be given, and is now when it is not). Columns that are neither are ignored, except those of the rollout's
`unit`. Nothing that is needed has a default: a value that is not known is null.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from mlops_assets.core.online import OnlineFeatures
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.declare import AtRequest, Kind, UseCase
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.columns import ColumnCheck
from mlops_assets.gateway.refusals import Refused, malformed, not_now
from mlops_assets.stores.feature_store import online_url
from mlops_assets.stores.online import open_online

MOST_ROWS = 10_000
MOST_LOOKED_UP = 1_000  # a row costs some 0.3 ms of look-ups
_NEVER = object()


@dataclass(frozen=True, kw_only=True)
class Table:
    """Named columns of plain JSON values, all of `rows` values."""

    columns: Mapping[str, Sequence[Any]]
    rows: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: features by name, and row by row as_of (us), unit (None: the row for itself), features as JSON."""

    rows: int
    columns: Mapping[str, Sequence[Any]]
    as_of_us: Sequence[int]
    units: Sequence[str | None]
    features: Sequence[str]


def table_of_records(records: Sequence[Mapping[str, Any]], where: str) -> Table:
    """A table of rows that name their columns: a column of any row is a column of all."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {}
    for name in names:
        try:
            columns[name] = [record[name] for record in records]
        except KeyError:
            row = next(row for row, record in enumerate(records) if name not in record)
            raise malformed(f"{where}[{row}]", sorted(records[row])[:5], f"lacks {name!r}, which another row has",
                            "give every row the same columns, null where there is no value") from None  # fmt: skip
    return Table(columns=columns, rows=len(records))


def table_of_rows(names: Sequence[str], rows: Sequence[Sequence[Any]], where: str) -> Table:
    """A table of rows without names, which come in the order of `names`."""
    for row, values in enumerate(rows):
        if len(values) != len(names):
            raise malformed(f"{where}[{row}]", f"{len(values)} values", f"must have {len(names)}, one for each column",
                            f"the columns are {', '.join(names)[:200]}")  # fmt: skip
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise malformed(where, twice, "names a column twice", "name each once")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    return Table(columns=columns, rows=len(rows))


def table_of_columns(columns: Mapping[str, Sequence[Any]], where: str) -> Table:
    """A table of named columns."""
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise malformed(where, sorted(lengths), "must be columns of one length", "give each row a value, or null")
    return Table(columns=columns, rows=lengths.pop())


class Asking:
    """How rows of one use case are asked about. `clock_us` is what as_of is when a row does not say."""

    def __init__(self, use_case: UseCase, online: str, clock_us: Callable[[], int]) -> None:
        self._use_case, self._online, self._clock_us = use_case, online, clock_us
        self.features = [feature.name for feature in use_case.model_features]
        asked = use_case.request_table
        read = [n for f in use_case.features for n in (f.reads if isinstance(f, AtRequest) else f.key)]
        self.columns = {name: asked.kinds[name] for name in dict.fromkeys(read)}
        self.kinds = asked.kinds | {f.name: use_case.kind_of(f) for f in use_case.features}
        self._check = ColumnCheck(self.features, self.kinds)
        self.as_of = use_case.requests.as_of
        self._unit = use_case.rollout.unit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="look-ups")
        self._looked_up: OnlineFeatures | None = None
        self._waiting = 0

    async def question(self, table: Table) -> Question:
        """The question of a table of rows; raises Refused for whatever cannot be asked."""
        if not 1 <= table.rows <= MOST_ROWS:
            remedy = "split it" if table.rows else "send a row"
            raise Refused(413 if table.rows else 400, "rows", f"{table.rows} rows, must be 1 to {MOST_ROWS}: {remedy}.")
        columns = table.columns
        if all(name in columns for name in self.features):
            kept = {name: columns[name] for name in self.features}
            self._check.check(kept)
            return self._asked(table, kept, self._moments(table))
        needed = [name for name in self.columns if name not in columns and name != self.as_of]
        if needed:
            lacking = [name for name in self.features if name not in columns]
            raise malformed("columns", sorted(columns)[:20], f"give neither the features ({', '.join(lacking)[:300]} "
                            f"lacking) nor what they are looked up by ({', '.join(needed)[:300]} lacking)",
                            "give all of one, null where there is no value")  # fmt: skip
        if table.rows > MOST_LOOKED_UP:
            raise Refused(413, "rows", f"{table.rows} rows to look up, must be at most {MOST_LOOKED_UP}: split it.")
        given = {name: self._typed(name, kind, columns[name]) for name, kind in self.columns.items() if name in columns}
        moments = self._moments(table)
        if self._waiting + table.rows > 2 * MOST_LOOKED_UP:
            raise not_now("busy", f"{self._waiting} rows wait to be looked up: send it again.")
        self._waiting += table.rows
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._look_up, given, moments)
        except DataError as refused:
            raise Refused(400, "features", str(refused)) from refused
        finally:
            self._waiting -= table.rows
        return self._asked(table, found, moments)

    def close(self) -> None:
        """Let go of the online store."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _asked(self, table: Table, columns: Mapping[str, Sequence[Any]], moments: Sequence[int]) -> Question:
        lines = msgspec.json.Encoder().encode_lines(list(map(_row_of(tuple(columns)), *columns.values())))
        told = lines.decode().split("\n")[:-1]  # JSON holds no line end
        return Question(
            rows=table.rows, columns=columns, as_of_us=moments, units=self._units(table), features=told
        )  # fmt: skip

    def _units(self, table: Table) -> Sequence[str | None]:
        """What keeps rows with one arm; None where a part of it is not there."""
        if not self._unit or any(name not in table.columns for name in self._unit):
            return [None] * table.rows
        parts = zip(*(table.columns[name] for name in self._unit), strict=True)
        return [None if None in part else msgspec.json.encode(part).decode() for part in parts]

    def _moments(self, table: Table) -> Sequence[int]:
        given = table.columns.get(self.as_of)
        if given is None:
            return [self._clock_us()] * table.rows
        instants = self._typed(self.as_of, Kind.INSTANT, given)
        return [self._clock_us() if one is None else instant_us(one) for one in instants]

    def _typed(self, name: str, kind: Kind, values: Sequence[Any]) -> list[Any]:
        made = []
        for row, value in enumerate(values):
            typed = None if value is None else _typed(value, kind)
            if typed is _NEVER:
                raise malformed(f"{name}[{row}]", value, f"must be {_WORDS[kind]}, or null", "correct it")
            made.append(typed)
        return made

    def _look_up(self, given: Mapping[str, Sequence[Any]], moments: Sequence[int]) -> dict[str, list[Any]]:
        features = self._features()
        found: dict[str, list[Any]] = {feature.name: [] for feature in self._use_case.features}
        for row, as_of_us in enumerate(moments):
            request = {name: values[row] for name, values in given.items()}
            for name, value in features.vector(request, moment(as_of_us)).values.items():
                found[name].append(value)
        return found

    def _features(self) -> OnlineFeatures:
        if self._looked_up is None:
            url = online_url(self._online, self._use_case)
            try:
                if "://" not in url and not Path(url).exists():
                    raise DataError("nothing is online yet: materialize online_features")
                self._looked_up = OnlineFeatures(self._use_case, open_online(url))
            except (DataError, OSError) as absent:
                raise not_now("online_store", f"features cannot be looked up: {absent}", retry_after=10) from absent
        return self._looked_up


@cache
def _row_of(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """A record of these fields, which is made and written several times as fast as a dictionary."""
    return msgspec.defstruct("Features", names)


_WORDS = {
    Kind.STRING: "a text without NUL",
    Kind.BOOL: "true or false",
    Kind.INT: "a whole number of 64 bits",
    Kind.CLOCK: "a whole number of 64 bits",
    Kind.FLOAT: "a number",
    Kind.INSTANT: "an instant with its zone (2013-01-28T10:05:00Z) between the years 1700 and 2200",
}


def _typed(value: Any, kind: Kind) -> Any:
    """The value as its kind has it in Python; `_NEVER` when it is of another kind."""
    if kind is Kind.INSTANT:
        return _instant(value)
    if kind in (Kind.INT, Kind.CLOCK):
        if type(value) is float and value.is_integer():  # pandas writes 3.0 where another row has no value
            value = int(value)
        return value if type(value) is int and -(2**63) <= value < 2**63 else _NEVER
    if kind is Kind.FLOAT:
        try:
            return float(value) if type(value) in (int, float) else _NEVER
        except OverflowError:
            return _NEVER
    if kind is Kind.STRING:
        return value if type(value) is str and "\0" not in value else _NEVER
    return value if type(value) is bool else _NEVER


def _instant(value: Any) -> Any:
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None or not 1700 <= found.year <= 2200:
            return _NEVER
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return _NEVER
