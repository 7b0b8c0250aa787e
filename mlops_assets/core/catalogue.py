"""The feature catalogue of a week: what each feature is, and what its values were.

Here belongs what stands in the catalogue; how it is drawn is `plots/features.py`. It reads the declaration and feature
tables and knows no registry: which model versions use a feature is told by `used_by` from what others recorded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.core.feature_facts import facts
from mlops_assets.core.features import describe
from mlops_assets.core.frames import to_frame
from mlops_assets.core.profile.columns import Floats, categories, numbers
from mlops_assets.declare import Feature, UseCase

FEW_VALUES = 12  # at most so many distinct numbers: each its own bar
BARS = 24  # more are not told apart in a picture two inches wide
NAMES = 6  # of texts the most frequent, the rest in one bar
_TAIL = 5  # in thousandths: what lies beyond counts in the outer bars, so one wild value flattens nothing
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("feature", "definition", "sort", "type", "table", "reads", "key")),
        *((name, pa.string()) for name in ("known_at", "window", "age_limit", "unit")),
        *((name, pa.bool_()) for name in ("stable", "in_model")),
        *((name, pa.int64()) for name in ("rows", "known", "distinct")),
        *((name, pa.float64()) for name in ("coverage", "coverage_before", "least", "median", "greatest")),
    ]
)


def catalogue(use_case: UseCase, table: pa.Table, before: pa.Table | None) -> pa.Table:
    """One row a feature, in declared order: `SCHEMA`. `table` is the week's feature table, `before` an earlier week's.

    `coverage` is the share of rows with a value (null without rows), `least`, `median`, `greatest` are observed values
    of a number, null for texts and where nothing is known. `in_model`: the model declared today reads it.
    """
    now, then = to_frame(table), None if before is None else to_frame(before)
    modelled = {feature.name for feature in use_case.model_features}
    rows = []
    for feature in use_case.features:
        earlier = None if then is None or feature.name not in then else _coverage(then[feature.name])
        rows.append(
            _defined(use_case, feature)
            | _figures(now[feature.name])
            | {"in_model": feature.name in modelled, "coverage_before": earlier}
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def distributions(use_case: UseCase, table: pa.Table) -> dict[str, dict[str, Any]]:
    """Feature -> its bars, as JSON values: `kind`, `counts` of rows, `missing` rows, and what the bars stand for.

    | kind | bars | beside them |
    |---|---|---|
    | values | one for each number | `labels` |
    | names | one for each of the most frequent texts, then the others | `labels` |
    | range | even steps from `low` to `high`; what lies beyond is in the outer ones | `low`, `high` |
    """
    frame = to_frame(table)
    return {feature.name: _bars(feature.name, frame[feature.name]) for feature in use_case.features}


def used_by(versions: Mapping[int, Iterable[str]], feature: str) -> list[int]:
    """The numbers of the model versions that read a feature, ascending; `versions` maps a number to its features."""
    return sorted(number for number, features in versions.items() if feature in set(features))


def in_runs(numbers: Iterable[int]) -> str:
    """Ascending numbers, shortly.

    >>> in_runs([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _defined(use_case: UseCase, feature: Feature) -> dict[str, Any]:
    said = facts(use_case, feature)
    return {
        "feature": feature.name,
        "definition": describe(use_case, feature),
        "sort": said["sort"],
        "type": said["type"],
        "table": said["table"],
        "reads": ", ".join(said.get("reads", [said.get("column", "")])),
        "key": ", ".join(said.get("key", ())),
        "known_at": said["known_at"],
        "window": _span(said.get("window")),
        "age_limit": _span(said.get("within")),
        "unit": feature.unit,
        "stable": feature.stable,
    }


def _figures(values: "pd.Series[Any]") -> dict[str, Any]:
    known = values.dropna()
    figures: dict[str, Any] = {
        "rows": len(values),
        "known": len(known),
        "distinct": int(known.nunique()),
        "coverage": _coverage(values),
    }
    if pd.api.types.is_string_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype) or known.empty:
        return figures
    ordered = np.sort(numbers(str(values.name), known))
    return figures | {"least": ordered[0], "median": ordered[(len(ordered) - 1) // 2], "greatest": ordered[-1]}


def _coverage(values: "pd.Series[Any]") -> float | None:
    return float(values.notna().sum() / len(values)) if len(values) else None


def _span(seconds: float | None) -> str:
    """In the largest unit that needs no fraction; empty for None."""
    if seconds is None:
        return ""
    size, word = next(((size, word) for size, word in _SPANS if seconds % size == 0), (1, "second"))
    return f"{seconds / size:g} {word}{'' if seconds == size else 's'}"


def _bars(name: str, values: "pd.Series[Any]") -> dict[str, Any]:
    missing = int(values.isna().sum())
    if pd.api.types.is_string_dtype(values.dtype):
        return {"kind": "names", "missing": missing, **_named(values)}
    read = numbers(name, values.dropna())
    ordered = np.sort(read) + 0.0  # + 0.0: of -0.0 and 0.0 one spelling
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) <= FEW_VALUES:
        labels = [f"{value:g}" for value in distinct]
        if pd.api.types.is_bool_dtype(values.dtype):
            labels = ["true" if value else "false" for value in distinct]
        return {"kind": "values", "missing": missing, "labels": labels, "counts": counts.tolist()}
    whole = pd.api.types.is_integer_dtype(values.dtype)
    return {"kind": "range", "missing": missing, **_ranged(ordered, whole=whole)}


def _named(values: "pd.Series[Any]") -> dict[str, Any]:
    codes, names = categories(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(names)).tolist()
    ranked = sorted(zip(names, counts, strict=True), key=lambda pair: (-pair[1], pair[0]))
    if len(ranked) > NAMES + 1:
        rest = ranked[NAMES:]
        ranked = [*ranked[:NAMES], (f"{len(rest)} others", sum(count for _, count in rest))]
    return {"labels": [name for name, _ in ranked], "counts": [count for _, count in ranked]}


def _ranged(ordered: Floats, *, whole: bool) -> dict[str, Any]:
    """Even bars between the two tails; of whole numbers each bar holds equally many."""
    finite = ordered[np.isfinite(ordered)]
    low, high = (float(finite[(len(finite) - 1) * at // 1000]) for at in (_TAIL, 1000 - _TAIL))
    if low == high:
        low, high = float(finite[0]), float(finite[-1])
    bars = BARS
    if whole:
        step = -(-int(high - low + 1) // BARS)
        bars = -(-int(high - low + 1) // step)
        high = low + step * bars
    at = np.floor((np.clip(ordered, low, high) - low) / (high - low) * bars).astype(np.int64)
    counts = np.bincount(np.clip(at, 0, bars - 1), minlength=bars)
    return {"low": low, "high": high, "counts": counts.tolist()}
