"""A lookup grid over the points of a sketch: from a value to its cell with one comparison instead of ten.

The fine cells are even steps in the value, or, for columns that span orders of magnitude, in its floating-point bits
(even steps in the logarithm). Either way the key is monotone in the value, so a fine cell without a point lies wholly
between two points, and one with a single point needs one comparison. No approximation: see `Grid.resolve`.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mlops_assets.core.profile.columns import Floats, Ints

SIZE = 1 << 14  # fine cells: three tables of this size fit the second-level cache together
_FIRST, _LAST = 0, SIZE - 1
# Thousandths of the points left to a search at either end: the more, the finer the grid is in the middle.
_OUTER = (0, 5, 20, 50)


@dataclass(frozen=True)
class Even:
    """Even steps of the value between `low` and `high`."""

    low: float
    steps: float  # per unit of the value

    def keys(self, values: Floats, keys: Ints, scaled: Floats) -> None:
        """Fine cell per value into `keys`; NaN in the first. `scaled` is scratch."""
        with np.errstate(over="ignore"):
            np.subtract(values, self.low, out=scaled)
            np.multiply(scaled, self.steps, out=scaled)
        np.fmax(scaled, _FIRST, out=scaled)
        np.minimum(scaled, _LAST, out=scaled)
        keys[...] = scaled


@dataclass(frozen=True)
class Bits:
    """Even steps of the bit pattern, for positive values: as integers, floats keep their order."""

    first: int
    shift: int

    def keys(self, values: Floats, keys: Ints, scaled: Floats) -> None:
        """Fine cell per value into `keys`; zero and negative values in the first, NaN in either end."""
        np.right_shift(values.view(np.int64), self.shift, out=keys)
        np.subtract(keys, self.first, out=keys)
        np.maximum(keys, _FIRST, out=keys)
        np.minimum(keys, _LAST, out=keys)


@dataclass(frozen=True)
class Grid:
    """Tables of SIZE fine cells: `base`, the cell of a value below every point of its fine cell; `edge`, that point
    (none: infinity); `crowded`: two points or more, or an end of the grid; `compared`: any of these.

    `shared`: about which share of the reference must be compared, 0 .. 1.
    """

    points: Floats
    scale: Even | Bits
    base: Ints = field(init=False)
    edge: Floats = field(init=False)
    crowded: npt.NDArray[np.bool_] = field(init=False)
    compared: npt.NDArray[np.bool_] = field(init=False)
    shared: float = field(init=False)

    def __post_init__(self) -> None:
        at = _keys(self.points, self.scale)
        inside = np.bincount(at, minlength=SIZE)
        edge = np.full(SIZE, np.inf)
        edge[at] = self.points
        crowded = inside > 1
        crowded[[_FIRST, _LAST]] = True
        compared = crowded | (inside > 0)
        gaps = np.diff(np.concatenate([[-1], at]))
        tables = {
            "base": 2 * (np.cumsum(inside) - inside),
            "edge": edge,
            "crowded": crowded,
            "compared": compared,
            "shared": 1 - len(self.points) / 511 + float(np.sum(1 / np.maximum(gaps, 1))) / 511,
        }
        for name, table in tables.items():
            object.__setattr__(self, name, table)

    def resolve(self, values: Floats, keys: Ints) -> Ints:
        """The cell of every value, 0 .. 2 K, and 2 K + 1 for NaN."""
        edges = np.take(self.edge, keys)
        cells = np.take(self.base, keys)
        cells += values >= edges
        cells += values > edges
        crowded = np.flatnonzero(np.take(self.crowded, keys))
        if len(crowded):
            among = values[crowded]
            missing = np.isnan(among)
            found = np.full(len(among), 2 * len(self.points) + 1)
            among = among[~missing]
            found[~missing] = np.searchsorted(self.points, among, "left") + np.searchsorted(self.points, among, "right")
            cells[crowded] = found
        return cells


def grid_over(points: Floats) -> Grid | None:
    """The grid in which fewer points crowd; None when the points span nothing (one point, or an overflowing range).

    >>> grid_over(np.array([0.0, 1.0, 2.0])).scale
    Even(low=-0.0001221001221001221, steps=8190.0)
    """
    if len(points) < 2:
        return None
    scales = [scale for outer in _OUTER for scale in _scales(points, len(points) * outer // 1000)]
    return Grid(points, min(scales, key=lambda scale: _searched(points, scale))) if scales else None


def _scales(points: Floats, outer: int) -> list[Even | Bits]:
    """Scales over the points without `outer` of them at either end, one fine cell to spare on both sides."""
    low, high = float(points[outer]), float(points[len(points) - 1 - outer])
    if not low < high:
        return []
    with np.errstate(over="ignore"):
        steps = float((SIZE - 4) / np.float64(high - low))
    start = low - 1 / steps if 0 < steps < np.inf else np.inf
    scales: list[Even | Bits] = [Even(start, steps)] if np.isfinite(start) else []
    if low > 0:
        first, last = np.array([low, high]).view(np.int64).tolist()
        shift = max(0, ((last - first) // (SIZE - 4)).bit_length())
        scales.append(Bits((first >> shift) - 1, shift))
    return scales


def _keys(values: Floats, scale: Even | Bits) -> Ints:
    keys = np.empty(len(values), dtype=np.int64)
    scale.keys(values, keys, np.empty(len(values)))
    return keys


def _searched(points: Floats, scale: Even | Bits) -> float:
    """The share of points that no single comparison settles, 0 .. 1."""
    at = _keys(points, scale)
    inside = np.bincount(at, minlength=SIZE)
    inside[[_FIRST, _LAST]] = 2
    return float((inside[at] > 1).mean())
