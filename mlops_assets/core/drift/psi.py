"""Population stability index: the gate of data drift."""

import math

import numpy as np
import numpy.typing as npt

from mlops_assets.core.drift.shares import both_seen


def psi(reference: npt.ArrayLike, live: npt.ArrayLike) -> float:
    """PSI of two rows of bin counts, in nats, >= 0 and unbounded: the symmetrised Kullback-Leibler divergence.

    `sum (q_i - p_i) ln(q_i / p_i)`, shares smoothed by half a row per bin; bins empty on both sides do not count.
    Symmetric, 0 for equal counts of equal rows, biased upwards by sampling (see `corrected_psi`).
    Raises DataError when either side has no rows or the bins do not pair.

    References: Siddiqi, Credit Risk Scorecards (2006); Yurdakul, Statistical Properties of PSI (2018); the half row
    is Krichevsky and Trofimov (1981).

    >>> round(psi([500, 500], [400, 600]), 4)
    0.0405
    """
    counts = both_seen(reference, live)
    n, m = counts.sum(axis=1).tolist()
    bins = counts.shape[1]
    terms = []
    for c, d in counts.T.tolist():
        p, q = (c + 0.5) / (n + 0.5 * bins), (d + 0.5) / (m + 0.5 * bins)
        terms.append((q - p) * math.log(q / p))
    return math.fsum(terms)


def sampling_noise(reference: npt.ArrayLike, live: npt.ArrayLike) -> tuple[float, int]:
    """(s, B): PSI is about s times a noncentral chi-squared of B - 1 degrees, s = 1/n + 1/m, B bins in use."""
    counts = both_seen(reference, live)
    n, m = counts.sum(axis=1).tolist()
    return 1 / n + 1 / m, counts.shape[1]


def corrected_psi(reference: npt.ArrayLike, live: npt.ArrayLike) -> float:
    """PSI without what sampling alone adds, in nats: max(0, psi - (B - 1) (1/n + 1/m)).

    >>> corrected_psi([5000, 5000], [52, 48])
    0.0
    """
    s, bins = sampling_noise(reference, live)
    return max(0.0, psi(reference, live) - (bins - 1) * s)


def decile_psi_of_normal_shift(shift: float) -> float:
    """PSI of N(0, 1) against N(shift, 1) on ten reference deciles, without sampling: a figure to compare with, nats.

    >>> round(decile_psi_of_normal_shift(0.5), 4)
    0.2377
    """
    from scipy.special import ndtr, ndtri

    edges = np.concatenate([[-np.inf], ndtri(np.arange(1, 10) / 10), [np.inf]])
    p, q = np.diff(ndtr(edges)), np.diff(ndtr(edges - shift))
    return float(np.sum((q - p) * np.log(q / p)))
