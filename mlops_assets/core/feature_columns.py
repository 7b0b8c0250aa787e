"""Values of one feature as float64: a whole column at once, or one value of one request.

Here belongs what is accepted as a text, a truth value or a number, and what counts as missing; both paths follow the
same rules. It knows no order of features and no model (`encoding.py` does).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.declare.errors import DataError
from mlops_assets.declare.kinds import Kind

_NAN = float("nan")
_WANTED = {Kind.STRING: "a text", Kind.BOOL: "true or false", Kind.INT: "a number", Kind.FLOAT: "a number"}
# what pandas calls the values of a column that are not null
_INFERRED = {
    Kind.STRING: {"string", "empty"},
    Kind.BOOL: {"boolean", "empty"},
    Kind.INT: {"integer", "floating", "mixed-integer-float", "empty"},
}


def column_values(
    name: str, kind: Kind, column: "pd.Series[Any]", categories: Sequence[str]
) -> npt.NDArray[np.float64]:
    """The column as float64 `[rows]`, nulls as NaN; raises DataError naming the feature and the first wrong row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    truths = pd.api.types.is_bool_dtype(column.dtype) and column.dtype != object
    numbers = pd.api.types.is_numeric_dtype(column.dtype) and not truths
    if (truths and kind is Kind.BOOL) or (numbers and kind not in (Kind.STRING, Kind.BOOL)):
        return column.to_numpy(dtype=np.float64, na_value=_NAN)
    if pd.api.types.infer_dtype(column, skipna=True) not in _INFERRED.get(kind, _INFERRED[Kind.INT]):
        return _one_by_one(name, kind, column, categories)
    missing = column.isna().to_numpy(dtype=bool)
    if missing.all():
        return np.full(len(column), _NAN)
    if kind is Kind.STRING:
        codes = pd.Index(list(categories), dtype=object).get_indexer(pd.Index(column.astype(object)))
        return np.where((codes < 0) | missing, _NAN, codes.astype(np.float64))
    values = np.full(len(column), _NAN)
    try:
        values[~missing] = column[~missing].astype(object).to_numpy().astype(np.float64)
    except OverflowError:
        return _one_by_one(name, kind, column, categories)
    return values


def one_value(name: str, kind: Kind, value: Any, codes: Mapping[str, float], row: int = 0) -> float:
    """One value as a float, NaN when it is null, or a text without a code; raises DataError for another kind."""
    if value is None or value is pd.NA or value is pd.NaT:
        return _NAN
    if kind is Kind.STRING:
        if isinstance(value, str):
            return codes.get(value, _NAN)
    elif kind is Kind.BOOL:
        if isinstance(value, bool | np.bool_):
            return 1.0 if value else 0.0
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return float("inf")  # refused by the encoder, which names it
    if isinstance(value, float | np.floating) and value != value:  # NaN is how pandas spells null in any column
        return _NAN
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:70]}..."
    raise DataError(
        f"feature {name!r} of row {row} == {shown} ({type(value).__name__}), "
        f"must be {_WANTED.get(kind, 'a number')} or null: the feature is declared {kind.name}."
    )


def _one_by_one(name: str, kind: Kind, column: "pd.Series[Any]", categories: Sequence[str]) -> npt.NDArray[np.float64]:
    """The slow path of odd columns: it finds the first wrong value, and takes the odd ones that are right."""
    codes = {category: float(code) for code, category in enumerate(categories)}
    rows = enumerate(column.astype(object))
    return np.array([one_value(name, kind, value, codes, row) for row, value in rows], dtype=np.float64)
