"""How good predictions are, as single numbers: the five metrics a use case may declare, with unit and direction.

Here belong the formulas and the refusals (a metric of NaN, of no rows, of one class is no metric). They know no model,
no days and no uncertainty: `promotion.py` judges differences, `calibration.py` looks at the deciles.
Plain numpy, so that the monitoring side need not import scikit-learn; the tests hold them against scikit-learn's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import METRICS, METRICS_OF

Array = npt.NDArray[np.float64]

# A probability of 0 or 1 that turns out wrong would cost infinity; scikit-learn's log_loss clips at the same eps.
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: what it is called, in which unit it counts, whether more of it is better.

    `unit` "label" means the unit of the label itself. `of(truth, prediction)` computes it.
    """

    name: str
    unit: str
    greater_is_better: bool
    task: Task
    of: Callable[[npt.ArrayLike, npt.ArrayLike], float]

    def gain(self, value: float, over: float) -> float:
        """How much better `value` is than `over`, in the metric's unit: positive = better."""
        return value - over if self.greater_is_better else over - value


def log_loss(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Mean of -ln(probability given to what happened), nats, >= 0; probabilities clipped to [eps, 1 - eps].

    >>> round(log_loss([True, False], [0.9, 0.2]), 4)
    0.1643
    """
    happened, p = probabilities(truth, prediction)
    p = np.clip(p, EPSILON, 1 - EPSILON)
    return float(np.mean(np.where(happened == 1, -np.log(p), -np.log1p(-p))))


def brier(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Mean squared distance of the probability from what happened, 0..1 (Brier 1950).

    >>> round(brier([True, False], [0.9, 0.2]), 4)
    0.025
    """
    happened, p = probabilities(truth, prediction)
    return float(np.mean((p - happened) ** 2))


def auc(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Chance that a row that happened is ranked above one that did not, 0..1, ties count half (Mann & Whitney 1947).

    Raises DataError when all rows are of one class.

    >>> auc([True, False, True], [0.9, 0.2, 0.2])
    0.75
    """
    happened, p = probabilities(truth, prediction)
    positives = int(happened.sum())
    negatives = len(happened) - positives
    if positives == 0 or negatives == 0:
        raise DataError(
            f"auc of {len(happened)} rows that are all {bool(positives)}, needs both classes: take a longer window."
        )
    _, place, count = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2  # the mean rank of equal predictions, from 1
    ranks = float(middle[place][happened == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def mae(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Mean absolute error, in the label's unit.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    actual, predicted = numbers(truth, prediction)
    return float(np.mean(np.abs(predicted - actual)))


def rmse(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> float:
    """Root of the mean squared error, in the label's unit.

    >>> rmse([1.0, 2.0], [1.0, 4.0]) == 2.0 ** 0.5
    True
    """
    actual, predicted = numbers(truth, prediction)
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


_UNITS = {"log_loss": "nats", "brier": "", "auc": "", "mae": "label", "rmse": "label"}
_FORMULAS = {"log_loss": log_loss, "brier": brier, "auc": auc, "mae": mae, "rmse": rmse}

METRIC: Mapping[str, Metric] = MappingProxyType(
    {
        name: Metric(name=name, unit=_UNITS[name], greater_is_better=METRICS[name], task=task, of=_FORMULAS[name])
        for task, names in METRICS_OF.items()
        for name in names
    }
)


def measure(task: Task, truth: npt.ArrayLike, prediction: npt.ArrayLike) -> dict[str, float]:
    """Every metric of the task, by name, all finite.

    Raises DataError for no rows, unequal lengths, NaN or infinity, a probability outside [0, 1], or one class only.
    """
    return {name: METRIC[name].of(truth, prediction) for name in METRICS_OF[task]}


def probabilities(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Array, Array]:
    """What happened (0.0 or 1.0) and the probability given to it; DataError for anything else."""
    happened, p = numbers(truth, prediction)
    if not np.isin(happened, (0.0, 1.0)).all():
        wrong = float(happened[~np.isin(happened, (0.0, 1.0))][0])
        raise DataError(f"truth holds {wrong}, must be true or false: a classification has two classes.")
    outside = (p < 0) | (p > 1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise DataError(f"prediction of row {row} == {p[row]}, must be a probability in [0, 1]: refuse this model.")
    return happened, p


def numbers(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Array, Array]:
    """Truth and prediction as finite float64 of one length >= 1; DataError for anything else."""
    pair = []
    for what, given in (("truth", truth), ("prediction", prediction)):
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as odd:
            raise DataError(
                f"{what} holds a value that is no number ({odd}), must be finite: drop unlabelled rows."
            ) from odd
        if values.ndim != 1:
            raise DataError(f"{what} has shape {values.shape}, must be one value a row.")
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            raise DataError(
                f"{what} of row {broken[0]} == {values[broken[0]]}, must be finite: {len(broken)} such rows."
            )
        pair.append(values)
    actual, predicted = pair
    if len(actual) != len(predicted) or len(actual) == 0:
        raise DataError(f"{len(actual)} truths and {len(predicted)} predictions, must be as many and at least 1.")
    return actual, predicted
