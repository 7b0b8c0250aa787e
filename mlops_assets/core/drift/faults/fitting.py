"""Would the window be like the reference, were a suspected fault undone? Asked of 200 of its values."""

import numpy as np
import numpy.typing as npt

from mlops_assets.core.drift.faults.looking import Look
from mlops_assets.core.drift.psi import psi
from mlops_assets.core.profile.columns import Floats, Ints
from mlops_assets.core.profile.counting import count_cells
from mlops_assets.core.profile.sizes import cell_values

Claims = npt.NDArray[np.bool_]
_COINCIDENCE = 5
_WEIGHT = 50  # a value stands for so many rows, so that smoothing empty bins by half a row does not blur 200 values
_SAME = 5e-4  # of a value: what a factor written with four digits (1.609 for 1.609344) may miss by


def apart(look: Look, values: Floats) -> float:
    """PSI (nats) of values against the reference's numbers, missing ones left aside; infinite without either."""
    if not len(values) or not look.profile.tally.cells.any():
        return float("inf")
    nearest = _nearest(look.bins.array, values)
    snapped = np.where(_near(values, nearest), nearest, values)  # a bin ends at a point: 55.0000001 is not beyond 55
    cells = count_cells(look.bins.array, snapped).cells
    counts: Ints = _WEIGHT * look.bins.fold(cells, np.array(0))
    return psi(look.profile.tally.bins[:-1], counts[:-1])


def on_points(look: Look, values: Floats) -> float:
    """The share of values, in 0 .. 1, that are values of the reference to four digits; its most frequent one left out.

    0 when fewer than 5 are left: too few to tell a coincidence.
    """
    points = look.bins.array
    beside = values[~_near(values, points[usual_point(look)])]
    return float(_near(beside, _nearest(points, beside)).mean()) if len(beside) >= _COINCIDENCE else 0.0


def usual_point(look: Look) -> int:
    """The position of the reference's most frequent point."""
    return int(np.argmax(look.profile.tally.cells[1::2]))


def expected(look: Look) -> Floats:
    """The reference's values at the levels of the window's, ascending: what each should be without a fault."""
    below = np.cumsum(look.profile.tally.cells)
    levels = (np.arange(len(look.values)) + 0.5) / len(look.values)
    found: Floats = cell_values(look.bins)[np.searchsorted(below, levels * below[-1])]
    return found


def _nearest(points: Floats, values: Floats) -> Floats:
    after = np.minimum(np.searchsorted(points, values), len(points) - 1)
    before = np.maximum(after - 1, 0)
    found: Floats = np.where(
        np.abs(values - points[before]) <= np.abs(values - points[after]), points[before], points[after]
    )
    return found


def _near(values: Floats, points: Floats | np.float64) -> Claims:
    claims: Claims = np.abs(values - points) <= _SAME * np.abs(points)
    return claims
