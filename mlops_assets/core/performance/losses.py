"""What one realised answer costs, scaled to 0 .. 1: the losses a concept policy may declare.

An answer that is none (NaN, infinite, a probability outside [0, 1]) costs 1: a model that does not answer is wrong.
"""

import numpy as np
import numpy.typing as npt

from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import LOSSES_OF

Array = npt.NDArray[np.float64]

_LARGEST = 1e140  # a sum of squares of larger numbers lies beyond all numbers


def scaled_losses(policy: ConceptPolicy, label: npt.ArrayLike, prediction: npt.ArrayLike) -> Array:
    """The policy's loss of each answer over its bound, float64 `[n]` in 0 .. 1, in the order given.

    `label`: 0 or 1 (or bool) of a classification, finite numbers of a regression; every row must have one. Raises
    DataError for another label, no number, or unequal lengths.

    >>> import math
    >>> scaled_losses(ConceptPolicy(loss="error"), [1, 0, 1], [0.9, 0.8, math.nan]).tolist()
    [0.0, 1.0, 1.0]
    >>> scaled_losses(ConceptPolicy(loss="absolute", most=10.0), [3.0, 3.0], [5.0, 99.0]).tolist()
    [0.2, 1.0]
    """
    truth, answer = _numbers("label", label), _numbers("prediction", prediction)
    if truth.shape != answer.shape:
        raise DataError(f"{len(truth)} labels and {len(answer)} predictions, must be as many: one of each a row.")
    task = Task.CLASSIFICATION if policy.loss in LOSSES_OF[Task.CLASSIFICATION] else Task.REGRESSION
    refuse_labels(task, truth)
    usable = answered(task, answer)
    said = np.where(usable, answer, 0.0)
    if policy.loss == "error":
        cost = ((said > 0.5) != (truth == 1)).astype(np.float64)
    elif policy.loss == "brier":
        cost = (said - truth) ** 2
    else:
        # halves first: the distance of two numbers may lie beyond all numbers
        cost = np.minimum(np.abs(said / 2 - truth / 2), policy.bound / 2) / (policy.bound / 2)
    return np.where(usable, cost, 1.0)


def answered(task: Task, prediction: Array) -> npt.NDArray[np.bool_]:
    """Which predictions are answers: at most 1e140 in size, of a classification a probability in [0, 1]; bool `[n]`."""
    usable: npt.NDArray[np.bool_] = np.abs(prediction) <= _LARGEST
    if task is Task.CLASSIFICATION:
        usable &= (prediction >= 0) & (prediction <= 1)
    return usable


def refuse_labels(task: Task, label: Array) -> None:
    """Raises DataError for a label that cannot be the task's: NaN, infinite, of a classification not 0 or 1."""
    wrong = ~np.isfinite(label)
    rule = "must be a finite number"
    if task is Task.CLASSIFICATION:
        wrong, rule = ~np.isin(label, (0.0, 1.0)), "must be 0 or 1"
    if wrong.any():
        raise DataError(
            f"column 'label' holds {label[wrong][0]} ({int(wrong.sum())} of {len(label)} rows), {rule}: "
            f"a {task.value} has no other outcome, check the table it is from."
        )


def _numbers(what: str, given: npt.ArrayLike) -> Array:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as odd:
        raise DataError(f"column {what!r} holds a value that is no number ({odd}): leave unlabelled rows out.") from odd
    if values.ndim != 1:
        raise DataError(f"column {what!r} has shape {values.shape}, must be one value a row.")
    return values
