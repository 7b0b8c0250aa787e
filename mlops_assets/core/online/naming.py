"""Events in words: the bytes of a row's key read back, so that a person can find the row in its file."""

import struct
from collections.abc import Callable, Mapping

from mlops_assets.core.online.ordered import EVER, moment
from mlops_assets.declare import Kind, Table

_SIGN = 1 << 63
_NULL = 2  # the mark in front of a null, see ordered.py


def event(table: Table, row: bytes, t: int) -> str:
    """The event of the row with this key known at `t` us.

    >>> from mlops_assets.core.online.ordered import ordered
    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> event(FLIGHT_DELAYS.table("planes"), ordered(("N10156",), (Kind.STRING,)), EVER)
    "the event of planes {'tailnum': 'N10156'} known always"
    """
    known = "always" if t == EVER else f"at {moment(t).isoformat()}"
    return f"the event of {table.name} {dict(key_of(table, row))} known {known}"


def key_of(table: Table, row: bytes) -> Mapping[str, object]:
    """The key columns of a row and their values, from `ordered` bytes."""
    values: dict[str, object] = {}
    for name in table.key:
        if row[0] == _NULL:
            values[name], row = None, row[1:]
        else:
            values[name], row = _OF[table.kinds[name]](row[1:])
    return values


def _whole_number(left: bytes) -> tuple[int, bytes]:
    return int.from_bytes(left[:8], "big") - _SIGN, left[8:]


def _truth(left: bytes) -> tuple[bool, bytes]:
    number, left = _whole_number(left)
    return bool(number), left


def _float(left: bytes) -> tuple[float, bytes]:
    turned = int.from_bytes(left[:8], "big")
    bits = turned - _SIGN if turned & _SIGN else turned ^ (2**64 - 1)
    return struct.unpack(">d", struct.pack(">Q", bits))[0], left[8:]


def _text(left: bytes) -> tuple[str, bytes]:
    text, _, left = left.partition(b"\x00")
    return text.decode(), left


def _instant(left: bytes) -> tuple[str, bytes]:
    number, left = _whole_number(left)
    return moment(number).isoformat(), left


_OF: dict[Kind, Callable[[bytes], tuple[object, bytes]]] = {
    Kind.INT: _whole_number,
    Kind.CLOCK: _whole_number,
    Kind.BOOL: _truth,
    Kind.FLOAT: _float,
    Kind.STRING: _text,
    Kind.INSTANT: _instant,
}
