"""Derived columns: instants from local clocks, sums of minutes, pure functions of a row, values of a later row.

Time arithmetic runs on checked int64 microseconds UTC; wall clocks go through the time zone database, both sides of
a change of the clocks included. An instant out of reach is its row's reason, never an error and never wrapped.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.validation.following import following
from mlops_assets.core.validation.instants import OUTSIDE, outside, plus_minutes, without
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import Compute, DataError, Derived, Following, Kind, NextClock, Plus, Table, Zone
from mlops_assets.declare.checking import ZONES

DAY_MIN = 1440


def derive(table: Table, rows: pa.Table, lookups: Mapping[str, pa.Table], reasons: Reasons) -> pa.Table:
    """`rows` with the derived columns appended that a row alone gives, in declared order: all but `table.following`.

    `lookups` holds the validated tables that zones are read from. A place without a zone gives its row a reason.
    Clocks and functions are asked of rows without a reason alone: what a rule refused reaches no function.
    Raises DataError when a `Compute` function fails or returns another length or type.
    """
    for column in table.derived:
        rule = column.rule
        if column.name in table.following:
            continue
        if isinstance(rule, Plus):
            values = _plus(column.name, rows, rule, reasons)
        elif isinstance(rule, NextClock):
            zone = zones(rows, rule.zone, lookups[rule.zone.table], reasons)
            values = _inside(column, rows, _next_clock(rows, rule, zone, reasons), reasons)
        elif isinstance(rule, Compute):
            values = _computed(f"{table.name}.derived[{column.name!r}]", rule, rows, column, reasons)
            values = _inside(column, rows, values, reasons)
        rows = rows.append_column(column.name, values)
    return rows


def derive_following(table: Table, clean: pa.Table) -> pa.Table:
    """The rows that passed every rule, with all derived columns: those of `table.following` too, in declared order.

    No row is refused here: what a refused row told must not be what another row found. Raises DataError like `derive`.
    """
    for column in table.derived:
        rule = column.rule
        if isinstance(rule, Following):
            clean = clean.append_column(column.name, following(clean, rule, table.key))
        elif column.name in table.following and isinstance(rule, Compute):
            values = compute(f"{table.name}.derived[{column.name!r}]", rule, clean, column)
            clean = clean.append_column(column.name, values)
    return clean.select(list(table.kinds))


def _plus(name: str, rows: pa.Table, rule: Plus, reasons: Reasons) -> pa.Array:
    if isinstance(rule.minutes, int):
        values, beyond = plus_minutes(rows[rule.of], rule.minutes)
        reasons.add(beyond, f"{name} = {rule} {OUTSIDE}", rows[rule.of])
        return values
    values, beyond = plus_minutes(rows[rule.of], rows[rule.minutes].cast(pa.int64()))
    reasons.add(beyond, f"{name} = {rule} {OUTSIDE}", rows[rule.of], rows[rule.minutes])
    return values


def _inside(column: Derived, rows: pa.Table, values: pa.Array, reasons: Reasons) -> pa.Array:
    if column.kind is not Kind.INSTANT:
        return values
    beyond = outside(values)
    reasons.add(beyond, f"{column.name} {OUTSIDE}", values)
    return without(values, beyond)


def zones(rows: pa.Table, zone: Zone, table: pa.Table, reasons: Reasons) -> pd.Series:
    """The IANA zone of each row's place, null where neither the table nor `otherwise` knows it."""
    known = dict(zip(table[zone.key].to_pylist(), table[zone.column].to_pylist(), strict=True))
    names = {place: name for place, name in known.items() if name} | dict(zone.otherwise)
    strange = {place: name for place, name in names.items() if name not in ZONES}
    places = rows[zone.place].to_pandas()
    found: pd.Series = places.map({place: name for place, name in names.items() if name in ZONES})
    misplaced = places.isin(list(strange)).to_numpy()
    homeless = (found.isna() & places.notna()).to_numpy() & ~misplaced
    reasons.add(
        homeless,
        f"{zone.place} has no time zone: {zone.table}.{zone.column} lacks it and no Zone(otherwise=...) names it",
        rows[zone.place],
    )
    reasons.add(
        misplaced,
        f"{zone.place} has no time zone: what {zone.table}.{zone.column} says is no IANA zone, correct it or name one "
        "in Zone(otherwise=...)",
        rows[zone.place],
        places.map(strange),
    )
    return found


def _next_clock(rows: pa.Table, rule: NextClock, zone: pd.Series, reasons: Reasons) -> pa.Array:
    after = pd.Series(rows[rule.after].to_pandas())
    clock = pd.Series(rows[rule.clock].to_pandas(types_mapper=None)).astype("Float64")
    minutes = (clock // 100) * 60 + clock % 100
    out = pd.Series(pd.NaT, index=after.index, dtype="datetime64[us, UTC]")
    usable = after.notna() & minutes.notna() & zone.notna() & ~reasons.bad
    for name in sorted(zone[usable].unique()):
        here = usable & (zone == name)
        out[here] = next_instant(after[here], minutes[here].astype("int64") % DAY_MIN, ZoneInfo(name))
    return pa.array(out, ARROW[Kind.INSTANT])


def next_instant(after: pd.Series, minute: pd.Series, zone: ZoneInfo) -> pd.Series:
    """The first instant >= `after` (UTC) at which the wall clock of `zone` shows `minute` (0..1439 of the day).

    A wall time the clocks skip is the moment they jump; one they repeat is the first repetition not yet past.

    >>> after = pd.Series(pd.to_datetime(["2013-11-03T05:30Z"]))  # 01:30 in New York, before the clocks go back
    >>> str(next_instant(after, pd.Series([60]), ZoneInfo("America/New_York"))[0])  # 01:00 comes a second time
    '2013-11-03 06:00:00+00:00'
    """
    midnight = after.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    best = pd.Series(pd.NaT, index=after.index, dtype=after.dtype)
    for day in (0, 1):
        wall = midnight + pd.to_timedelta(minute + day * DAY_MIN, unit="min")
        for first in (True, False):
            told = np.full(len(wall), first)
            instant = wall.dt.tz_localize(zone, ambiguous=told, nonexistent="shift_forward").dt.tz_convert("UTC")
            better = (instant >= after) & (best.isna() | (instant < best))
            best = best.where(~better, instant.astype(best.dtype))
    return best


def _computed(where: str, rule: Compute, rows: pa.Table, column: Derived, reasons: Reasons) -> pa.Array:
    """The function's values of the rows without a reason, null for the others."""
    if not reasons.bad.any():
        return compute(where, rule, rows, column)
    good = ~reasons.bad
    values = compute(where, rule, rows.filter(pa.array(good)), column)
    return values.take(pa.array(np.cumsum(good) - 1, mask=~good))


def compute(where: str, rule: Compute, rows: pa.Table, column: Derived) -> pa.Array:
    """The declared function of whole columns, checked for length and type."""
    wanted = ARROW[column.kind]
    try:
        values = rule.fn(*(rows[name].combine_chunks() for name in rule.reads))
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        values = pc.cast(values, wanted)
    except Exception as error:
        raise DataError(
            f"{where}: {rule.fn.__name__}({', '.join(rule.reads)}) failed: {error}. It must take whole Arrow "
            f"columns and return one array that casts to {wanted}."
        ) from error
    if len(values) != rows.num_rows:
        raise DataError(f"{where}: {rule.fn.__name__} returned {len(values)} values for {rows.num_rows} rows.")
    return values
