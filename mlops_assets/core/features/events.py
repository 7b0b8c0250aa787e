"""Tables become asks and events: the whole numbers the as-of lookup works on.

Here belongs everything that knows both a series and rows. Only events that can matter go on: those of a key someone
asks for, known after the oldest instant asked and not after the newest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlops_assets.core.arrivals import arrival_column
from mlops_assets.core.features.exact import check_total, fixed_point
from mlops_assets.core.features.keys import codes, whole
from mlops_assets.core.features.plan import Need, Series
from mlops_assets.declare import ALWAYS

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_EVER = np.iinfo(np.int64).min  # the instant of a fact known ALWAYS: before every question


@dataclass(frozen=True, kw_only=True)
class Question:
    """All asks and events of a plan in one lookup. Ask (series i, offset j, request r) has the number

    `(start[series i] + j) * requests + r`, below `size`. A request with a null in its key asks nothing (`asked` False).
    """

    asks: pa.Table
    events: pa.Table
    size: int
    start: Mapping[Series, int]
    asked: Mapping[Series, Bools]
    known_us: Mapping[Series, Ints]


def instants_us(column: pa.ChunkedArray | pa.Array) -> tuple[Ints, Bools]:
    """Instants as microseconds since 1970 UTC, and which are there (0 where not)."""
    array = whole(column) if isinstance(column, pa.ChunkedArray) else column
    there = array.is_valid().to_numpy(zero_copy_only=False)
    return array.cast(pa.int64()).fill_null(0).to_numpy(), there


def question(
    name: str, needs: Mapping[Series, Need], requests: pa.Table, as_of_us: Ints, history: Mapping[str, pa.Table]
) -> Question:
    """The one question of a plan. `requests` and `history` are in key order; an event's row is its place there.

    Raises DataError when the numbers of a series do not add up within int64.
    """
    rows, base, lookups = len(as_of_us), 0, 0
    asks: list[tuple[Ints, Ints, Ints]] = []
    events: list[tuple[Ints, Ints, Ints, Ints]] = []
    start, asked, known_us = {}, {}, {}
    paired: dict[tuple[object, ...], tuple[Ints, Bools, Ints, Bools]] = {}
    for series, need in needs.items():
        table = history[series.table]
        pair = (series.table, series.key, series.table_key)
        if pair not in paired:
            paired[pair] = _paired(requests, series.key, table, series.table_key)
        mine, has_key, theirs, keyed = paired[pair]
        known, there = events_of(table, series)
        wanted = keyed & np.isin(theirs, mine[has_key], kind="table")
        seen = wanted & _matters(need, as_of_us, known, there)
        seq = np.flatnonzero(seen)
        value = np.zeros(len(seq), dtype=np.int64)
        if need.decimals is not None:
            where = f"{name}.{series.table}[{series.column!r}]"
            value = fixed_point(where, whole(table[series.column]).take(pa.array(seq)), need.decimals)
            check_total(where, theirs[seq], value)
        events.append((theirs[seq] + base, known[seq], seq, value))
        who = np.flatnonzero(has_key)
        for j, offset in enumerate(need.offsets_us):
            asks.append(((lookups + j) * rows + who, mine[who] + base, as_of_us[who] - offset))
        start[series], asked[series], known_us[series] = lookups, has_key, known
        lookups += len(need.offsets_us)
        base += len(table) + rows  # more than there are codes
    return Question(
        asks=_stacked(("q", "k", "t"), asks),
        events=_stacked(("k", "t", "seq", "v"), events),
        size=lookups * rows,
        start=start,
        asked=asked,
        known_us=known_us,
    )


def _paired(
    requests: pa.Table, key: tuple[str, ...], table: pa.Table, table_key: tuple[str, ...]
) -> tuple[Ints, Bools, Ints, Bools]:
    """Both sides' keys as small whole numbers, equal where the keys are; and which hold no null."""
    columns = [
        pa.concat_arrays([whole(requests[mine]), whole(table[theirs])])
        for mine, theirs in zip(key, table_key, strict=True)
    ]
    wide, valid = codes(columns)
    number = pa.array(wide).dictionary_encode().indices.to_numpy().astype(np.int64)
    rows = requests.num_rows
    return number[:rows], valid[:rows], number[rows:], valid[rows:]


def events_of(table: pa.Table, series: Series) -> tuple[Ints, Bools]:
    """When each row's value may be seen (us since 1970), and which rows are events: value and instant are there.

    A value that arrived after its instant (`arrivals.py`) may be seen from its arrival on.
    """
    known, there = _declared_us(table, series)
    late = arrival_column(series.at)
    if late in table.column_names:
        arrived, was_late = instants_us(table[late])
        known = np.where(was_late, np.maximum(known, arrived), known)
    return known, there & whole(table[series.column]).is_valid().to_numpy(zero_copy_only=False)


def _declared_us(table: pa.Table, series: Series) -> tuple[Ints, Bools]:
    if series.at == ALWAYS:
        return np.full(table.num_rows, _EVER, dtype=np.int64), np.ones(table.num_rows, dtype=bool)
    return instants_us(table[series.at])


def _matters(need: Need, as_of_us: Ints, known: Ints, there: Bools) -> Bools:
    matters = there
    if need.reach_us is not None and len(as_of_us):
        matters = matters & (known > as_of_us.min() - need.reach_us) & (known <= as_of_us.max())
    return np.asarray(matters)


def _stacked(names: tuple[str, ...], parts: Sequence[tuple[Ints, ...]]) -> pa.Table:
    if not parts:
        return pa.table({name: pa.array([], pa.int64()) for name in names})
    return pa.table([np.concatenate(column) for column in zip(*parts, strict=True)], names=list(names))
