"""Features of a request as columns: checked against their kinds, and encoded as the model was trained.

One value takes the path of `core/encoding.py`; a column whose values are all of the expected types takes a faster one
to the same array.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare import Kind
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.refusals import malformed

Columns = Mapping[str, Sequence[Any]]

_NAN = float("nan")
_NONE = type(None)
_TYPES = {Kind.STRING: {str, _NONE}, Kind.BOOL: {bool, _NONE}}
_NUMBERS = {int, float, _NONE}
_WANTED = {Kind.STRING: "a text", Kind.BOOL: "true or false"}
_MOST = int(sys.float_info.max)


class ColumnCheck:
    """Are values what the declared kinds say? `features` names the columns in their order."""

    def __init__(self, features: Sequence[str], kinds: Mapping[str, Kind]) -> None:
        self._due = [(name, kinds[name], _TYPES.get(kinds[name], _NUMBERS)) for name in features]

    def check(self, columns: Columns) -> None:
        """Raises Refused for the first value that is of another kind, or a number beyond a double."""
        for name, kind, allowed in self._due:
            values = columns[name]
            met = set(map(type, values))
            if met <= allowed and (int not in met or _are_doubles(values)):
                continue
            row, value = next((n, v) for n, v in enumerate(values) if type(v) not in allowed or not _are_doubles([v]))
            rule = f"must be {_WANTED.get(kind, 'a finite number')} or null"
            raise malformed(f"{name}[{row}]", value, rule, "correct it: a feature that is not known is null")


def _are_doubles(values: Sequence[Any]) -> bool:
    """True when no number is beyond a double; a text or a truth value is none."""
    numbers = [value for value in values if type(value) is int or type(value) is float]
    return not numbers or (min(numbers) >= -_MOST and max(numbers) <= _MOST)


class ColumnEncoder:
    """An encoder for columns of plain values: `encode(columns, n)` equals `Encoder.encode_rows` of the same rows."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.version = encoder, encoder.version
        self._due = [
            (name, _TYPES.get(kind, _NUMBERS), _codes(encoder, name) if kind is Kind.STRING else None)
            for name, kind in zip(encoder.features, encoder.kinds, strict=True)
        ]

    def encode(self, columns: Columns, rows: int) -> npt.NDArray[np.float64]:
        """The rows as float64 `[rows, features]`, C order. Raises DataError like `Encoder.encode_row`."""
        values: list[Sequence[Any]] = []
        for name, allowed, codes in self._due:
            column = columns.get(name)
            if column is None or not set(map(type, column)) <= allowed:
                return self._one_by_one(columns, rows)
            values.append(column if codes is None else [codes.get(value, _NAN) for value in column])
        try:
            array = np.array(values, dtype=np.float64).T.copy()  # None becomes NaN, True 1.0
        except OverflowError:
            return self._one_by_one(columns, rows)
        return array if not np.isinf(array).any() else self._one_by_one(columns, rows)

    def _one_by_one(self, columns: Columns, rows: int) -> npt.NDArray[np.float64]:
        """The same value by value: it names the first that is wrong."""
        array = np.empty((rows, len(self.encoder.features)), dtype=np.float64)
        for row in range(rows):
            try:
                array[row] = self.encoder.encode_row({name: values[row] for name, values in columns.items()})
            except DataError as wrong:
                raise DataError(f"row {row}: {wrong}") from wrong
        return array


def _codes(encoder: Encoder, name: str) -> dict[str, float]:
    return {value: float(code) for code, value in enumerate(encoder.categories[name])}
