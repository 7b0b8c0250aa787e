"""What one answer costs: the losses a plan may declare, one request at a time.

Here belong the formulas and what is no answer at all; what two models' losses say about each other is `engines/`.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlops_assets.core.metrics import EPSILON
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


def loss_of(name: str, task: Task, label: float, answer: float) -> float | None:
    """The declared loss of one answer, >= 0; None when label or answer is none (or the loss is beyond all numbers).

    A classification's label is 0 or 1 and its answer a probability of 1; a regression's are finite numbers.

    >>> round(loss_of("brier", Task.CLASSIFICATION, 1.0, 0.9), 4)
    0.01
    >>> loss_of("brier", Task.CLASSIFICATION, 1.0, math.nan) is None
    True
    """
    if name not in LOSSES_OF[task] or not (math.isfinite(label) and math.isfinite(answer)):
        return None
    if task is Task.CLASSIFICATION and (label not in (0.0, 1.0) or not 0 <= answer <= 1):
        return None
    try:
        loss = LOSS[name](label, answer)
    except OverflowError:
        return None
    return loss if math.isfinite(loss) else None
