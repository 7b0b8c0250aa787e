"""Do predictions mean what they say? Predicted against actual, decile by decile.

Here belong the table and its one-number summaries. For a classification "actual" is the share that happened, for a
regression the mean of the label. It knows no model and no plot (`plots/training.py` draws it).
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.metrics import numbers


@dataclass(frozen=True, kw_only=True)
class Decile:
    """Rows whose prediction lies in `[low, high]`: how many, what was predicted, what happened (means)."""

    low: float
    high: float
    rows: int
    predicted: float
    actual: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The table of deciles and three summaries, all in the unit of the prediction.

    `ece`: expected calibration error, the mean of |predicted - actual| over deciles, weighted by rows (Naeini 2015,
    with bins of equal count). `mean_prediction` and `mean_actual` are over all `rows`.
    """

    deciles: tuple[Decile, ...]
    rows: int
    ece: float
    mean_prediction: float
    mean_actual: float

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries."""
        return asdict(self) | {"deciles": [asdict(decile) for decile in self.deciles]}


def calibrate(truth: npt.ArrayLike, prediction: npt.ArrayLike, bins: int = 10) -> Calibration:
    """The calibration of predictions: at most `bins` groups of about equal size, equal predictions in one group.

    Raises DataError for no rows, unequal lengths, NaN or infinity.

    >>> table = calibrate([0, 0, 1, 1], [0.1, 0.1, 0.6, 0.8], bins=2)
    >>> [(d.rows, round(d.predicted, 2), d.actual) for d in table.deciles], round(table.ece, 2)
    ([(2, 0.1, 0.0), (2, 0.7, 1.0)], 0.2)
    """
    actual, predicted = numbers(truth, prediction)
    order = np.lexsort((actual, predicted))  # one order of the rows, so that sums do not depend on how they came
    actual, predicted = actual[order], predicted[order]
    wanted = np.linspace(0, len(predicted), bins + 1).round().astype(int)[1:-1]
    # a cut never parts equal predictions: it moves to the first of them
    cuts = np.unique(np.searchsorted(predicted, predicted[np.minimum(wanted, len(predicted) - 1)], side="left"))
    edges = [0, *(int(cut) for cut in cuts if cut > 0), len(predicted)]
    deciles = tuple(
        Decile(
            low=float(predicted[start]),
            high=float(predicted[stop - 1]),
            rows=stop - start,
            predicted=float(predicted[start:stop].mean()),
            actual=float(actual[start:stop].mean()),
        )
        for start, stop in pairwise(edges)
    )
    return Calibration(
        deciles=deciles,
        rows=len(predicted),
        ece=float(sum(d.rows * abs(d.predicted - d.actual) for d in deciles) / len(predicted)),
        mean_prediction=float(predicted.mean()),
        mean_actual=float(actual.mean()),
    )
