"""Choosing the bins of one column from its training rows, and counting those rows per reference window.

Every quantile is an observed value and every figure a count, so row order changes nothing. What the counts mean for a
threshold is `building.py`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.profile.bins import Bins, CategoryBins, NumericBins, infinite
from mlops_assets.core.profile.columns import Floats, Ints, categories, numbers
from mlops_assets.core.profile.counting import count_cells
from mlops_assets.declare.errors import DataError

# In thousandths: 501 even steps, a little denser in both tails, so at most 511 points. Between two neighbours lies at
# most 1/500 of the reference, which bounds the error of KS; the tenths (PSI) and the .5 % tails (W1) are among them.
SKETCH = np.unique([*range(0, 1001, 2), 1, 3, 5, 7, 9, 991, 993, 995, 997, 999])
FEW_VALUES = 10  # at most so many distinct numbers: each its own bin
MIN_SHARE, MAX_NAMES = 0.001, 50  # a category's own bin: >= .1 % of the rows, the 50 most frequent
MAX_CATEGORIES = 10_000  # more distinct names than this is an identifier, and the profile would be a copy of the data


@dataclass(frozen=True, kw_only=True)
class Binned:
    """One column of the reference, counted per window (W rows).

    `by_window` (W, B): all of it; `met` (W, B): the same with every value that only its own window holds moved to
    UNSEEN, as it would have looked to the other windows. `cells` (W, 2 K + 1) of numbers, (W, 0) of categories.
    """

    bins: Bins
    by_window: Ints
    met: Ints
    cells: Ints
    minimum: float | None = None
    maximum: float | None = None


def binned_numbers(name: str, values: pd.Series, codes: Ints, windows: int) -> Binned:
    """Bins and counts of a numeric column; `codes` gives each row's window, 0 .. windows - 1.

    Raises DataError for infinities and for anything that is no number.
    """
    read = numbers(name, values)
    missing = np.isnan(read)
    present = read[~missing]
    if np.isinf(present).any():
        raise infinite(name, int(np.isinf(present).sum()))
    ordered = np.sort(present) + 0.0  # + 0.0: of -0.0 and 0.0, equal to a sort, one spelling
    distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    bins = _value_bins(ordered, distinct) if len(distinct) <= FEW_VALUES else _quantile_bins(ordered)
    own = codes[~missing]
    cells = np.stack([count_cells(bins.array, present[own == window]).cells for window in range(windows)])
    absent = np.bincount(codes[missing], minlength=windows)
    by_window = bins.fold(cells, absent)
    return Binned(
        bins=bins,
        by_window=by_window,
        met=by_window if bins.edges is not None else bins.fold(_as_others_met(cells), absent),
        cells=cells,
        minimum=float(ordered[0]) if len(ordered) else None,
        maximum=float(ordered[-1]) if len(ordered) else None,
    )


def _quantiles(ordered: Floats, thousandths: npt.ArrayLike) -> Floats:
    """Observed values (the inverse of the ECDF): no interpolation, so monotone maps of a column keep its bins."""
    ranks = -(-len(ordered) * np.asarray(thousandths) // 1000)
    found: Floats = ordered[np.maximum(ranks, 1) - 1]
    return found


def _quantile_bins(ordered: Floats) -> NumericBins:
    points = np.unique(_quantiles(ordered, SKETCH))
    edges = np.unique(np.searchsorted(points, _quantiles(ordered, range(100, 1000, 100))))
    low, high = np.searchsorted(points, _quantiles(ordered, [5, 995])).tolist()
    return NumericBins(
        points=tuple(points.tolist()), edges=tuple(edges.tolist()), low=low, high=high, scale=_scale(ordered)
    )


def _value_bins(ordered: Floats, distinct: Floats) -> NumericBins:
    last = max(len(distinct) - 1, 0)
    scale = _scale(ordered) if len(ordered) else None
    return NumericBins(points=tuple(distinct.tolist()), edges=None, low=0, high=last, scale=scale)


def _scale(ordered: Floats) -> float | None:
    low, first, third, high = _quantiles(ordered, [5, 250, 750, 995]).tolist()
    return (third - first) / 1.349 or (high - low) / 5.152 or None


def _as_others_met(cells: Ints) -> Ints:
    """Cells of single values, with the values that only one window holds moved below the first: UNSEEN."""
    moved = cells.copy()
    at = cells[:, 1::2]
    lost = np.where(at == at.sum(axis=0), at, 0)
    moved[:, 1::2] -= lost
    moved[:, 0] += lost.sum(axis=1)
    return moved


def binned_categories(name: str, values: pd.Series, codes: Ints, windows: int) -> Binned:
    """Bins and counts of a category column; `codes` gives each row's window. Raises DataError for an identifier."""
    found_codes, found = categories(values)
    names = sorted(set(found))
    if len(names) > MAX_CATEGORIES:
        raise DataError(
            f"column {name!r} has {len(names)} distinct categories, more than {MAX_CATEGORIES} is an identifier: "
            "watch something it stands for."
        )
    at = {known: position for position, known in enumerate(names)}
    width = len(names) + 1
    position = np.array([*(at[known] for known in found), len(names)], dtype=np.int64)[found_codes]  # code -1: the last
    table = np.bincount(codes * width + position, minlength=windows * width).reshape(windows, width)
    by_name, missing = table[:, :-1], table[:, -1:]
    total = by_name.sum(axis=0)
    ranked = sorted(range(len(names)), key=lambda i: (-total[i], names[i]))
    own = [i for i in ranked[:MAX_NAMES] if total[i] >= MIN_SHARE * len(codes)]
    others = sorted(set(ranked) - set(own))
    bins = CategoryBins(names=tuple(names[i] for i in own), others=tuple(names[i] for i in others))

    def binned(counts: Ints, unseen: Ints) -> Ints:
        return np.hstack([counts[:, own], counts[:, others].sum(axis=1, keepdims=True), unseen, missing])

    lost = np.where(by_name == total, by_name, 0)
    return Binned(
        bins=bins,
        by_window=binned(by_name, np.zeros_like(missing)),
        met=binned(by_name - lost, lost.sum(axis=1, keepdims=True)),
        cells=np.zeros((windows, 0), dtype=np.int64),
    )
