"""What a model must show before it may be promoted: by which metric, by how much, judged over what."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from mlops_assets.declare.checking import as_names, freeze, known, no_repeats, refuse
from mlops_assets.declare.modelling import Task

# metric -> True when a greater value is better
METRICS: Mapping[str, bool] = MappingProxyType(
    {"log_loss": False, "brier": False, "auc": True, "mae": False, "rmse": False}
)

METRICS_OF: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {Task.CLASSIFICATION: ("log_loss", "brier", "auc"), Task.REGRESSION: ("mae", "rmse")}
)


# at 4 degrees of freedom t is 2.1 at alpha .05 (1.6 for many): with fewer blocks a bound says next to nothing
LEAST_BLOCKS = 5

_DAY = timedelta(days=1)
_A_MONDAY = date(1970, 1, 5)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The gate: a challenger's `metric` must beat the champion's by `margin`, on the same validation rows.

    The metric's standard error is clustered by `block`, a number of calendar days of the request, whose outcomes share
    a storm: plain standard errors are 2-4 times too small. `alpha` is the one-sided error of the interval.
    `slices` are features by whose values the metric is reported too, values of fewer than `min_slice_rows` rows
    together; slices are reported, the verdict is that of all rows.
    """

    metric: str
    margin: float
    alpha: float = 0.05
    block: timedelta = _DAY
    slices: tuple[str, ...] = ()
    min_slice_rows: int = 200

    def __post_init__(self) -> None:
        freeze(self, slices=as_names("Promotion", "slices", self.slices))
        known("Promotion", "metric", self.metric, METRICS)
        if not 0 <= self.margin < math.inf:
            raise refuse("Promotion", "margin", self.margin, "must be >= 0 and finite", "in units of the metric")
        if not 0 < self.alpha < 0.5:
            raise refuse("Promotion", "alpha", self.alpha, "must be 0 < alpha < 0.5", "e.g. 0.05")
        if self.block < _DAY or self.block % _DAY:
            raise refuse("Promotion", "block", self.block, "must be a whole number of days >= 1", "e.g. days(1)")
        if self.min_slice_rows < 1:
            raise refuse("Promotion", "min_slice_rows", self.min_slice_rows, "must be at least 1", "e.g. 200")
        no_repeats("Promotion", "slices", self.slices)

    def block_of(self, day: date) -> date:
        """The first day of the block a calendar day lies in; blocks are counted from a Monday, whatever the window.

        >>> three_days = Promotion(metric="mae", margin=0, block=timedelta(days=3))
        >>> [three_days.block_of(date(2013, 2, day)).isoformat() for day in (18, 19, 20, 21)]
        ['2013-02-18', '2013-02-18', '2013-02-18', '2013-02-21']
        """
        return day - (day - _A_MONDAY) % self.block

    def blocks(self, count: int) -> str:
        """So many blocks in words.

        >>> Promotion(metric="mae", margin=0).blocks(14), Promotion(metric="mae", margin=0).blocks(1)
        ('14 days', '1 day')
        >>> Promotion(metric="mae", margin=0, block=timedelta(days=3)).blocks(5)
        '5 blocks of 3 days'
        """
        one = count == 1
        if self.block == _DAY:
            return f"{count} {'day' if one else 'days'}"
        return f"{count} {'block' if one else 'blocks'} of {self.block // _DAY} days"

    def most_blocks(self, span: timedelta) -> int:
        """Into how many blocks the days of a span of time can fall at most.

        >>> Promotion(metric="mae", margin=0, block=timedelta(days=3)).most_blocks(timedelta(days=7))
        3
        """
        later = math.ceil(span / _DAY) - 1  # the days after the first, which may be the last of its block
        return 1 + math.ceil(later / (self.block // _DAY))
