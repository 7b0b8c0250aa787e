"""Instants this package can hold everywhere: whole microseconds UTC, the years 1678 to 2261.

Pandas counts nanoseconds in 64 bits, which reach from September 1677 to April 2262; anything outside is no moment a
delivery means. Arithmetic runs on int64 and is checked before it happens, so nothing ever wraps round.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.declare import Kind

OUTSIDE = "lies outside the years 1678 .. 2261"
MINUTE_US = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
BEGIN = (datetime(1678, 1, 1, tzinfo=UTC) - _EPOCH) // _US  # the first microsecond held
END = (datetime(2262, 1, 1, tzinfo=UTC) - _EPOCH) // _US  # the first one beyond
MOST_MINUTES = (END - BEGIN) // MINUTE_US  # more than these lead outside from anywhere inside
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def outside(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """True for every instant, of any unit, before 1678 or after 2261. Null is not outside.

    >>> outside(pa.array([2**62, 0, None], pa.timestamp("us", "UTC"))).tolist()
    [True, False, False]
    """
    each = PER_SECOND[values.type.unit]
    ticks = pc.fill_null(pc.cast(values, pa.int64()), 0).to_numpy(zero_copy_only=False)
    low, high = BEGIN // 1_000_000 * each, END // 1_000_000 * each
    beyond: npt.NDArray[np.bool_] = (ticks < low) | (ticks >= high)
    return beyond


def without(values: pa.Array | pa.ChunkedArray, where: npt.NDArray[np.bool_]) -> pa.Array | pa.ChunkedArray:
    """`values` with null where the mask is true."""
    return pc.if_else(pa.array(where), pa.scalar(None, values.type), values)


def from_wall_clock(walls: pa.Array, zone: str) -> tuple[pa.Array, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Times without a zone, all inside, as instants; and which of them the clocks of `zone` skip, which they repeat.

    Such a time is no instant or two, so it is null.

    >>> walls = pa.array(["2016-03-27T01:30", "2016-07-01T12:00", "2016-10-30T01:30"]).cast(pa.timestamp("us"))
    >>> moments, skipped, repeated = from_wall_clock(walls, "Europe/London")
    >>> str(moments[1]), moments.null_count, skipped.tolist(), repeated.tolist()
    ('2016-07-01 11:00:00+00:00', 2, [True, False, False], [False, False, True])
    """
    told = pd.Series(walls.cast(pa.timestamp("us")).to_pandas())
    here, first = ZoneInfo(zone), np.ones(len(told), dtype=bool)
    skipped = told.notna() & told.dt.tz_localize(here, ambiguous=first, nonexistent="NaT").isna()
    moments = told.mask(skipped).dt.tz_localize(here, ambiguous="NaT")
    repeated = told.notna() & ~skipped & moments.isna()
    return pa.array(moments.dt.tz_convert("UTC"), ARROW[Kind.INSTANT]), skipped.to_numpy(), repeated.to_numpy()


def plus_minutes(start: pa.ChunkedArray, minutes: pa.ChunkedArray | int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """`start` (all inside) plus `minutes`, and where that leads outside: those are null, as where either is null.

    >>> noon = pa.chunked_array([pa.array([0, 0], pa.timestamp("us", "UTC"))])
    >>> moved, beyond = plus_minutes(noon, pa.chunked_array([[5, 2**56]]))  # 2**56 minutes would wrap to 0
    >>> str(moved[0]), moved[1].is_valid, beyond.tolist()
    ('1970-01-01 00:05:00+00:00', False, [False, True])
    """
    if isinstance(minutes, int):
        within = max(-MOST_MINUTES - 1, min(minutes, MOST_MINUTES + 1))
        minutes = pa.chunked_array([pa.array([within] * len(start), pa.int64())])
    absent = np.asarray(pc.or_(pc.is_null(start), pc.is_null(minutes)))
    ticks = pc.fill_null(start.cast(pa.int64()), 0).to_numpy()
    shift = pc.fill_null(minutes, 0).to_numpy()
    far = (shift > MOST_MINUTES) | (shift < -MOST_MINUTES)
    moved = ticks + np.where(far, 0, shift) * MINUTE_US
    beyond = ~absent & (far | (moved < BEGIN) | (moved >= END))
    return pa.array(moved, pa.int64(), mask=absent | beyond).cast(ARROW[Kind.INSTANT]), beyond


def shown(value: pa.TimestampScalar) -> str:
    """An instant of any unit in ISO form, without a zone where it has none; its count since 1970 beyond any calendar.

    >>> shown(pa.scalar(0, pa.timestamp("s", "UTC"))), shown(pa.scalar(2**62, pa.timestamp("us", "UTC")))
    ('1970-01-01T00:00:00+00:00', '4611686018427387904 us after 1970')
    """
    try:
        moment = _EPOCH + timedelta(microseconds=value.value * 1_000_000 // PER_SECOND[value.type.unit])
        return moment.replace(tzinfo=UTC if value.type.tz else None).isoformat()
    except OverflowError:
        return f"{value.value} {value.type.unit} after 1970"
