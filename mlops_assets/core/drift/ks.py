"""Kolmogorov-Smirnov distance on a sketch: a second opinion that sees no bins and no missing values."""

import numpy as np

from mlops_assets.core.drift.shares import Counts


def ks_distance(reference: Counts, live: Counts) -> float | None:
    """sup |F - G| over the sketch's points and just below them, 0 .. 1; None when either side has no numbers.

    Both arguments are exact counts in the 2 K + 1 cells of one sketch (see `profile.counting`). The true distance
    between the two samples is at least this and at most this + `ks_resolution(reference)`.

    Reference: Smirnov (1948); equals `scipy.stats.ks_2samp(...).statistic` when every value is a point of the sketch.

    >>> ks_distance(np.array([0, 5, 0, 5, 0]), np.array([0, 2, 0, 8, 0]))
    0.3
    """
    n, m = int(reference.sum()), int(live.sum())
    if not (n and m):
        return None
    apart = np.cumsum(reference) * m - np.cumsum(live) * n  # integers: exact below 3e9 x 3e9 rows
    return float(np.abs(apart).max() / (n * m))


def ks_resolution(reference: Counts) -> float:
    """The largest share of the reference between two neighbouring points, at most 1/500: what the sketch cannot see."""
    n = int(reference.sum())
    return float(reference[0::2].max() / n) if n else 0.0
