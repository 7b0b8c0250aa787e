"""A column as the measures see it: float64 with NaN for missing, or codes into a list of category names.

Here belongs reading a column of any array type. What is counted, and against what, is `bins.py`.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.declare.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Frame = pd.DataFrame | Mapping[str, npt.ArrayLike]

_HEAD = 1 << 14  # rows that tell whether a column of objects holds the same ones again and again
_NUMBERS = {"floating", "integer", "mixed-integer-float", "boolean", "decimal", "empty"}  # of pandas' infer_dtype


def column_of(frame: Frame, name: str) -> pd.Series:
    """The column `name`, never copied when it can be a view. Raises DataError when the frame lacks it."""
    if name not in frame:
        raise DataError(f"window: column {name!r} is missing, the profile watches it: fix the feed that fills it.")
    values = frame[name]
    return values if isinstance(values, pd.Series) else pd.Series(values, copy=False)


def numbers(name: str, column: pd.Series) -> Floats:
    """The column as float64, null as NaN; booleans are 0 and 1. Raises DataError for anything that is no number.

    >>> numbers("x", pd.Series([1, None, 2.5], dtype=object))
    array([1. , nan, 2.5])
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy(dtype=np.float64)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in _NUMBERS:
        raise DataError(
            f"column {name!r} holds {kind} values ({column.dtype}), it is watched as numeric: "
            "declare it a category or fix the feed."
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def categories(column: pd.Series) -> tuple[Ints, list[str]]:
    """One code per row (-1 = missing) and the names the codes stand for; whole floats read as integers.

    >>> codes, names = categories(pd.Series(["EWR", None, "JFK", "EWR"]))
    >>> codes.tolist(), names
    ([0, -1, 1, 0], ['EWR', 'JFK'])
    """
    found: Iterable[object]
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, found = column.cat.codes.to_numpy(), column.cat.categories
    elif column.dtype == object:
        codes, found = _factorized(column.to_numpy())
    else:
        codes, found = pd.factorize(column)
    return codes.astype(np.int64, copy=False), [_name(value) for value in found]


def _factorized(values: npt.NDArray[np.object_]) -> tuple[Ints, Iterable[object]]:
    """`pd.factorize` of objects, first by where they lie in memory: readers make each distinct text once."""
    addresses = np.frombuffer(np.ascontiguousarray(values), dtype=np.intp) if len(values) > _HEAD else None
    if addresses is None or len(pd.unique(addresses[:_HEAD])) > _HEAD // 2:
        return pd.factorize(values)
    by_object, objects = pd.factorize(addresses)
    row = np.empty(len(objects), dtype=np.intp)
    row[by_object] = np.arange(len(values))  # any row of the object
    codes, found = pd.factorize(values[row])
    return codes[by_object], found


def _name(value: object) -> str:
    """1, 1.0 and numpy's 1 are one category: a null in an integer column turns its integers to floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
