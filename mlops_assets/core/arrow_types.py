"""The Arrow type each declared kind of value has, from validation on to the feature table, and how a column lands."""

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.tables import Column

ARROW: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        Kind.INT: pa.int64(),
        Kind.CLOCK: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.STRING: pa.string(),
        Kind.BOOL: pa.bool_(),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    }
)


def landed_type(column: Column) -> pa.DataType:
    """The type in which a landed file gives the column: its kind's, but a wall clock has no time zone of its own.

    >>> landed_type(Column(name="read", kind=Kind.INSTANT, known_at="read", zone="Europe/London"))
    TimestampType(timestamp[us])
    """
    return ARROW[column.kind] if column.zone is None else pa.timestamp("us")
