"""How large the numbers of a column are, whatever their sign: what a change of unit multiplies."""

import numpy as np

from mlops_assets.core.profile.bins import NumericBins
from mlops_assets.core.profile.columns import Floats, Ints


def size_of(bins: NumericBins, cells: Ints) -> float | None:
    """The mean of |value| of a sketch's cells, in the column's unit; None without numbers.

    Values are clipped to the reference's 0.5 % .. 99.5 %, so that no outlier decides; inside a cell all lie in the
    middle.

    >>> two = NumericBins(points=(-1.0, 3.0), edges=None, low=0, high=1, scale=1.0)
    >>> size_of(two, np.array([0, 1, 0, 1, 0]))
    2.0
    """
    rows = int(cells.sum())
    if not rows:
        return None
    points = bins.array
    clipped = np.clip(cell_values(bins), points[bins.low], points[bins.high])
    return float((cells * np.abs(clipped)).sum() / rows)


def cell_values(bins: NumericBins) -> Floats:
    """One value per cell, (2 K + 1): the point, the middle of a gap, the nearest point outside of all."""
    points = bins.array
    values = np.empty(2 * len(points) + 1)
    values[1::2] = points
    values[2:-1:2] = points[:-1] + np.diff(points) / 2
    values[[0, -1]] = points[[0, -1]]
    return values
