"""Figures with the chance of blocks: how far a mean or a metric may be off, when outcomes of one block share a storm.

Here belong the grouping of rows by the policy's block and the delete-one-block jackknife (Shao & Tu 1995, 2.3), as
`core/paired.py` has it for differences; bounds are Student's t with blocks - 1 degrees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from mlops_assets.core.paired import jackknife_error
from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.promotion import LEAST_BLOCKS, Promotion

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

# Independent rows have the same error in any groups of them; so many tell it within a tenth, at little cost.
_GROUPS = 50


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its standard error over so many blocks; None where fewer than 5 blocks tell nothing of it."""

    value: float
    error: float | None
    blocks: int

    def bounds(self, level: float) -> tuple[float, float] | None:
        """Lower and upper bound, one-sided at `level` each; None without a standard error.

        >>> low, high = Estimate(value=4.5, error=1.0, blocks=14).bounds(0.95)
        >>> round(low, 3), round(high, 3)
        (2.729, 6.271)
        """
        if self.error is None:
            return None
        from scipy.stats import t

        reach = float(t.ppf(level, self.blocks - 1)) * self.error
        return self.value - reach, self.value + reach


def block_codes(policy: ConceptPolicy, block: npt.ArrayLike) -> Codes:
    """Into which block each row falls, int64 `[n]`, 0 .. blocks - 1, by `block`: the ISO date of its day (or days).

    Days are joined to blocks of `policy.block`, counted from a Monday; without one, rows are independent, and their
    groups are given by their position. Raises DataError for what is no ISO date.

    >>> from datetime import timedelta
    >>> block_codes(ConceptPolicy(loss="error", block=timedelta(days=7)), ["2013-02-18", "2013-02-24", "2013-02-25"])
    array([0, 0, 1])
    """
    days = np.asarray(block, dtype=object)
    if policy.block is None:
        return np.arange(len(days), dtype=np.int64) % _GROUPS
    whole = Promotion(metric="mae", margin=0, block=policy.block)
    first = {}
    for day in dict.fromkeys(days.tolist()):
        try:
            first[day] = whole.block_of(date.fromisoformat(day)).toordinal()
        except (TypeError, ValueError) as odd:
            raise DataError(f"column 'block' holds {day!r}, must be an ISO date such as '2013-02-18' ({odd}).") from odd
    _, codes = np.unique(np.array([first[day] for day in days.tolist()], dtype=np.int64), return_inverse=True)
    return codes.astype(np.int64)


def mean_estimate(values: Array, codes: Codes) -> Estimate:
    """The mean of `values` `[n]`, n >= 1, and its error over the blocks `codes` `[n]`.

    >>> found = mean_estimate(np.arange(10.0), np.arange(10))
    >>> found.value, round(found.error, 4), found.blocks
    (4.5, 0.9574, 10)
    """
    _, codes, rows = np.unique(codes, return_inverse=True, return_counts=True)
    value = float(np.mean(values))
    if len(rows) < LEAST_BLOCKS:
        return Estimate(value=value, error=None, blocks=len(rows))
    away = np.bincount(codes, weights=values - value)  # sums about the mean: nothing cancels
    without = value - away / (len(values) - rows)
    return Estimate(value=value, error=jackknife_error(without), blocks=len(rows))


def metric_estimate(of: Callable[[npt.NDArray[np.bool_]], float | None], codes: Codes) -> Estimate | None:
    """A figure `of` some of the rows (a mask `[n]`) and its error over the blocks; None where it has no value."""
    value = of(np.ones(len(codes), dtype=bool))
    if value is None:
        return None
    blocks = np.unique(codes)
    if len(blocks) < LEAST_BLOCKS:
        return Estimate(value=value, error=None, blocks=len(blocks))
    without = [of(codes != one) for one in blocks]
    told = [each for each in without if each is not None]
    error = jackknife_error(np.array(told)) if len(told) == len(without) else None
    return Estimate(value=value, error=error, blocks=len(blocks))
