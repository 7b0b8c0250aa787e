"""Arrow tables as pandas frames and back, without loss: nullable integers stay integers, null stays null.

Pandas' own conversion turns an integer column with one null into floats, and 2**53 + 1 into 2**53.
"""

import pandas as pd
import pyarrow as pa

_PANDAS = {
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype("pyarrow"),
    pa.large_string(): pd.StringDtype("pyarrow"),
}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Int64, boolean and string are pandas' nullable types; float64 keeps NaN for null; instants are datetime64[UTC].

    >>> to_frame(pa.table({"n": [2**53 + 1, None]})).n.tolist()
    [9007199254740993, <NA>]
    """
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS.get)
    return frame


def to_table(frame: pd.DataFrame) -> pa.Table:
    """The inverse of `to_frame` for its types: `to_table(to_frame(t))` has the data version of `t`.

    >>> to_table(to_frame(pa.table({"x": [1.5, None], "s": ["a", None]}))).to_pydict()
    {'x': [1.5, None], 's': ['a', None]}
    """
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
