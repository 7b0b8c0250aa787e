"""Would the window be like the reference, were a suspected fault undone? Asked of 200 of its values."""

import numpy as np

from mlops_assets.core.drift.faults.looking import Look
from mlops_assets.core.drift.psi import psi
from mlops_assets.core.profile.columns import Floats, Ints
from mlops_assets.core.profile.counting import count_cells

_WEIGHT = 50  # a value stands for so many rows, so that smoothing empty bins by half a row does not blur 200 values
_SAME = 5e-4  # of a value: what a factor written with four digits (1.609 for 1.609344) may miss by


def apart(look: Look, values: Floats) -> float:
    """PSI (nats) of values against the reference's numbers, missing ones left aside; infinite without either."""
    if not len(values) or not look.profile.tally.cells.any():
        return float("inf")
    cells = count_cells(look.bins.array, values).cells
    counts: Ints = _WEIGHT * look.bins.fold(cells, np.array(0))
    return psi(look.profile.tally.bins[:-1], counts[:-1])


def on_points(look: Look, values: Floats) -> float:
    """The share of values, in 0 .. 1, that are values of the reference to four digits; its most frequent one left out.

    0 when fewer than 5 are left: too few to tell a coincidence.
    """
    points = look.bins.array
    beside = values[~_near(values, points[usual_point(look)])]
    if len(beside) < 5:
        return 0.0
    after = np.clip(np.searchsorted(points, beside), 1, max(len(points) - 1, 1))
    near = _near(beside, points[after - 1]) | _near(beside, points[np.minimum(after, len(points) - 1)])
    return float(near.mean())


def usual_point(look: Look) -> int:
    """The position of the reference's most frequent point."""
    return int(np.argmax(look.profile.tally.cells[1::2]))


def _near(values: Floats, points: Floats | np.float64) -> np.ndarray:
    return np.abs(values - points) <= _SAME * np.abs(points)
