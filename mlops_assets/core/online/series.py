"""The series an online store keeps for a use case, and the entries that rows of its tables are.

Derived from the declaration, like the offline plan: features that read one column by one key share a series. The name
of a series says all that its entries depend on, so another declaration never reads the old one's totals.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mlops_assets.core.features.events import events_of
from mlops_assets.core.features.exact import fixed_point
from mlops_assets.core.features.keys import whole
from mlops_assets.core.features.plan import Need, Series, plan
from mlops_assets.core.online.ordered import ordered
from mlops_assets.core.online.totals import Change, Entry
from mlops_assets.declare import ALWAYS, Last, Table, UseCase

SERIES = "series"  # note: what `online_since` gives


@dataclass(frozen=True, kw_only=True)
class OnlineSeries:
    """One column of one table under one key.

    `reach_us` None: facts, kept for ever. `shows`: a Last reads the values.
    """

    name: str
    series: Series
    reach_us: int | None
    decimals: int | None
    shows: bool


def online_series(use_case: UseCase) -> dict[Series, OnlineSeries]:
    """Each series of the plan and the one it is kept as; series that differ only in the asking column are one.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> sorted({kept.name for kept in online_series(FLIGHT_DELAYS).values()})[0]
    'flights(carrier).late known at outcome_utc added up for 168 h'
    """
    needs = plan(use_case)
    shown = {(f.table, f.table_key, f.column) for f in use_case.features if isinstance(f, Last)}
    alike: dict[tuple[str, tuple[str, ...], str], list[tuple[Series, Need]]] = {}
    for series, need in needs.items():
        alike.setdefault((series.table, series.table_key, series.column), []).append((series, need))
    found = {}
    for what, members in alike.items():
        decimals = max((need.decimals for _, need in members if need.decimals is not None), default=None)
        reaches = [need.reach_us for _, need in members if need.reach_us is not None]
        for series, _ in members:
            found[series] = OnlineSeries(
                name=_name(series, decimals, what in shown, max(reaches, default=None)),
                series=series,
                reach_us=max(reaches) if reaches else None,
                decimals=decimals,
                shows=what in shown,
            )
    return found


def _name(series: Series, decimals: int | None, shows: bool, reach_us: int | None) -> str:
    adds = "" if decimals is None else " added up" + (f" in 10^-{decimals}" if decimals else "")
    shown = " and shown" if shows and adds else ""
    at = "" if series.at == ALWAYS else f" known at {series.at}"
    back = "" if reach_us is None else f" for {reach_us / 3.6e9:g} h"  # what a longer window needs may be pruned
    return f"{series.table}({','.join(series.table_key)}).{series.column}{at}{adds}{shown}{back}"


def online_since(use_case: UseCase, note: str | None, week: str) -> str:
    """The note `SERIES` after a week was brought: series -> the earliest week that was."""
    known: dict[str, str] = json.loads(note or "{}")
    names = {kept.name for kept in online_series(use_case).values()}
    return json.dumps(known | {name: min(week, known.get(name, week)) for name in names}, sort_keys=True)


def incomplete(use_case: UseCase, note: str | None) -> dict[str, str]:
    """Series that are not online from the time axis' start on -> the first week they hold, "" for none.

    `note` is that of `SERIES`; where nothing was brought yet, nothing is incomplete.
    """
    if note is None:
        return {}
    held: dict[str, str] = json.loads(note)
    names = sorted({kept.name for kept in online_series(use_case).values()})
    return {name: held.get(name, "") for name in names if held.get(name) != use_case.partitions.start}


def reaches(use_case: UseCase) -> dict[str, int]:
    """How far back (us) any question looks into each series that has an age; what `OnlineStore.prune` asks for."""
    return {s.name: s.reach_us for s in online_series(use_case).values() if s.reach_us is not None}


def changes(
    use_case: UseCase, table: Table, rows: pa.Table, corrected: pa.Table | None = None
) -> dict[tuple[str, bytes], Change]:
    """(series, key) -> what the validated rows of one table bring, and what those they correct take away.

    `corrected` are rows applied before that `rows` replace. All of `rows` is brought, also what stands in both: what is
    there stays, what was lost comes back. Raises DataError when a number does not fit int64.
    """
    came = dict(_entries(use_case, table, rows))
    went = dict(_entries(use_case, table, corrected)) if corrected is not None else {}
    found = {}
    for where in sorted(came.keys() | went.keys()):
        new = came.get(where, [])
        gone = set(went.get(where, ())) - set(new)
        found[where] = Change(added=tuple(sorted(new, key=_place)), removed=tuple(sorted(map(_place, gone))))
    return found


def _place(entry: Entry) -> tuple[int, bytes]:
    return entry.t, entry.row


def _entries(use_case: UseCase, table: Table, rows: pa.Table) -> Iterator[tuple[tuple[str, bytes], list[Entry]]]:
    row_keys = encoded(rows, table.key, table)
    by_key: dict[tuple[str, ...], list[bytes]] = {}
    for kept in {s.name: s for s in online_series(use_case).values()}.values():
        series = kept.series
        if series.table != table.name:
            continue
        if series.table_key not in by_key:
            by_key[series.table_key] = encoded(rows, series.table_key, table)
        keys = by_key[series.table_key]
        known, there = events_of(rows, series)
        for name in series.table_key:
            there = there & whole(rows[name]).is_valid().to_numpy(zero_copy_only=False)
        at = np.flatnonzero(there)
        values = whole(rows[series.column]).take(pa.array(at))
        where = f"{use_case.name}.{series.table}[{series.column!r}]"
        adds = fixed_point(where, values, kept.decimals).tolist() if kept.decimals is not None else [0] * len(at)
        shown = values.to_pylist() if kept.shows else [None] * len(at)
        found: dict[bytes, list[Entry]] = {}
        for row, t, v, value in zip(at.tolist(), known[at].tolist(), adds, shown, strict=True):
            found.setdefault(keys[row], []).append(Entry(t, row_keys[row], v, value))
        for key, entries in found.items():
            yield (kept.name, key), entries


def encoded(rows: pa.Table, names: Sequence[str], table: Table) -> list[bytes]:
    """The key of every row as ordered bytes."""
    kinds = [table.kinds[name] for name in names]
    made: dict[tuple[object, ...], bytes] = {}
    keys = []
    for values in zip(*(whole(rows[name]).to_pylist() for name in names), strict=True):
        if values not in made:
            made[values] = ordered(values, kinds)
        keys.append(made[values])
    return keys
