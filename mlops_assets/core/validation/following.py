"""The value of a later row: one sorted search over all rows of a week.

Rows that were refused are no longer among them. The order in which the rows came changes nothing.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.features.keys import codes, whole
from mlops_assets.declare import Following

_US = timedelta(microseconds=1)


def following(rows: pa.Table, rule: Following, key: Sequence[str]) -> pa.Array:
    """`rule.column` of the row that follows each row, null where none does: shape (rows,), the column's own type.

    `key` is the table's, unique among `rows`: of several rows at the first instant in reach the least key is taken.

    >>> at = pa.array([0, 30, 60, 60], pa.timestamp("s", "UTC"))
    >>> rows = pa.table({"who": ["a", "a", "a", "b"], "at": at.cast(pa.timestamp("us", "UTC")), "n": [1, 2, 3, 4]})
    >>> soon = Following(column="n", by=("who",), at="at", after=timedelta(seconds=20), within=timedelta(seconds=20))
    >>> following(rows, soon, key=("who", "at")).to_pylist()
    [2, 3, None, None]
    """
    who, there = codes([whole(rows[name]) for name in rule.by])
    at = whole(rows[rule.at])
    there &= at.is_valid().to_numpy(zero_copy_only=False)
    ticks = pc.fill_null(at.cast(pa.int64()), 0).to_numpy()
    asked = ticks + rule.after // _US
    place, _ = codes([whole(rows[name]) for name in key])
    candidates = np.flatnonzero(there)
    order = candidates[np.lexsort((place[candidates], ticks[candidates], who[candidates]))]
    # group and instant as one whole number, so that one search answers all rows
    group = np.unique(who, return_inverse=True)[1].astype(np.int64)
    moments = np.unique(np.concatenate([ticks, asked]))
    line = group[order] * len(moments) + np.searchsorted(moments, ticks[order])
    first = np.searchsorted(line, group * len(moments) + np.searchsorted(moments, asked))
    inside = there & (first < len(order))
    found = np.append(order, 0)[np.where(inside, first, len(order))]
    hit = inside & (group[found] == group) & (ticks[found] < asked + rule.within // _US)
    return whole(rows[rule.column]).take(pa.array(found, mask=~hit))
