"""Derived columns: instants from local clocks, sums of minutes, pure functions of a row.

Time arithmetic runs on int64 microseconds UTC; wall clocks go through the time zone database, both sides of a
change of the clocks included.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import Compute, DataError, Derived, Kind, NextClock, Plus, Table, Zone

MINUTE_US = 60_000_000
DAY_MIN = 1440


def derive(table: Table, rows: pa.Table, lookups: Mapping[str, pa.Table], reasons: Reasons) -> pa.Table:
    """`rows` with the declared derived columns appended, in declared order.

    `lookups` holds the validated tables that zones are read from. A place without a zone gives its row a reason.
    Raises DataError when a `Compute` function fails or returns another length or type.
    """
    for column in table.derived:
        rule = column.rule
        if isinstance(rule, Plus):
            values = _plus(rows, rule)
        elif isinstance(rule, NextClock):
            values = _next_clock(rows, rule, zones(rows, rule.zone, lookups[rule.zone.table], reasons))
        else:
            values = compute(f"{table.name}.derived[{column.name!r}]", rule, rows, column)
        rows = rows.append_column(column.name, values)
    return rows


def _plus(rows: pa.Table, rule: Plus) -> pa.Array:
    start = rows[rule.of].cast(pa.int64())
    minutes = rows[rule.minutes] if isinstance(rule.minutes, str) else pa.scalar(rule.minutes, pa.int64())
    shift = pc.multiply(pc.cast(minutes, pa.int64()), MINUTE_US)
    return pc.cast(pc.add(start, shift), ARROW[Kind.INSTANT])


def zones(rows: pa.Table, zone: Zone, table: pa.Table, reasons: Reasons) -> pd.Series:
    """The IANA zone of each row's place, null where neither the table nor `otherwise` knows it."""
    known = dict(zip(table[zone.key].to_pylist(), table[zone.column].to_pylist(), strict=True))
    names = {place: name for place, name in known.items() if name} | dict(zone.otherwise)
    places = rows[zone.place].to_pandas()
    found: pd.Series = places.map(names)
    homeless = (found.isna() & places.notna()).to_numpy()
    reasons.add(
        homeless,
        f"{zone.place} has no time zone: {zone.table}.{zone.column} lacks it and no Zone(otherwise=...) names it",
        rows[zone.place],
    )
    return found


def _next_clock(rows: pa.Table, rule: NextClock, zone: pd.Series) -> pa.Array:
    after = pd.Series(rows[rule.after].to_pandas())
    clock = pd.Series(rows[rule.clock].to_pandas(types_mapper=None)).astype("Float64")
    minutes = (clock // 100) * 60 + clock % 100
    out = pd.Series(pd.NaT, index=after.index, dtype="datetime64[us, UTC]")
    usable = after.notna() & minutes.notna() & zone.notna()
    for name in sorted(zone[usable].unique()):
        here = usable & (zone == name)
        out[here] = next_instant(after[here], minutes[here].astype("int64") % DAY_MIN, name)
    return pa.array(out, ARROW[Kind.INSTANT])


def next_instant(after: pd.Series, minute: pd.Series, zone: str) -> pd.Series:
    """The first instant >= `after` (UTC) at which the wall clock of `zone` shows `minute` (0..1439 of the day).

    A wall time the clocks skip is the moment they jump; one they repeat is the first repetition not yet past.

    >>> after = pd.Series(pd.to_datetime(["2013-11-03T05:30Z"]))  # 01:30 in New York, before the clocks go back
    >>> str(next_instant(after, pd.Series([60]), "America/New_York")[0])  # 01:00 comes a second time
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
