"""Three-valued verdicts: proven drift, proven stability, or not enough rows to tell.

The rules of single measures. What a table of columns means together is `table.py`.
"""

import math
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a measure says of one column."""

    DRIFT = "DRIFT"
    STABLE = "STABLE"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class Judged:
    """`p_drift`: chance of a measure this large were the truth at the threshold; `p_stable`: of one this small."""

    verdict: Verdict
    p_drift: float
    p_stable: float


UNDECIDED = Judged(Verdict.INSUFFICIENT_DATA, 1.0, 1.0)  # no rows, no evidence


def judge_psi(psi: float, *, noise: float, bins: int, threshold: float, alpha: float) -> Judged:
    """The raw PSI (nats, not bias-corrected) against a threshold (nats), both sides at alpha / 2.

    PSI is about `noise` x noncentral chi-squared of `bins` - 1 degrees, noncentrality true PSI / noise; `noise` is
    1/n + 1/m. DRIFT: even a true PSI at the threshold would seldom look this large. STABLE: it would seldom look this
    small. On 10 bins, n = 10 000 and m = 1 000, a shift of .4 sd is found 60 % of the time at a threshold of .1.

    Reference: Yurdakul (2018) for the central case; statistics of the noncentral one simulated in the tests.

    >>> judge_psi(0.35, noise=1 / 10_000 + 1 / 1_000, bins=10, threshold=0.2, alpha=0.05).verdict.value
    'DRIFT'
    >>> judge_psi(0.35, noise=1 / 10_000 + 1 / 50, bins=10, threshold=0.2, alpha=0.05).verdict.value
    'INSUFFICIENT_DATA'
    """
    below = _noncentral_chi2_cdf(psi / noise, bins - 1, threshold / noise)
    return Judged(_three_way(1 - below, below, alpha / 2), 1 - below, below)


def judge_js(divergence: float, *, noise: float, bins: int, threshold: float, alpha: float) -> Judged:
    """The Jensen-Shannon divergence (nats) by the rule of PSI: for small shifts 8 x divergence is PSI, noise and all.

    `threshold` is PSI's (nats), so the two measures answer one question.

    >>> judge_js(0.02, noise=1 / 10_000 + 1 / 3_000, bins=10, threshold=0.1, alpha=0.05).verdict.value
    'DRIFT'
    """
    return judge_psi(8 * divergence, noise=noise, bins=bins, threshold=threshold, alpha=alpha)


def judge_ks(distance: float, *, n: int, m: int, resolution: float, threshold: float, alpha: float) -> Verdict:
    """The KS distance on a sketch against a threshold, with a margin of sampling (n, m rows that hold numbers).

    The margin is sqrt(ln(2 / alpha) / 2) sqrt(1/n + 1/m), 1.358 sqrt(...) at alpha = .05; `resolution` is what the
    sketch may hide, so it counts against STABLE only.

    Reference: Smirnov (1948), the asymptotic law; distribution-free.

    >>> judge_ks(0.15, n=10_000, m=3_000, resolution=0.002, threshold=0.1, alpha=0.05).value
    'DRIFT'
    """
    margin = math.sqrt(math.log(2 / alpha) / 2) * math.sqrt(1 / n + 1 / m)
    if distance - margin >= threshold:
        return Verdict.DRIFT
    return Verdict.STABLE if distance + resolution + margin < threshold else Verdict.INSUFFICIENT_DATA


def _three_way(p_drift: float, p_stable: float, level: float) -> Verdict:
    if p_drift < level:
        return Verdict.DRIFT
    return Verdict.STABLE if p_stable < level else Verdict.INSUFFICIENT_DATA


def _noncentral_chi2_cdf(x: float, degrees: int, noncentrality: float) -> float:
    from scipy.special import chndtr, ndtr  # scipy.stats.ncx2 is the same law at a hundred times the cost

    if degrees == 0:  # one bin on both sides: all the law that is left is its mass at zero
        return math.exp(-noncentrality / 2) if x <= 0 else 1.0
    below = float(chndtr(x, degrees, noncentrality))
    if math.isnan(below):  # far out the series gives up, and the law is normal
        below = float(ndtr((x - degrees - noncentrality) / math.sqrt(2 * (degrees + 2 * noncentrality))))
    return min(max(below, 0.0), 1.0)
