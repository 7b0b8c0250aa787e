"""One live column as the rules of feed faults see it: counts that are there already, values only when asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlops_assets.core.drift.faults.selecting import order_statistics
from mlops_assets.core.profile.bins import NumericBins, Tally
from mlops_assets.core.profile.columns import Floats
from mlops_assets.core.profile.records import ColumnProfile
from mlops_assets.declare.drift import DriftPolicy

VALUES = 200  # order statistics a second look takes: shares to half a percent, at a tenth of the cost of a sort


@dataclass(frozen=True, kw_only=True)
class Look:
    """A live column (m rows) beside its profile. `moved`: its PSI is past its threshold; `said`: the report's sentence.

    `read` gives its numbers (float64, NaN = missing); `level`: the chance each one-sided bound may fail, in (0, 1).
    """

    profile: ColumnProfile
    live: Tally
    moved: bool
    said: str
    read: Callable[[], Floats]
    policy: DriftPolicy
    level: float

    @cached_property
    def values(self) -> Floats:
        """At most 200 observed values at even steps of the distribution, ascending; the only look at the rows."""
        read = self.read()
        present = read[~np.isnan(read)]
        if not len(present):
            return present
        ranks = np.unique((np.arange(VALUES) * len(present) + len(present) // 2) // VALUES)
        return order_statistics(present, ranks) + 0.0

    @property
    def name(self) -> str:
        """The column with its unit, as sentences name it."""
        return f"{self.profile.name!r} [{self.profile.unit}]" if self.profile.unit else repr(self.profile.name)

    @property
    def numeric(self) -> bool:
        """Numbers that the reference has seen numbers of."""
        return isinstance(self.profile.bins, NumericBins) and bool(self.profile.bins.points)

    @property
    def bins(self) -> NumericBins:
        """The bins of a numeric column."""
        bins = self.profile.bins
        if not isinstance(bins, NumericBins):
            raise TypeError(f"{self.name} is a category, it has no numeric bins")
        return bins


def at_least(count: int, rows: int, level: float) -> float:
    """The lower bound of a share of which `count` of `rows` were seen, wrong with a chance of `level`, in 0 .. 1.

    Reference: Clopper and Pearson (1934), one-sided; exact for independent rows.

    >>> at_least(0, 10, 0.05), round(at_least(10, 10, 0.05), 3)
    (0.0, 0.741)
    """
    from scipy.special import betaincinv

    return float(betaincinv(count, rows - count + 1, level)) if count else 0.0


def rest_gone(most: float, policy: DriftPolicy) -> float:
    """The share at which what is left has fallen to `fault_rest` of the least it ever was, in 0 .. 1."""
    return 1 - (1 - most) * policy.fault_rest
