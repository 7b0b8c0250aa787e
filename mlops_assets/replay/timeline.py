"""A week as it happened: events as they became known, outcomes as they matured, requests as they were asked.

Pure: validated tables in, moments in event order out. What a row tells when follows from the declaration alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa
from blake3 import blake3

from mlops_assets.core.arrivals import groups
from mlops_assets.core.validation.told import complete_groups
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare import ALWAYS, Column, Table, UseCase


@dataclass(frozen=True, slots=True)
class Told:
    """An event: what became known of one row of `table` at `at_us` (us since 1970), landed column -> JSON value."""

    at_us: int
    table: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matured:
    """The outcome of the request `id`, told at `at_us` and known since `known_us`."""

    at_us: int
    id: str
    label: bool | float
    known_us: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `row` maps the columns it sends to JSON values."""

    at_us: int
    id: str
    row: Mapping[str, Any]


Moment: TypeAlias = Told | Matured | Asked
_ORDER = {Told: 0, Matured: 1, Asked: 2}  # at one instant: what is known by then counts for who asks then


def in_order(moments: Iterable[Moment]) -> list[Moment]:
    """By instant; at one instant events, outcomes, requests; else as they came."""
    return sorted(moments, key=lambda moment: (moment.at_us, _ORDER[type(moment)]))


def week_by_week(weeks: Iterable[Sequence[Moment]]) -> Iterator[Moment]:
    """All moments of weeks, each in order, as one series in order: a late arrival waits for the next week's start.

    >>> first, second = [Told(1, "a", {}), Told(9, "b", {})], [Told(5, "c", {})]
    >>> [told.table for told in week_by_week([first, second])]
    ['a', 'c', 'b']
    """
    left: list[Moment] = []
    for week in weeks:
        first = week[0].at_us if week else 0
        yield from (moment for moment in left if moment.at_us < first)
        left = in_order([*(moment for moment in left if moment.at_us >= first), *week])
    yield from left


def asked(
    use_case: UseCase,
    requests: pa.Table,
    rows: pa.Table,
    columns: Sequence[str],
    *,
    seed: int,
    most: int | None = None,
    at_once: bool = False,
) -> Iterator[Asked | Matured]:
    """The requests of a week with their outcomes; `most` of them, drawn by the seed, when there are more.

    `requests` are the validated rows of the request table, `rows` what is sent of each, in the same order, `columns`
    of it. A request's id follows from the seed and its key, so that the same one asked again is known. `at_once`: an
    outcome is told right after its request, not when it became known.
    """
    table, label = use_case.request_table, use_case.label.column
    values = [sent(None, rows[name]) for name in columns]
    ids = request_ids(use_case, requests, seed)
    drawn = set(sorted(ids)[:most])
    known = requests[table.known_at[label]].cast(pa.int64()).to_pylist()
    at = requests[use_case.requests.as_of].cast(pa.int64()).to_pylist()
    for n, (id_, outcome) in enumerate(zip(ids, requests[label].to_pylist(), strict=True)):
        if id_ in drawn:
            yield Asked(at[n], id_, {name: value[n] for name, value in zip(columns, values, strict=True)})
            if outcome is not None and known[n] is not None:
                yield Matured(at[n] + 1 if at_once else known[n], id_, outcome, known[n])


def request_ids(use_case: UseCase, requests: pa.Table, seed: int) -> list[str]:
    """The id of each request, in their order; of `requests` the key's columns are read."""
    kinds = {column.name: column for column in use_case.request_table.columns}
    keys = zip(*(sent(kinds[name], requests[name]) for name in use_case.request_table.key), strict=True)
    return [request_id(use_case, seed, key) for key in keys]


def request_id(use_case: UseCase, seed: int, key: Iterable[Any]) -> str:
    """32 hexadecimal characters for the request with this key (JSON values)."""
    return blake3(canonical_json([use_case.name, seed, list(key)])).hexdigest()[:32]


def told(use_case: UseCase, tables: Mapping[str, pa.Table]) -> Iterator[Told]:
    """The events of validated tables. A row is told when its first values become known, with all that always is."""
    for table in use_case.tables:
        if not (table.snapshot or table.day is None or table.known_at[table.day] != ALWAYS):
            yield from _told_rows(table, tables[table.name])


def _told_rows(table: Table, rows: pa.Table) -> Iterator[Told]:
    instants = [name for name in groups(table) if name != ALWAYS]
    columns = {column.name: sent(column, rows[column.name]) for column in table.columns}
    known = [rows[name].cast(pa.int64()).to_pylist() for name in instants]
    met: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}  # rows become known in few orders
    for n, at in enumerate(zip(*known, strict=True)):
        when = dict(zip(instants, at, strict=True))
        order = tuple(sorted((name for name in instants if when[name] is not None), key=lambda name: when[name]))
        if order not in met:
            met[order] = list(_tellings(table, order))
        for group, names in met[order]:
            yield Told(when[group], table.name, {name: columns[name][n] for name in names})


def _tellings(table: Table, order: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(group, columns told when it becomes known) for a row whose groups become known in this order.

    A group waits until what says when it became known can be told with it. The groups that are not in `order` are never
    known, their columns are null: they are told with the first that needs them.
    """
    by_group = groups(table)
    never = [name for group, names in by_group.items() if group not in (ALWAYS, *order) for name in names]
    done: list[str] = []
    waiting = list(by_group.get(ALWAYS, ()))
    for group in order:
        waiting += by_group[group]
        for also in ([], never):
            fresh = list(dict.fromkeys([*waiting, *(name for name in also if name not in done)]))
            if {table.known_at[name] for name in waiting} <= complete_groups(table, frozenset([*done, *fresh])):
                yield group, tuple(dict.fromkeys([*table.key, *fresh]))
                done, waiting = [*done, *fresh], []
                break


def sent(column: Column | None, values: pa.ChunkedArray) -> list[Any]:
    """Values as JSON has them: instants as ISO text, those of a landed `column` with a zone as its clocks showed it."""
    if not pa.types.is_timestamp(values.type):
        return list(values.to_pylist())
    if column is None or column.zone is None:
        return [None if at is None else at.isoformat() for at in values.to_pylist()]
    zone = ZoneInfo(column.zone)
    found = values.to_pylist()
    return [None if at is None else at.astimezone(zone).replace(tzinfo=None).isoformat() for at in found]
