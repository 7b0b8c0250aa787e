"""The one encoder: feature values in, an array of float64 out, the same in training and in serving.

Here belong the order of the features, the code of each category, and what a missing value becomes. It knows no model:
what is learned here from training rows is only which categories exist. One value takes one path, whether it comes in a
frame of 100 000 rows or in a request of one.

| kind | becomes |
|---|---|
| STRING | the position of the category, sorted, from 0; unseen or rare: NaN |
| BOOL | 0.0 or 1.0 |
| INT, FLOAT, CLOCK | itself |
| null of any kind, NaN | NaN |
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.feature_columns import column_values, one_value
from mlops_assets.core.versions import canonical_json, record_version
from mlops_assets.declare.checking import freeze
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.use_case import UseCase

Array = npt.NDArray[np.float64]

# scikit-learn's histogram trees bin a category by its code into one byte, with one bin kept for "missing".
MOST_CATEGORIES = 255
_FORMAT = "mlops_assets/encoder/1"


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """How rows of features become rows of float64. Immutable; equal encoders have equal bytes.

    `features` in the order of the columns of the array, `kinds` beside them, `categories` for each STRING feature,
    sorted. Raises DataError when the three do not fit together (a damaged file).

    >>> kinds, categories = (Kind.STRING, Kind.BOOL), {"origin": ("EWR", "JFK")}
    >>> encoder = Encoder(features=("origin", "late"), kinds=kinds, categories=categories)
    >>> encoder.encode_row({"origin": "JFK", "late": None})
    array([ 1., nan])
    >>> encoder.encode(pd.DataFrame({"late": [True], "origin": ["LGA"]}))
    array([[nan,  1.]])
    """

    features: tuple[str, ...]
    kinds: tuple[Kind, ...]
    categories: Mapping[str, tuple[str, ...]]
    _codes: tuple[Mapping[str, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {name: tuple(self.categories[name]) for name in self.features if name in self.categories}
        texts = [name for name, kind in zip(self.features, self.kinds, strict=False) if kind is Kind.STRING]
        if len(self.kinds) != len(self.features) or len(set(self.features)) != len(self.features):
            raise DataError(f"encoder has {len(self.kinds)} kinds for features {self.features}, must pair one by one.")
        if sorted(named) != sorted(texts) or len(named) != len(self.categories):
            raise DataError(f"encoder names categories of {sorted(self.categories)}, must be of {sorted(texts)}.")
        for name, values in named.items():
            if list(values) != sorted(set(values)) or len(values) > MOST_CATEGORIES:
                raise DataError(f"encoder categories of {name!r} must be sorted, unique, at most {MOST_CATEGORIES}.")
        codes = tuple({c: float(n) for n, c in enumerate(named.get(name, ()))} for name in self.features)
        freeze(self, features=tuple(self.features), kinds=tuple(self.kinds), categories=MappingProxyType(named))
        freeze(self, _codes=codes)

    @property
    def category_positions(self) -> tuple[int, ...]:
        """Columns of the array that hold codes of categories, ascending."""
        return tuple(n for n, kind in enumerate(self.kinds) if kind is Kind.STRING)

    @property
    def version(self) -> str:
        """64 hexadecimal characters: the version of what `to_json` writes."""
        return record_version(json.loads(self.to_json()))

    def encode(self, frame: pd.DataFrame) -> Array:
        """The rows of the frame as float64 `[rows, features]`, C order; further columns are ignored.

        Raises DataError for a missing column, a value of another kind, an infinite value (feature and row named).
        """
        array = np.empty((len(frame), len(self.features)), dtype=np.float64)
        for place, (name, kind) in enumerate(zip(self.features, self.kinds, strict=True)):
            if name not in frame.columns:
                raise _lacking(name, "frame")
            array[:, place] = column_values(name, kind, frame[name], self.categories.get(name, ()))
        self._refuse_infinite(array)
        return array

    def encode_row(self, row: Mapping[str, Any]) -> Array:
        """One row as float64 `[features]`: the same values as `encode` of a frame that holds it.

        A feature without a value is given as None; a feature that is not given at all is refused (DataError).
        """
        array = np.empty(len(self.features), dtype=np.float64)
        for place, (name, kind, codes) in enumerate(zip(self.features, self.kinds, self._codes, strict=True)):
            if name not in row:
                raise _lacking(name, "row")
            array[place] = one_value(name, kind, row[name], codes)
        self._refuse_infinite(array[np.newaxis])
        return array

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Array:
        """Several rows as float64 `[rows, features]` (a micro-batch of requests)."""
        array = np.empty((len(rows), len(self.features)), dtype=np.float64)
        for place, row in enumerate(rows):
            array[place] = self.encode_row(row)
        return array

    def to_json(self) -> bytes:
        """The encoder as canonical JSON: equal encoders give equal bytes."""
        features = [
            {"name": name, "kind": kind.value, "categories": list(self.categories[name])}
            if name in self.categories
            else {"name": name, "kind": kind.value}
            for name, kind in zip(self.features, self.kinds, strict=True)
        ]
        return canonical_json({"format": _FORMAT, "features": features})

    @classmethod
    def from_json(cls, data: bytes) -> "Encoder":
        """The encoder that `to_json` wrote. Raises DataError for anything else."""
        try:
            record = json.loads(data)
            if record["format"] != _FORMAT:
                raise DataError(f"encoder has format {record['format']!r}, must be {_FORMAT!r}: use its code version.")
            features = record["features"]
            return cls(
                features=tuple(f["name"] for f in features),
                kinds=tuple(Kind(f["kind"]) for f in features),
                categories={f["name"]: tuple(f["categories"]) for f in features if "categories" in f},
            )
        except (KeyError, TypeError, ValueError) as broken:
            if isinstance(broken, DataError):
                raise
            raise DataError(f"bytes are no encoder ({broken!r}): take them from the model version again.") from broken

    def _refuse_infinite(self, array: Array) -> None:
        if np.isinf(array).any():
            row, place = (int(n) for n in np.argwhere(np.isinf(array))[0])
            raise DataError(
                f"feature {self.features[place]!r} of row {row} == {array[row, place]}, must be finite or null: "
                "correct the feature, an infinite value is no measurement."
            )


def fit(use_case: UseCase, frame: pd.DataFrame) -> Encoder:
    """The encoder of the model's features, its categories learned from the training rows `frame`.

    A STRING feature keeps its 255 most frequent values (fewer when the estimator declares a smaller `max_bins`); among
    equally frequent ones the first by name. The order of the rows changes nothing.
    """
    bins = use_case.model.estimator.params.get("max_bins")
    # what is no whole number the estimator refuses itself, by name
    most = min(MOST_CATEGORIES, bins) if isinstance(bins, int) else MOST_CATEGORIES
    names, kinds, categories = [], [], {}
    for feature in use_case.model_features:
        kind = use_case.kind_of(feature)
        if kind is Kind.INSTANT:
            raise DeclarationError(
                f"{use_case.name}.features[{feature.name!r}] is an instant, which no model takes: "
                "derive a number from it (minutes before the request) or exclude it from the model."
            )
        if feature.name not in frame.columns:
            raise _lacking(feature.name, "frame")
        names.append(feature.name)
        kinds.append(kind)
        if kind is Kind.STRING:
            # the column is checked on the way: only texts are counted
            column_values(feature.name, kind, frame[feature.name], ())
            counts = Counter(frame[feature.name].dropna().astype(object))
            kept = sorted(counts, key=lambda value: (-counts[value], value))[:most]
            categories[feature.name] = tuple(sorted(kept))
    return Encoder(features=tuple(names), kinds=tuple(kinds), categories=categories)


def _lacking(name: str, where: str) -> DataError:
    return DataError(f"{where} has no feature {name!r}, which the model was trained on: give it, None when unknown.")
