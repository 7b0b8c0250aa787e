"""Runs the as-of lookup on an in-memory DuckDB: int64 arrays in, int64 arrays out.

Here belongs what is true of this engine alone. It knows nothing of features and keeps nothing between two calls.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.features.asof import Form, native, sql
from mlops_assets.declare.errors import IllegalTransition

Ints = npt.NDArray[np.int64]
NOTHING = -1  # the row number where nothing was known yet

# Nothing on disk and nothing from the network: no spilling, no extensions fetched.
_PURE = {"temp_directory": "", "autoinstall_known_extensions": False, "autoload_known_extensions": False}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Per ask, by its number: events so far, their sum, the last row (`NOTHING`: none). Each of shape (size,).

    A number that nobody asked reads like one of which nothing was known: 0, 0, `NOTHING`.
    """

    n: Ints
    s: Ints
    seq: Ints


def look_up(asks: pa.Table, events: pa.Table, *, size: int, form: Form = native, threads: int | None = None) -> Answers:
    """Answer every ask from the events (columns as in `asof.py`); the asks' `q` are different numbers 0 .. size - 1.

    `threads` None leaves DuckDB its default, one per core. The answer does not depend on it, nor on the order of the
    rows. The caller sees to it that no running sum leaves int64 (`exact.check_total`).

    >>> asks = pa.table({"q": [0, 1], "k": [7, 7], "t": [10, 9]})
    >>> events = pa.table({"k": [7, 7, 7], "t": [5, 10, 10], "seq": [0, 1, 2], "v": [4, 5, 6]})
    >>> answers = look_up(asks, events, size=2)
    >>> answers.n.tolist(), answers.s.tolist(), answers.seq.tolist()
    ([3, 1], [15, 4], [2, 0])
    """
    import duckdb  # only where features are built, not where they are served

    config = dict(_PURE) if threads is None else {**_PURE, "threads": threads}
    with duckdb.connect(":memory:", config=config) as engine:
        engine.register("asks", asks)
        engine.register("events", events)
        found = engine.sql(sql(form)).to_arrow_table()
    if found.num_rows != asks.num_rows:
        raise IllegalTransition(
            f"the as-of lookup {form.__name__!r} answered {found.num_rows} of {asks.num_rows} asks: a lookup "
            "keeps every row and doubles none. Report it with the versions of ibis and duckdb."
        )
    q = found["q"].to_numpy()
    return Answers(
        n=_placed(found["n"], q, size, 0),
        s=_placed(found["s"], q, size, 0),
        seq=_placed(found["seq"], q, size, NOTHING),
    )


def _placed(column: pa.ChunkedArray, q: Ints, size: int, missing: int) -> Ints:
    """The column in the order of q. DuckDB adds int64 into 128 bits: the cast back refuses what does not fit."""
    values = pc.fill_null(column.cast(pa.int64()), missing).to_numpy()
    placed = np.full(size, missing, dtype=np.int64)
    placed[q] = values
    return placed
