"""The Arrow type each declared kind of value has, from validation on to the feature table."""

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from mlops_assets.declare.kinds import Kind

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
