"""What one answer costs: the losses a plan may declare, one request at a time.

Here belong the formulas and what is no answer at all; what two models' losses say about each other is `engines/`.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlops_assets.core.metrics import EPSILON
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import LOSSES_OF


def _log_loss(label: float, p: float) -> float:
    given = p if label else 1 - p
    return -math.log(min(max(given, EPSILON), 1 - EPSILON))


LOSS: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "log_loss": _log_loss,
        "brier": lambda label, p: (p - label) * (p - label),
        "error": lambda label, p: float((p > 0.5) != bool(label)),
        "absolute": lambda label, y: abs(y - label),
        "squared": lambda label, y: (y - label) * (y - label),
    }
)

# The most one answer may cost where a bound is needed: a log loss is cut at ln 1000, that is, the probability given to
# what happened at 1/1000; a regression's losses have no bound.
MOST: Mapping[str, float] = MappingProxyType({"log_loss": math.log(1000), "brier": 1.0, "error": 1.0})


def loss_of(name: str, task: Task) -> Callable[[float, float], float | None]:
    """The declared loss of (label, answer), >= 0; None where one of them is none, or the loss beyond all numbers.

    A classification's label is 0 or 1 and its answer a probability of 1; a regression's are finite numbers. Raises
    DataError for a loss that the task does not have.

    >>> brier = loss_of("brier", Task.CLASSIFICATION)
    >>> round(brier(1.0, 0.9), 4), brier(1.0, math.nan)
    (0.01, None)
    """
    if name not in LOSSES_OF[task]:
        raise DataError(f"quality.loss == {name!r}, must be one of {LOSSES_OF[task]} for a {task.value}.")
    formula = LOSS[name]

    def probability(label: float, answer: float) -> float | None:
        return formula(label, answer) if label in (0.0, 1.0) and 0 <= answer <= 1 else None

    def number(label: float, answer: float) -> float | None:
        loss = formula(label, answer)
        return loss if math.isfinite(loss) else None

    return probability if task is Task.CLASSIFICATION else number
