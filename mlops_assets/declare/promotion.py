"""What a model must show before it may be promoted: by which metric, by how much."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.declare.checking import known, refuse
from mlops_assets.declare.modelling import Task

# metric -> True when a greater value is better
METRICS: Mapping[str, bool] = MappingProxyType(
    {"log_loss": False, "brier": False, "auc": True, "mae": False, "rmse": False}
)

METRICS_OF: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {Task.CLASSIFICATION: ("log_loss", "brier", "auc"), Task.REGRESSION: ("mae", "rmse")}
)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The gate: a challenger's `metric` must beat the champion's by `margin`, on the same validation rows.

    The metric's standard error is clustered by calendar day of the request, whose outcomes share a storm: plain
    standard errors are 2-4 times too small. `alpha` is the one-sided error of the interval.
    """

    metric: str
    margin: float
    alpha: float = 0.05

    def __post_init__(self) -> None:
        known("Promotion", "metric", self.metric, METRICS)
        if not 0 <= self.margin < math.inf:
            raise refuse("Promotion", "margin", self.margin, "must be >= 0 and finite", "in units of the metric")
        if not 0 < self.alpha < 0.5:
            raise refuse("Promotion", "alpha", self.alpha, "must be 0 < alpha < 0.5", "e.g. 0.05")
