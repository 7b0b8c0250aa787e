"""The canonical order of rows: by every column from the left, nulls last, NaN after the numbers, texts by their bytes.

Here belongs the comparing and sorting of normal columns (`columns.py`). It knows no hashes and no tables: it answers
with row numbers. Most tables arrive sorted, so the question "already sorted?" comes first and looks at each further
column only where all columns before it tie; a sort, too, reads only as many columns as the ties ask for.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.columns import is_text, null_slots

_WORD = 64


def row_order(columns: Sequence[pa.Array], rows: int) -> npt.NDArray[np.int64] | None:
    """Row numbers that bring the columns into canonical order, shape `(rows,)`; None when they are in it already.

    Rows that tie in every column are equal, so any order of them is the same table.
    """
    if rows < 2 or not columns or _is_sorted(columns, rows):
        return None
    return _sorted_rows(columns, rows)


def _is_sorted(columns: Sequence[pa.Array], rows: int) -> bool:
    tied: npt.NDArray[np.intp] | None = None  # the rows that equal the next one so far; None is all of them
    for column in columns:
        for key in _keys(column):
            if isinstance(key, np.ndarray):
                first, second = (key[:-1], key[1:]) if tied is None else (key[tied], key[tied + 1])
                if bool((first > second).any()):
                    return False
                same = first == second
            else:
                first, second = (key[:-1], key[1:]) if tied is None else (key.take(tied), key.take(tied + 1))
                if pc.any(pc.greater(first, second)).as_py():
                    return False
                same = pc.equal(first, second).to_numpy(zero_copy_only=False)
            if tied is not None:
                tied = tied[same]
            elif not bool(same.all()):
                tied = np.flatnonzero(same)
            if tied is not None and len(tied) == 0:
                return True
    return True


def _keys(column: pa.Array) -> Iterator[Any]:
    """What to compare, most significant first: is it null, then the value (zero or empty under a null)."""
    rows = len(column)
    nulls = null_slots(column)
    if len(nulls):
        flags = np.zeros(rows, dtype=np.uint8)
        flags[nulls] = 1
        yield flags
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
    order = np.arange(rows, dtype=np.int64)
    places = order.copy()  # where in `order` the rows that still tie stand, ascending
    word, used = np.zeros(rows, dtype=np.uint64), 0  # the number of the tied group, then the keys packed behind it
    for column in columns:
        for key in _keys(column):
            code, bits = _code(key, order, places)
            if used + bits > _WORD:
                places, word, used = _flush(order, places, word)
                if len(places) == 0:
                    return order
                code, bits = _code(key, order, places)
                if used + bits > _WORD:
                    code, bits = _ranks(code)
            word, used = (word << np.uint64(bits)) | code if bits < _WORD else code, used + bits
    _flush(order, places, word)
    return order


def _code(key: Any, order: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint64], int]:
    """The key of the rows in question as numbers from 0 in the same order, and how many bits they take."""
    rows = order[places]
    if not isinstance(key, np.ndarray):
        return _text_ranks(key.take(rows))
    part = key[rows]
    if part.dtype.kind == "f":
        part = _float_code(part)
    low = part.min()
    # wrapping subtraction is exact in 64 bits: the difference of two int64 always fits a uint64
    code = part.astype(np.int64 if part.dtype.kind == "i" else np.uint64).view(np.uint64) - np.array(
        low, dtype=np.int64 if part.dtype.kind == "i" else np.uint64
    ).view(np.uint64)
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
    order: npt.NDArray[np.int64], places: npt.NDArray[np.int64], word: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], int]:
    """Sort `order` at `places` by `word`; return the places that still tie, their groups, the groups' bits."""
    by = np.argsort(word)
    order[places] = order[places[by]]
    word = word[by]
    new = np.empty(len(word), dtype=bool)
    new[0] = True
    np.not_equal(word[1:], word[:-1], out=new[1:])
    last = np.append(new[1:], True)
    tied = ~(new & last)
    groups = np.cumsum(new[tied], dtype=np.uint64)
    if len(groups) == 0:
        return places[tied], groups, 0
    return places[tied], groups - np.uint64(1), int(groups[-1] - np.uint64(1)).bit_length()
