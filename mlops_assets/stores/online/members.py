"""Totals as members of a Redis sorted set whose scores are all 0, which Redis keeps in the order of their bytes.

A member is t, row, value, then a tail of fixed size. t has 8 bytes, and no row key is the beginning of another with the
same columns (`core/online/ordered.py`): so members sort by (t, row), and what comes after decides nothing.
"""

import struct

from mlops_assets.core.online.ordered import whole_number
from mlops_assets.core.online.totals import Place, Scalar, Total

_T = struct.Struct(">Q")
_TAIL = struct.Struct(">qqcI")  # n, s, what the value is, bytes of the row
_INT, _FLOAT = struct.Struct(">q"), struct.Struct(">d")
_SIGN = 1 << 63
_AFTER_ALL = b"\xff"  # no row key begins with it

START, END = b"-", b"+"  # the bounds before and after every member


def member(total: Total) -> bytes:
    """One total as bytes.

    >>> total_of(member(Total(10, b"row", 2, -5, True)))
    Total(t=10, row=b'row', n=2, s=-5, value=True)
    """
    t, row, n, s, value = total
    kind, kept = _packed(value)
    return whole_number(t) + row + kept + _TAIL.pack(n, s, kind, len(row))


def total_of(member: bytes) -> Total:
    """The total that `member` made the bytes of."""
    n, s, kind, size = _TAIL.unpack_from(member, len(member) - _TAIL.size)
    value = _unpacked(kind, member[8 + size : -_TAIL.size])
    return Total(_T.unpack_from(member)[0] - _SIGN, member[8 : 8 + size], n, s, value)


def until(t: int) -> bytes:
    """The bound after the last member known at `t`."""
    return b"(" + whole_number(t) + _AFTER_ALL


def after(t: int) -> bytes:
    """The bound before the first member known after `t`."""
    return b"[" + whole_number(t) + _AFTER_ALL


def at(place: Place) -> bytes:
    """The bound before the member at a place."""
    return b"[" + whole_number(place[0]) + place[1]


def before(place: Place) -> bytes:
    """The bound after the last member before a place."""
    return b"(" + whole_number(place[0]) + place[1]


def _packed(value: Scalar) -> tuple[bytes, bytes]:
    if value is None:
        return b"-", b""
    if isinstance(value, bool):
        return b"b", b"\x01" if value else b"\x00"
    if isinstance(value, int):
        return b"i", _INT.pack(value)
    if isinstance(value, float):
        return b"f", _FLOAT.pack(value)
    return b"s", value.encode()


def _unpacked(kind: bytes, kept: bytes) -> Scalar:
    if kind == b"-":
        return None
    if kind == b"i":
        return int(_INT.unpack(kept)[0])
    if kind == b"f":
        return float(_FLOAT.unpack(kept)[0])
    return kept == b"\x01" if kind == b"b" else kept.decode()
