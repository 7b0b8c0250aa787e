"""Keys as whole numbers, and rows in the order of their key.

A key may be several columns of any kind; an engine compares one int64. Numbers follow the order of the values (texts by
their bytes, nulls last), so they depend on content alone, never on who came first.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrivals import arrival_kinds
from mlops_assets.core.arrow_types import ARROW
from mlops_assets.declare import DataError, Kind, Table

Ints = npt.NDArray[np.int64]


def codes(columns: Sequence[pa.Array]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """One number per row, equal for equal rows and rising with the rows' order; and which rows hold no null.

    >>> numbers, whole = codes([pa.array(["b", "a", "b", None]), pa.array([1, 2, 0, 0])])
    >>> numbers.argsort().tolist(), whole.tolist()
    ([1, 2, 0, 3], [True, True, True, False])
    """
    rows = len(columns[0])
    number, size, whole = np.zeros(rows, dtype=np.int64), 1, np.ones(rows, dtype=bool)
    for column in columns:
        rank, distinct = _ranks(column)
        if size * distinct >= 2**63:
            values, number = np.unique(number, return_inverse=True)
            size = len(values)
        number, size = number * distinct + rank, size * distinct
        if column.null_count:
            whole &= column.is_valid().to_numpy(zero_copy_only=False)
    return number, whole


def _ranks(column: pa.Array) -> tuple[Ints, int]:
    encoded = column.dictionary_encode()
    values = len(encoded.dictionary)
    rank = np.empty(values + 1, dtype=np.int64)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(values)
    rank[values] = values  # nulls last
    return rank[pc.fill_null(encoded.indices, values).to_numpy(zero_copy_only=False)], values + 1


def in_key_order(where: str, table: Table, data: pa.Table, names: Sequence[str]) -> pa.Table:
    """Columns `names` of the rows, in the order of the table's key, each column in one piece.

    Raises DataError when a column is missing or not of its declared Arrow type, or when two rows have one key (the
    same week given twice would count every event twice).
    """
    kinds = table.kinds | arrival_kinds(table)
    for name in dict.fromkeys([*table.key, *names]):
        _check_column(where, data, name, kinds[name])
    data = data.select(list(dict.fromkeys([*table.key, *names]))).combine_chunks()
    if data.num_rows < 2:
        return data
    number, _ = codes([whole(data[name]) for name in table.key])
    if not bool((number[1:] > number[:-1]).all()):
        order = np.argsort(number, kind="stable")
        number, data = number[order], data.take(pa.array(order))
        twice = np.flatnonzero(number[1:] == number[:-1])
        if len(twice):
            key = {name: data[name][int(twice[0])].as_py() for name in table.key}
            raise DataError(
                f"{where} holds {len(twice)} rows too many of one key, the first {key}: each row may stand "
                "once. Give every week once, and only validated rows."
            )
    return data


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece (no copy when it is)."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _check_column(where: str, data: pa.Table, name: str, kind: Kind) -> None:
    if name not in data.column_names:
        raise DataError(
            f"{where} has no column {name!r} (it has {data.column_names}): give the validated table, whole."
        )
    if data.schema.field(name).type != ARROW[kind]:
        raise DataError(
            f"{where}[{name!r}] is {data.schema.field(name).type}, a {kind.value} must be {ARROW[kind]}: "
            "give the validated table, whose types are the declared ones."
        )
