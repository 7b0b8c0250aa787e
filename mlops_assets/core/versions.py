"""Data versions: what a table, a record, a blob *is*, as 64 hexadecimal characters of blake3.

Here belongs the definition of the version and nothing else; it is pure (no clock, disk, network). A version is of the
logical content, so it survives another Parquet writer, another engine, another machine, another order of rows, and
changes with one value. Method: blake3, https://github.com/BLAKE3-team/BLAKE3-specs.

What is hashed for a table: a tag, the schema as JSON `[[name, type], ...]`, the number of rows, then one digest for
each column; a column's digest covers its validity bitmap (empty when nothing is null), its offsets (texts and bytes: 4
bytes each, 8 from 2 GiB on) and its values, rows in canonical order. Every piece stands behind its length (8 bytes,
little-endian like the values), so no two tables can be cut differently into the same stream.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from blake3 import blake3

from mlops_assets.core.columns import clean, is_text, normalised, text_offsets, validity
from mlops_assets.core.row_order import row_order
from mlops_assets.declare.errors import DataError

JSON: TypeAlias = Any  # None, bool, int, finite float, str, list or dict with text keys: `record_version` checks it

_TABLE_TAG = b"mlops_assets/table/1"
_RECORD_TAG = b"mlops_assets/record/1"


def table_version(table: pa.Table) -> str:
    """The data version of a table: 64 hexadecimal characters, the same for every table of equal content.

    Equal content is: the same column names in the same order, the same normal types (`columns.py`), the same rows as
    often, in any order. Nulls differ from NaN, -0.0 equals 0.0, instants compare as instants. Raises `DataError` for
    nested columns and for two columns of one name.

    >>> a = pa.table({"tail": ["N836UA", None], "delay_min": [64.0, -0.0]})
    >>> b = pa.table({"tail": pa.array([None, "N836UA"], pa.large_string()), "delay_min": [0.0, 64.0]})
    >>> table_version(a) == table_version(b)
    True
    >>> table_version(a)[:16]
    '4518d45a34db9acc'
    """
    return version_of_canonical(canonical(table))


def canonical(table: pa.Table) -> pa.Table:
    """The one representative of all tables of this version: normal types, one chunk, rows in canonical order.

    Rows are ordered by all columns from the left, nulls last, NaN after the numbers, texts by their UTF-8 bytes. Schema
    metadata is dropped, every field is nullable, and without columns there are no rows. Columns that need no change
    share their memory with `table`. Raises `DataError` like `table_version`.

    >>> canonical(pa.table({"x": [3, None, 1]})).to_pydict()
    {'x': [1, 3, None]}
    """
    names = table.column_names
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise DataError(f"table has more than one column named {doubled[0]!r}, must name each column once: rename one.")
    if not names:
        return pa.table({})  # Arrow and Parquet forget how many rows a table without columns had
    arrays = [normalised(name, column) for name, column in zip(names, table.columns, strict=True)]
    order = row_order(arrays, table.num_rows)
    if order is not None:
        rows = pa.array(order)
        arrays = [clean(array.take(rows)) for array in arrays]
    return pa.Table.from_arrays(arrays, schema=pa.schema([(n, a.type) for n, a in zip(names, arrays, strict=True)]))


def version_of_canonical(table: pa.Table) -> str:
    """`table_version` of what `canonical` returned, without looking at the order again; of no other table."""
    schema = json.dumps([[field.name, str(field.type).removeprefix("large_")] for field in table.schema])
    pieces: list[bytes] = [_TABLE_TAG, schema.encode(), table.num_rows.to_bytes(8, "little")]
    for column in table.columns:
        pieces.append(_framed(_buffers(column.chunk(0))) if column.num_chunks else _framed([]))
    return _framed(pieces).hex()


def record_version(value: JSON) -> str:
    """The version of a JSON value: 64 hexadecimal characters over its `canonical_json`.

    >>> record_version({"b": 1, "a": [1.5, None]}) == record_version({"a": [1.5, None], "b": 1})
    True
    """
    return _framed([_RECORD_TAG, canonical_json(value)]).hex()


def blob_version(data: bytes) -> str:
    """The version of bytes that have no better one: their plain blake3, as `b3sum` prints it.

    >>> blob_version(b"")[:16]
    'af1349b9f5f9a1a6'
    """
    return blake3(data).hexdigest()


def canonical_json(value: JSON) -> bytes:
    """The one spelling of a JSON value: keys sorted, no spaces, UTF-8, floats as Python's shortest `repr`.

    Raises `DataError` naming the place of what is not JSON: NaN and infinity, tuples, sets, dates, numpy numbers, keys
    that are not texts, lone surrogates. (1 and 1.0 and true are three values.)

    >>> canonical_json({"ü": [1, 1.0, True]}).decode()
    '{"ü":[1,1.0,true]}'
    """
    try:
        _check_json(value, "record")
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError as lone:
        raise DataError(f"record holds a text with half a character ({lone.reason}): correct the text.") from lone
    except RecursionError as deep:
        raise DataError("record is nested too deep or contains itself: flatten it.") from deep


def _check_json(value: JSON, where: str) -> None:
    kind = type(value)
    if value is None or kind in (bool, str):
        return
    if kind is int:
        if abs(value) >= 2**1024:
            raise DataError(f"{where} is an integer of {value.bit_length()} bits, must have at most 1024: shorten it.")
    elif kind is float:
        if not math.isfinite(value):
            raise DataError(f"{where} == {value}, must be finite: a record with a number that is none has no version.")
    elif kind is list:
        for place, item in enumerate(value):
            _check_json(item, f"{where}[{place}]")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise DataError(f"{where} has the key {key!r}, must be a text: write it as one.")
            _check_json(item, f"{where}[{key!r}]")
    else:
        raise DataError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}, "
            "must be None, bool, int, float, str, list or dict: convert it first."
        )


def _buffers(array: pa.Array) -> Iterator[Any]:
    """The bytes of a canonical column: validity, offsets (texts only), values."""
    valid = validity(array)
    yield b"" if valid is None else valid
    if pa.types.is_null(array.type) or len(array) == 0:
        return
    buffers = array.buffers()
    if is_text(array.type):
        offsets = text_offsets(array)
        yield offsets
        yield b"" if buffers[2] is None else memoryview(buffers[2])[: int(offsets[-1])]
    else:
        yield memoryview(buffers[1])[: (len(array) * array.type.bit_width + 7) // 8]


def _framed(pieces: Iterable[Any]) -> bytes:
    hasher = blake3()
    for piece in pieces:
        raw = piece.view(np.uint8).data if isinstance(piece, np.ndarray) else piece
        hasher.update(len(raw).to_bytes(8, "little"))
        hasher.update(raw)
    return hasher.digest()
