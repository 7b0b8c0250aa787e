"""One column in its one normal form: the same values always lie in the same bytes.

Here belongs everything that makes two Arrow columns of equal meaning equal in memory: types, chunks, offsets, the
garbage under nulls, NaN payloads, signed zeros. It knows nothing of rows of a table, of hashes, of files.

| met | becomes |
|---|---|
| dictionary, run-end encoded | its values |
| string, large_string, string_view | string (large_string from 2 GiB of text) |
| binary, large_binary, binary_view, fixed_size_binary | binary (large_binary from 2 GiB) |
| timestamp of any unit | us when exact, else ns; any zone becomes UTC; without a zone stays without |
| duration, time32, time64 | us when exact, else ns |
| date32, date64 | date32 |
| decimal32, 64, 128, 256 | decimal128 up to 38 digits, else decimal256; precision and scale are kept |
| integers, floats, bool, null | themselves |
| list, struct, map, union, interval, extension | refused |
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.declare.errors import DataError

_INT32_MAX = 2**31 - 1
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
_FLOAT_BITS = {  # type -> (float, its bits, the one NaN, the bits of -0.0)
    pa.float16(): (np.float16, np.uint16, 0x7E00, 0x8000),
    pa.float32(): (np.float32, np.uint32, 0x7FC00000, 0x80000000),
    pa.float64(): (np.float64, np.uint64, 0x7FF8000000000000, 0x8000000000000000),
}


def normalised(name: str, column: pa.ChunkedArray) -> pa.Array:
    """The column as one array of a normal type: offset 0, zeros under nulls, one NaN, no -0.0.

    Buffers that already are normal are shared, not copied. Raises `DataError` naming column and type for a type that
    has no normal form, and for a value that its normal type cannot hold (a year 300 000 in microseconds).
    """
    try:
        array = _joined(_plain(name, column))
    except pa.ArrowInvalid as refused:
        raise DataError(
            f"column {name!r} of type {column.type} holds a value that has no normal form ({refused}): correct it."
        ) from refused
    return clean(array)


def clean(array: pa.Array) -> pa.Array:
    """The same values with offset 0, zeros under nulls, one NaN and no -0.0: what `normalised` promises of buffers."""
    if len(array) == 0 or pa.types.is_null(array.type):
        return pa.nulls(len(array), array.type)
    if pa.types.is_boolean(array.type):
        return _clean_bool(array)
    if is_text(array.type):
        return _clean_text(array)
    return _clean_fixed(array)


def is_text(kind: pa.DataType) -> bool:
    """True for the normal types that are offsets and bytes."""
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def validity(array: pa.Array) -> npt.NDArray[np.uint8] | None:
    """The validity bitmap from bit 0 with zeros after the last row; None when no value is null, or all by type."""
    if array.null_count == 0 or pa.types.is_null(array.type):
        return None
    bitmap = np.frombuffer(array.buffers()[0], dtype=np.uint8)
    return _bits(bitmap, array.offset, len(array))


def null_slots(array: pa.Array) -> npt.NDArray[np.intp]:
    """The row numbers of the nulls, ascending."""
    bitmap = validity(array)
    if bitmap is None:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(np.unpackbits(bitmap, count=len(array), bitorder="little") == 0)


def text_offsets(array: pa.Array) -> npt.NDArray[Any]:
    """Where each text begins and the last one ends, shape `(rows + 1,)`; zero-copy."""
    wide = array.type in (pa.large_string(), pa.large_binary())
    every = np.frombuffer(array.buffers()[1], dtype=np.int64 if wide else np.int32)
    return every[array.offset : array.offset + len(array) + 1]


def _plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column cast to its normal type, still chunked."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(name, pa.chunked_array([c.dictionary_decode() for c in column.chunks], type=kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return _plain(name, pa.chunked_array([pc.run_end_decode(c) for c in column.chunks], type=kind.value_type))
    if any(is_kind(kind) for is_kind in (*_TEXT, *_BYTES)):
        return _plain_text(column)
    if pa.types.is_decimal(kind):
        wide = pa.decimal128 if kind.precision <= 38 else pa.decimal256
        return column.cast(wide(kind.precision, kind.scale))
    if pa.types.is_date(kind):
        return column.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        zone = "UTC" if kind.tz is not None else None
        return _finest(column, pa.timestamp("us", zone), pa.timestamp("ns", zone))
    if pa.types.is_duration(kind):
        return _finest(column, pa.duration("us"), pa.duration("ns"))
    if pa.types.is_time(kind):
        return _finest(column, pa.time64("us"), pa.time64("ns"))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column
    raise DataError(
        f"column {name!r} is of type {kind}, which has no data version: "
        "only flat columns (numbers, texts, bytes, times, decimals) have one; spread it over several columns."
    )


def _finest(column: pa.ChunkedArray, us: pa.DataType, ns: pa.DataType) -> pa.ChunkedArray:
    if column.type.unit != "ns":
        return column.cast(us)
    try:
        return column.cast(us)  # a safe cast refuses to lose a nanosecond
    except pa.ArrowInvalid:
        return column.cast(ns)


def _plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = any(is_kind(column.type) for is_kind in _TEXT)
    narrow, wide = (pa.string(), pa.large_string()) if text else (pa.binary(), pa.large_binary())
    if column.type not in (narrow, wide):
        column = column.cast(wide)
    total = sum(_text_length(chunk) for chunk in column.chunks)
    return column.cast(narrow if total <= _INT32_MAX else wide)


def _text_length(chunk: pa.Array) -> int:
    if len(chunk) == 0:
        return 0
    offsets = text_offsets(chunk)
    return int(offsets[-1]) - int(offsets[0])


def _joined(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _bits(bitmap: npt.NDArray[np.uint8], offset: int, length: int) -> npt.NDArray[np.uint8]:
    """`length` bits from bit `offset` on, moved to bit 0, with zeros after the last."""
    start, shift = divmod(offset, 8)
    part = bitmap[start : start + (shift + length + 7) // 8]
    if shift == 0 and length % 8 == 0:
        return part
    return np.packbits(np.unpackbits(part, bitorder="little")[shift : shift + length], bitorder="little")


def _clean_bool(array: pa.Array) -> pa.Array:
    values = _bits(np.frombuffer(array.buffers()[1], dtype=np.uint8), array.offset, len(array))
    valid = validity(array)
    if valid is not None:
        values = values & valid
    return _array(array.type, len(array), valid, values)


def _clean_text(array: pa.Array) -> pa.Array:
    valid, nulls = validity(array), null_slots(array)
    offsets = text_offsets(array)
    if len(nulls) and bool((offsets[nulls + 1] != offsets[nulls]).any()):
        array = pc.fill_null(array, "" if array.type in (pa.string(), pa.large_string()) else b"")
        offsets = text_offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    data = array.buffers()[2]
    text = np.empty(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)[first:last]
    return _array(array.type, len(array), valid, offsets if first == 0 else offsets - offsets.dtype.type(first), text)


def _clean_fixed(array: pa.Array) -> pa.Array:
    width = array.type.bit_width // 8
    row = np.dtype((np.void, width)) if width > 8 else np.dtype(f"u{width}")
    values = np.frombuffer(array.buffers()[1], dtype=row)[array.offset : array.offset + len(array)]
    nulls = null_slots(array)
    if len(nulls) and _any_set(values[nulls]):
        values = values.copy()
        values[nulls] = np.zeros(1, dtype=row)[0]
    if array.type in _FLOAT_BITS:
        values = _clean_float(array.type, values)
    return _array(array.type, len(array), validity(array), values)


def _any_set(values: npt.NDArray[Any]) -> bool:
    return bool(np.frombuffer(values.tobytes(), dtype=np.uint8).any())


def _clean_float(kind: pa.DataType, bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    real, whole, nan, minus_zero = _FLOAT_BITS[kind]
    signed = bits.view(np.dtype(whole).str.replace("u", "i"))
    if signed.min() == np.iinfo(signed.dtype).min:  # as a signed number -0.0 is the least of all
        bits = bits.copy()
        bits[bits == whole(minus_zero)] = whole(0)
    if np.isnan(bits.view(real).max()):  # max() answers NaN when there is one, without a mask of every row
        nans = np.flatnonzero(np.isnan(bits.view(real)))
        if bool((bits[nans] != whole(nan)).any()):
            bits = bits.copy()
            bits[nans] = whole(nan)
    return bits


def _array(kind: pa.DataType, length: int, valid: npt.NDArray[np.uint8] | None, *buffers: npt.NDArray[Any]) -> pa.Array:
    bitmap = None if valid is None else pa.py_buffer(valid)
    nulls = 0 if valid is None else -1
    return pa.Array.from_buffers(kind, length, [bitmap, *(pa.py_buffer(b) for b in buffers)], null_count=nulls)
