"""Keys as bytes that sort like the keys themselves, so that any store which sorts bytes can be asked "the last before".

Whole numbers are big-endian with the sign bit turned, floats the same with negative ones inverted, texts are their
UTF-8 with an end mark, nulls come last. Method: the tuple layer of FoundationDB
(https://apple.github.io/foundationdb/data-modeling.html#tuples). The order is that of `features/keys.py`.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_assets.declare import DataError, Kind

_THERE, _NULL, _END = b"\x01", b"\x02", b"\x00"
_SIGN = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

EVER = -(2**63)  # the instant of a fact known ALWAYS: before every question


def instant_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware instant."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(us: int) -> datetime:
    """The instant of `instant_us`, in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def whole_number(value: int) -> bytes:
    """8 bytes that sort like the int64.

    >>> whole_number(-1) < whole_number(0) < whole_number(2**40)
    True
    """
    return struct.pack(">Q", value + _SIGN)


def _float(value: float) -> bytes:
    (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # -0.0 is 0.0
    return struct.pack(">Q", bits ^ (2**64 - 1) if bits & _SIGN else bits | _SIGN)


def _text(value: str) -> bytes:
    return value.encode() + _END  # validation refuses NUL, so the mark ends the text and sorts before any character


_OF: dict[Kind, tuple[type | tuple[type, ...], Callable[[Any], bytes]]] = {
    Kind.INT: (int, whole_number),
    Kind.CLOCK: (int, whole_number),
    Kind.BOOL: (bool, whole_number),
    Kind.FLOAT: ((int, float), _float),
    Kind.STRING: (str, _text),
    Kind.INSTANT: (datetime, lambda value: whole_number(instant_us(value))),
}


def ordered(values: Sequence[Any], kinds: Sequence[Kind]) -> bytes:
    """One key as bytes; `kinds` are those of its columns. Raises DataError for a value of another kind.

    >>> from mlops_assets.declare import Kind
    >>> ordered(("AA", 9), (Kind.STRING, Kind.INT)) < ordered(("AA", 10), (Kind.STRING, Kind.INT))
    True
    """
    parts = []
    for value, kind in zip(values, kinds, strict=True):
        if value is None:
            parts.append(_NULL)
            continue
        wanted, encode = _OF[kind]
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not Kind.BOOL):
            raise DataError(f"key value {value!r} is a {type(value).__name__}, must be a {kind.value}: correct it.")
        try:
            parts.append(_THERE + encode(value))
        # beyond int64, beyond float64, a naive instant, a lone surrogate
        except (struct.error, OverflowError, TypeError, UnicodeEncodeError) as error:
            raise DataError(
                f"key value {value!r} is no {kind.value} that can be kept ({error}): correct it."
            ) from error
    return b"".join(parts)
