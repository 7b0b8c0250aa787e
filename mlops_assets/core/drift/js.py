"""Jensen-Shannon distance: a second opinion on the bins, bounded where PSI is not."""

import math

import numpy.typing as npt

from mlops_assets.core.drift.shares import both_seen


def js_divergence(reference: npt.ArrayLike, live: npt.ArrayLike) -> float:
    """Jensen-Shannon divergence of two rows of bin counts, in nats, 0 .. ln 2. For small shifts it is PSI / 8.

    No smoothing: an empty bin adds what it must. Raises DataError when either side has no rows.

    >>> round(8 * js_divergence([500, 500], [400, 600]), 4)
    0.0405
    """
    counts = both_seen(reference, live)
    n, m = counts.sum(axis=1).tolist()
    terms = []
    for c, d in counts.T.tolist():
        p, q = c / n, d / m
        middle = (p + q) / 2
        terms += [share / 2 * math.log(share / middle) for share in (p, q) if share]
    return max(0.0, math.fsum(terms))


def js_distance(reference: npt.ArrayLike, live: npt.ArrayLike) -> float:
    """Jensen-Shannon distance, base 2, 0 .. 1: the square root of the divergence in bits; a metric.

    Reference: Endres and Schindelin, A New Metric for Probability Distributions (2003); equals
    `scipy.spatial.distance.jensenshannon(p, q, base=2)`.

    >>> js_distance([10, 0], [0, 10])
    1.0
    """
    return math.sqrt(js_divergence(reference, live) / math.log(2))
