"""The metrics of some answers, whatever there is to measure: a week without labels has none."""

import numpy as np
import numpy.typing as npt

from mlops_assets.core.metrics import METRIC
from mlops_assets.declare import UseCase
from mlops_assets.declare.promotion import METRICS_OF

Array = npt.NDArray[np.float64]


def figures(use_case: UseCase, label: Array, prediction: Array) -> dict[str, float | None]:
    """Every metric of the task by name, the one that promotion goes by first; None where it is undefined.

    `label` and `prediction` are float64 `[rows]`, without NaN. Raises DataError for a prediction out of range.
    """
    names = dict.fromkeys((use_case.promotion.metric, *METRICS_OF[use_case.label.task]))
    return {name: _figure(name, label, prediction) for name in names}


def _figure(name: str, label: Array, prediction: Array) -> float | None:
    if not len(label) or (name == "auc" and len(np.unique(label)) < 2):
        return None
    return METRIC[name].of(label, prediction)
