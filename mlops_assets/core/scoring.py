"""A model that answers: estimator, encoder and task, and nothing of how it came to be.

Here belongs the one way from rows to predictions, with its refusals; training, the gate and the monitoring use it. It
knows no files: `stores/models.py` brings an estimator back, `Encoder.from_json` its encoder.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorer:
    """A fitted scikit-learn `estimator`, the `encoder` it was trained behind, and what it answers."""

    estimator: Any
    encoder: Encoder
    task: Task

    def predict(self, frame: pd.DataFrame) -> Array:
        """The answer to each row of the frame, float64 `[rows]`: probability of True, or the number.

        Raises DataError for features that cannot be encoded and for an answer that is not finite or in range.
        """
        return self.predict_encoded(self.encoder.encode(frame))

    def predict_encoded(self, array: Array) -> Array:
        """The same for rows that are encoded already, float64 `[rows, features]`.

        Raises DataError also for rows that scikit-learn refuses: a linear model takes no nulls.
        """
        if len(array) == 0:
            return np.empty(0, dtype=np.float64)
        answers = self.estimator.predict if self.task is Task.REGRESSION else self.estimator.predict_proba
        try:
            answer = np.asarray(answers(array), dtype=np.float64)
        except ValueError as refused:
            raise DataError(
                f"{type(self.estimator).__name__} refused to answer {len(array)} rows "
                f"({str(refused).partition(chr(10))[0]}): {_way_out(array)}."
            ) from refused
        if self.task is Task.CLASSIFICATION:
            if answer.ndim != 2 or list(self.estimator.classes_) != [0, 1] or answer.shape[1] != 2:
                raise DataError(
                    f"{type(self.estimator).__name__} answers shape {answer.shape} for classes "
                    f"{list(self.estimator.classes_)}, must be two columns for [0, 1]: refuse this model."
                )
            answer = answer[:, 1].copy()
        return checked_answers(answer, rows=len(array), task=self.task)


def _way_out(array: Array) -> str:
    if np.isnan(array).any():
        return "declare an estimator that takes nulls (histogram trees), or derive features that have none"
    return "give it the features it was trained on"


def checked_answers(answer: Array, *, rows: int, task: Task) -> Array:
    """`answer` itself when it is `rows` finite numbers, for a classification in [0, 1]; else DataError."""
    if answer.shape != (rows,):
        raise DataError(f"the model answered {rows} rows with shape {answer.shape}, must be one number a row.")
    broken = ~np.isfinite(answer)
    if task is Task.CLASSIFICATION:
        broken |= (answer < 0) | (answer > 1)
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        bound = "in [0, 1]" if task is Task.CLASSIFICATION else "finite"
        raise DataError(
            f"the model answered row {row} with {answer[row]}, must be {bound} ({int(broken.sum())} such rows): "
            "refuse this model."
        )
    return answer
