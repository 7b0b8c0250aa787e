"""Into which slice a row falls by one feature: its value, null, the fold of rare values, a quarter of the numbers.

Here belongs the cutting and its wording. A label is a claim about the row ("carrier = HA", "carrier is null",
"distance <= 502"), so no value can be mistaken for a fold. It knows no metric and no models.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

MOST_NUMBERS = 12  # a number of more values than this is cut at its quartiles: months of a year still stand alone
MOST_NAMED = 6  # folded values that are named in the label; more are counted


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """The label of every row, `[rows]`, and the labels that occur in the order they are shown."""

    of_row: npt.NDArray[np.object_]
    order: tuple[str, ...]


def slice_labels(feature: str, column: pd.Series, least: int) -> Labels:
    """Every row has one label. Values of fewer than `least` rows share one; null keeps its own, however rare.

    >>> slice_labels("depot", pd.Series(["north", "north", "east", "west", None]), 2).order
    ('depot = north', 'depot is other (east, west)', 'depot is null')
    >>> slice_labels("stops", pd.Series(range(100)), 2).order
    ('stops <= 24', '24 < stops <= 49', '49 < stops <= 74', 'stops > 74')
    """
    null = column.isna().to_numpy(dtype=bool)
    known, absent = column[~null], f"{feature} is null"
    number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if number and known.nunique() > MOST_NUMBERS:
        of_known, order = _by_quartile(feature, known)
    else:
        of_known, order = _by_value(feature, known if number else known.map(str), least)
    of_row = np.full(len(column), absent, dtype=object)
    of_row[~null] = of_known
    return Labels(of_row=of_row, order=(*order, absent) if null.any() else tuple(order))


def _by_quartile(feature: str, known: pd.Series) -> tuple[list[str], list[str]]:
    """Quartiles are values that occur (inverted distribution function); parts that ties leave empty are not there."""
    whole = pd.api.types.is_integer_dtype(known)
    numbers = known.to_numpy(dtype=np.int64 if whole else np.float64)
    ranked = np.sort(numbers)
    edges = np.unique(ranked[[math.ceil(len(ranked) * part / 4) - 1 for part in (1, 2, 3)]])
    named = [str(edge) for edge in edges.tolist()]
    between = [f"{low} < {feature} <= {high}" for low, high in pairwise(named)]
    labels = [f"{feature} <= {named[0]}", *between, f"{feature} > {named[-1]}"]
    place = np.searchsorted(edges, numbers)
    return [labels[at] for at in place], [labels[at] for at in np.unique(place)]


def _by_value(feature: str, known: pd.Series, least: int) -> tuple[list[str], list[str]]:
    counts = known.value_counts().sort_index().to_dict()
    rare = [value for value, count in counts.items() if count < least]
    shown = ", ".join(map(str, rare)) if len(rare) <= MOST_NAMED else f"{len(rare)} values"
    fold = f"{feature} is other ({shown})"
    label = {value: f"{feature} = {value}" if count >= least else fold for value, count in counts.items()}
    order = [text for text in label.values() if text != fold] + ([fold] if rare else [])
    return [label[value] for value in known], order
