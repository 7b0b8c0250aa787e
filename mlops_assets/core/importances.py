"""How much each feature matters to a fitted model: permutation importance (Breiman 2001).

Here belongs the measure: how much worse the declared metric gets when one column is shuffled. It knows no estimator
beyond its answers. Correlated features share their importance; the figures rank, they do not explain.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mlops_assets.core.metrics import Metric

Array = npt.NDArray[np.float64]

MOST_ROWS = 2_000  # bounds the cost: 28 features x 2 shuffles x 2 000 rows are 112 000 predictions
REPEATS = 2


def permutation_importances(
    names: tuple[str, ...], predict: Callable[[Array], Array], array: Array, label: Array, metric: Metric, seed: int
) -> dict[str, float]:
    """Share of importance by feature, >= 0, sum 1 (all 0 when no shuffle makes the metric worse).

    `array` is encoded rows `[rows, features]`, `label` `[rows]`. At most 2 000 rows, evenly spread over those given,
    are looked at. The same seed and rows give the same bits.
    """
    step = np.linspace(0, len(array) - 1, min(len(array), MOST_ROWS)).round().astype(int)
    array, label = array[step], label[step]
    whole = metric.of(label, predict(array))
    loss = []
    for place in range(len(names)):
        random = np.random.default_rng([seed, place])  # a feature's shuffles do not depend on the others
        worse = 0.0
        for _ in range(REPEATS):
            shuffled = array.copy()
            shuffled[:, place] = array[random.permutation(len(array)), place]
            worse += metric.gain(whole, metric.of(label, predict(shuffled)))
        loss.append(max(0.0, worse / REPEATS))
    total = sum(loss)
    return {name: value / total if total > 0 else 0.0 for name, value in zip(names, loss, strict=True)}
