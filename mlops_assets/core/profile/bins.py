"""The bins of one column: where they lie, and how a live column falls into them.

A `Tally` always ends with UNSEEN and MISSING, so that a new category, a value never met and a null are bins like any
other. Knows no measure and no threshold.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from mlops_assets.core.profile.columns import Floats, Ints, categories, numbers
from mlops_assets.core.profile.counting import count_cells
from mlops_assets.declare.errors import DataError

OTHER, UNSEEN, MISSING = "other known", "unseen", "missing"


@dataclass(frozen=True)
class Tally:
    """One column counted: `bins` (UNSEEN and MISSING last) and, of numbers, `cells` (of a category: empty)."""

    bins: Ints
    cells: Ints

    @property
    def rows(self) -> int:
        return int(self.bins.sum())


@dataclass(frozen=True, kw_only=True)
class NumericBins:
    """Bins of numbers. `points`: at most 512 observed values, ascending, that sketch the reference's distribution.

    `edges`: positions in `points` of the interior edges, each value belonging to the bin it closes from above; None
    when the reference had at most 10 distinct values, each then its own bin. `low`, `high`: positions of the 0.5 % and
    99.5 % quantiles; `scale`: IQR / 1.349 of the reference in the column's unit (the sd of a normal of that IQR; when
    the IQR is 0, the 0.5-99.5 % range / 5.152), None for a column without spread.
    """

    points: tuple[float, ...]
    edges: tuple[int, ...] | None
    low: int
    high: int
    scale: float | None

    @cached_property
    def array(self) -> Floats:
        """The points as float64."""
        return np.array(self.points, dtype=np.float64)

    @property
    def labels(self) -> tuple[str, ...]:
        """One name per bin, UNSEEN and MISSING last."""
        if self.edges is None:
            return (*(f"{point:.6g}" for point in self.points), UNSEEN, MISSING)
        at = [f"{self.points[edge]:.4g}" for edge in self.edges]
        between = [f"{low} .. {high}" for low, high in pairwise(at)]
        return (f"<= {at[0]}", *between, f"> {at[-1]}", UNSEEN, MISSING)

    def fold(self, cells: Ints, missing: Ints) -> Ints:
        """Cells (..., 2 K + 1) and missing (...) to bins (..., B), for one column or one row per window."""
        if self.edges is None:
            values, unseen = cells[..., 1::2], cells[..., 0::2].sum(axis=-1)
        else:  # the cell of point j is 2 j + 1: a bin ends with it
            starts = [0, *(2 * edge + 2 for edge in self.edges)]
            values, unseen = np.add.reduceat(cells, starts, axis=-1), np.zeros_like(missing)
        return np.concatenate([values, unseen[..., None], missing[..., None]], axis=-1)

    def tally(self, name: str, column: pd.Series) -> Tally:
        """Exact counts of a column. Raises DataError for values that are no number, or infinite."""
        counted = count_cells(self.array, numbers(name, column))
        if counted.infinite:
            raise infinite(name, counted.infinite)
        return Tally(self.fold(counted.cells, np.array(counted.missing)), counted.cells)


@dataclass(frozen=True, kw_only=True)
class CategoryBins:
    """Bins of categories. `names`: one bin each, most frequent first; `others`: known, too rare for a bin of their own.

    Bins: the names, OTHER, UNSEEN, MISSING.
    """

    names: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """One name per bin, UNSEEN and MISSING last."""
        return (*self.names, OTHER, UNSEEN, MISSING)

    def tally(self, name: str, column: pd.Series) -> Tally:
        """Exact counts of a column."""
        codes, found = categories(column)
        at = {known: bin_ for bin_, known in enumerate(self.names)} | dict.fromkeys(self.others, len(self.names))
        last = len(self.names) + 2
        bin_of = np.array([*(at.get(known, last - 1) for known in found), last], dtype=np.int64)  # code -1: the last
        counts = np.bincount(codes + 1, minlength=len(found) + 1)
        bins = np.zeros(last + 1, dtype=np.int64)
        np.add.at(bins, np.roll(bin_of, 1), counts)
        return Tally(bins, np.zeros(0, dtype=np.int64))


Bins = NumericBins | CategoryBins


def held_cells(bins: Bins, tally: Tally) -> Ints:
    """Counts (..., values) of what one value can hold: cells of numbers, bins of named categories."""
    return tally.cells if isinstance(bins, NumericBins) else tally.bins[..., : len(bins.names)]


def infinite(name: str, count: int) -> DataError:
    """The error of a column that holds infinities."""
    return DataError(
        f"column {name!r} holds {count} infinite values, it must be finite or missing: "
        "find the division by zero that made them, or write null."
    )
