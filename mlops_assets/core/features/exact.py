"""Exact arithmetic: sums over whole numbers, one division at the end.

A float sum depends on its order, so engines, threads and the online store would disagree in the last digits. Numbers
are added as int64 (a FLOAT as round(x * 10^decimals)) and divided once, correctly rounded. Offline and online use the
same three functions. They know no tables.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.declare.errors import DataError

Ints = npt.NDArray[np.int64]
_LIMIT = 2**63 - 1
_EXACT = 2**53  # up to here a float64 holds every whole number


def fixed_point(where: str, values: pa.Array, decimals: int) -> Ints:
    """INT, BOOL or FLOAT values without nulls as whole numbers of 10^-decimals; shape (rows,).

    Raises DataError (opened with `where`) when a number is not finite or leaves int64.

    >>> fixed_point("rain", pa.array([0.29, 1.0]), 2).tolist()
    [29, 100]
    """
    if not pa.types.is_floating(values.type):
        return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    numbers: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    scaled: npt.NDArray[np.float64] = np.rint(numbers * 10.0**decimals)
    wrong = ~(np.abs(scaled) < 2.0**63)
    if wrong.any():
        raise DataError(
            f"{where} holds {float(numbers[wrong][0])!r}, which as a whole number of 10^-{decimals} leaves int64: "
            "correct the value, bound the column (ge, le) or declare fewer decimals."
        )
    return scaled.astype(np.int64)


def check_total(where: str, keys: Ints, values: Ints) -> None:
    """Raises DataError when the absolute values of one key add up to more than int64 holds.

    Then no running total of any engine, in any order, can overflow.
    """
    if len(values) == 0:
        return
    largest = max(abs(int(values.max())), abs(int(values.min())))
    if largest * len(values) <= _LIMIT:
        return
    low, high = values & 0xFFFFFFFF, values >> 32  # value == high * 2^32 + low, and both sums stay small
    low, high = np.where(values < 0, -low, low), np.where(values < 0, -high, high)
    parts = pa.table({"k": keys, "low": low, "high": high}).group_by("k").aggregate([("low", "sum"), ("high", "sum")])
    top = max((h << 32) + lo for h, lo in zip(parts["high_sum"].to_pylist(), parts["low_sum"].to_pylist(), strict=True))
    if top > _LIMIT:
        raise DataError(
            f"{where} adds up to {top} for one key, more than int64 holds ({_LIMIT}): exact sums need smaller numbers. "
            "Bound the column (ge, le), declare fewer decimals or look back over less."
        )


def ratio(above: Ints, below: Ints, decimals: int = 0) -> pa.Array:
    """above / (below * 10^decimals) as float64, correctly rounded; null where `below` is 0. Shape (rows,).

    >>> ratio(np.array([29, 5]), np.array([2, 0]), 2).to_pylist()
    [0.145, None]
    """
    scale = 10**decimals
    empty = below == 0
    safe = np.where(empty, 1, below)
    result = above.astype(np.float64) / (safe * float(scale))
    large = (np.abs(above) > _EXACT) | (safe > _EXACT // scale)
    for row in np.flatnonzero(large):
        result[row] = int(above[row]) / (int(safe[row]) * scale)  # Python divides whole numbers correctly rounded
    return pc.if_else(pa.array(empty), pa.scalar(None, pa.float64()), pa.array(result))
