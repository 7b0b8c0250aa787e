"""Order statistics of many values without sorting them all."""

import numpy as np

from mlops_assets.core.profile.columns import Floats, Ints

_CLASSES = 1 << 16


def order_statistics(values: Floats, ranks: Ints) -> Floats:
    """Those of n >= 1 finite values that have `ranks` (0 .. n - 1) in ascending order: `np.sort(values)[ranks]`.

    Values are counted in even classes of their range, and only classes that hold a rank are sorted: for 200 ranks of a
    million normal values a fifth of the time of `np.partition`. Where an outlier puts all into one class, a sort.

    >>> order_statistics(np.array([5.0, 1.0, 4.0, 1.0]), np.array([0, 3])).tolist()
    [1.0, 5.0]
    """
    low, high = float(values.min()), float(values.max())
    with np.errstate(over="ignore"):
        steps = float(_CLASSES / np.float64(high - low)) if low < high else 0.0
    if not 0 < steps < np.inf:  # all the same, or a range that no float holds
        return np.sort(values)[ranks]
    scaled = values - low
    scaled *= steps
    classes = np.minimum(scaled.astype(np.int64), _CLASSES - 1)  # rounding keeps order: a lower class, a lower value
    inside = np.bincount(classes, minlength=_CLASSES)
    of_rank = np.searchsorted(np.cumsum(inside), ranks, side="right")
    asked = np.zeros(_CLASSES, dtype=np.bool_)
    asked[of_rank] = True
    left_out = np.cumsum(np.where(asked, 0, inside))[of_rank]  # values below, in classes without a rank
    found: Floats = np.sort(values[np.take(asked, classes)])[ranks - left_out]
    return found
