"""The canonical order of rows: by every column from the left, nulls last, NaN after the numbers, texts by their bytes.

Here belongs the comparing and sorting of normal columns (`columns.py`). It knows no hashes and no tables: it answers
with row numbers. Most tables arrive sorted, so the question "already sorted?" comes first and looks at each further
column only where all columns before it tie; a sort, too, reads only as many columns as the ties ask for.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.columns import is_text, validity

_WORD = 64
_SPARSE = 16  # below one tied row in so many, picking them out is faster than comparing all (measured)


def row_order(columns: Sequence[pa.Array], rows: int) -> npt.NDArray[np.int64] | None:
    """Row numbers that bring the columns into canonical order, shape `(rows,)`; None when they are in it already.

    Rows that tie in every column are equal, so any order of them is the same table.
    """
    if rows < 2 or not columns or _is_sorted(columns, rows):
        return None
    return _sorted_rows(columns, rows)


def _is_sorted(columns: Sequence[pa.Array], rows: int) -> bool:
    """Does no row stand above the next one? Looks at a further key only for neighbours that tie in all before it."""
    tied: npt.NDArray[np.bool_] | npt.NDArray[np.intp] = np.ones(rows - 1, dtype=bool)  # a mask, later row numbers
    room = np.empty(rows - 1, dtype=bool)  # used for every key: fresh memory costs more than the comparing
    for key in chain.from_iterable(map(_keys, columns)):
        if tied.dtype == bool:
            if np.logical_and(_above(key[:-1], key[1:], room), tied, out=room).any():
                return False
            np.logical_and(tied, _same(key[:-1], key[1:], room), out=tied)
            if np.count_nonzero(tied) * _SPARSE < rows:
                tied = np.flatnonzero(tied)
        else:
            first, second = _taken(key, tied), _taken(key, tied + 1)
            if _above(first, second).any():
                return False
            tied = tied[_same(first, second)]
        if len(tied) == 0:
            return True
    return True


def _above(first: Any, second: Any, out: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    if isinstance(first, np.ndarray):
        return np.asarray(np.greater(first, second, out=out), dtype=bool)
    return np.asarray(pc.greater(first, second), dtype=bool)


def _same(first: Any, second: Any, out: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    if isinstance(first, np.ndarray):
        return np.asarray(np.equal(first, second, out=out), dtype=bool)
    return np.asarray(pc.equal(first, second), dtype=bool)


def _taken(key: Any, rows: npt.NDArray[Any]) -> Any:
    return key[rows] if isinstance(key, np.ndarray) else key.take(rows)


def _keys(column: pa.Array) -> Iterator[Any]:
    """What to compare, most significant first: is it null, then the value (zero or empty under a null)."""
    rows = len(column)
    valid = validity(column)
    if valid is not None:
        yield np.unpackbits(~valid, count=rows, bitorder="little")
    kind, buffers = column.type, column.buffers()
    if pa.types.is_null(kind):
        return
    if is_text(kind):
        yield pa.Array.from_buffers(kind, rows, [None, *buffers[1:]], null_count=0)
    elif pa.types.is_boolean(kind):
        yield np.unpackbits(np.frombuffer(buffers[1], dtype=np.uint8), count=rows, bitorder="little")
    elif pa.types.is_decimal(kind):
        words = np.frombuffer(buffers[1], dtype=np.uint64)[: rows * kind.bit_width // 64].reshape(rows, -1)
        yield words[:, -1].view(np.int64)  # the highest word carries the sign
        for word in range(words.shape[1] - 2, -1, -1):
            yield words[:, word]
    elif pa.types.is_floating(kind):
        yield _rising(np.frombuffer(buffers[1], dtype=f"f{kind.bit_width // 8}")[:rows])
    else:
        sign = "u" if pa.types.is_unsigned_integer(kind) else "i"
        yield np.frombuffer(buffers[1], dtype=f"{sign}{kind.bit_width // 8}")[:rows]


def _rising(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Floats as they are; with a NaN among them as unsigned numbers in the same order, NaN above infinity."""
    if not np.isnan(values.max()):
        return values
    return _float_code(values)


def _float_code(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    bits = values.view(f"u{values.itemsize}")
    top = bits.dtype.type(1 << (8 * values.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _sorted_rows(columns: Sequence[pa.Array], rows: int) -> npt.NDArray[np.int64]:
    """Sort by as many keys as fit one 64-bit word, then again only the rows that still tie, until none does."""
    order: npt.NDArray[np.int64] | None = None  # none yet: as they came, which saves picking out all of them
    places = np.arange(rows, dtype=np.int64)  # where in `order` the rows that still tie stand, ascending
    word, used = np.zeros(rows, dtype=np.uint64), 0  # the number of the tied group, then the keys packed behind it
    for column in columns:
        for key in _keys(column):
            code, bits = _code(key if order is None else _taken(key, order[places]))
            if used + bits > _WORD:
                order, places, word, used = _flush(order, places, word)
                if len(places) == 0:
                    return order
                code, bits = _code(_taken(key, order[places]))
                if used + bits > _WORD:
                    code, bits = _ranks(code)
            word, used = (word << np.uint64(bits)) | code if bits < _WORD else code, used + bits
    return _flush(order, places, word)[0]


def _code(key: Any) -> tuple[npt.NDArray[np.uint64], int]:
    """A key as numbers from 0 on in the same order, and how many bits they take."""
    if not isinstance(key, np.ndarray):
        return _text_ranks(key)
    if key.dtype.kind == "f":
        key = _float_code(key)
    wide = key.astype(np.int64 if key.dtype.kind == "i" else np.uint64, copy=False)
    code = wide.view(np.uint64) - wide.min().view(np.uint64)  # wraps, and so is exact for any two 64-bit numbers
    return code, int(code.max()).bit_length()


def _text_ranks(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], int]:
    encoded = texts.dictionary_encode()
    rank = np.empty(len(encoded.dictionary), dtype=np.uint64)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank), dtype=np.uint64)
    return rank[encoded.indices.to_numpy()], max(len(rank) - 1, 0).bit_length()


def _ranks(code: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], int]:
    distinct, ranks = np.unique(code, return_inverse=True)
    return ranks.astype(np.uint64), max(len(distinct) - 1, 0).bit_length()


def _flush(
    order: npt.NDArray[np.int64] | None, places: npt.NDArray[np.int64], word: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64], int]:
    """Sort `order` at `places` by `word`; return it, the places that still tie, their groups, the groups' bits."""
    by = np.argsort(word)
    if order is None:
        order = by.astype(np.int64, copy=False)
    else:
        order[places] = order[places[by]]
    word = word[by]
    new = np.ones(len(word) + 1, dtype=bool)  # does a group begin here? one more for the end
    np.not_equal(word[1:], word[:-1], out=new[1:-1])
    tied = ~(new[:-1] & new[1:])
    groups = np.cumsum(new[:-1][tied], dtype=np.uint64) - np.uint64(1)
    return order, places[tied], groups, int(groups[-1]).bit_length() if len(groups) else 0
