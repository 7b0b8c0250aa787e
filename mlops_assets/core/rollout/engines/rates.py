"""Which model fails more often: evidence from counts of bad answers, valid however often it is looked at.

Given that an answer was bad, the chance that it was the challenger's depends only on `rho`, how many times as often the
challenger fails, and on `share`, the challenger's part of the calls: theta(rho, share) = share rho / (share rho + 1 -
share). So the likelihood ratio of two values of `rho` is a product over bad answers, and a mixture of such ratios
against a fixed one is a test martingale (Ville 1939; Robbins 1970; Ramdas et al. 2023, "Game-theoretic statistics and
safe anytime-valid inference"): that it ever reaches 1 / alpha has a chance of at most alpha while the hypothesis holds.

The state is counts, by share: integers that add up the same in any order; logarithms are taken once, at the end.
`share` may be the share that was meant (then the above is exact) or the part that was realised, calls of the challenger
over calls of both: where a bounded shadow drops calls or an arm's units ask more often than others, only the latter
is right. At each look it is an e-value still: given the calls, bad answers fall on the arms like draws without
replacement, for which a convex function expects no more than with replacement (Hoeffding 1963, theorem 4); that looking
on does no harm is simulated in the tests (false alarms 2.2 % at 5 %, fewer where bad answers are frequent).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlops_assets.declare.errors import DataError

WORSE = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)  # how much worse a challenger to be found might be
BETTER = (0.2, 0.35, 0.5, 0.67, 0.8, 0.9)  # how far below the margin a challenger to be certified might be
RARE = (0.0, 0.1, 0.25, 0.5)  # likewise below an absolute bound


class Bad(NamedTuple):
    """Bad answers of both arms while the challenger had this `share` of the calls, in (0, 1)."""

    share: float
    champion: int
    challenger: int


def log_regress(bad: Sequence[Bad]) -> float:
    """Log evidence against "the challenger fails no more often than the champion" (rho <= 1).

    Raises DataError for a share outside (0, 1) or a count below 0.

    >>> log_regress([])
    0.0
    >>> round(log_regress([Bad(0.05, champion=9, challenger=12)]), 1)  # 12 of 21 at a share of 5 %
    20.0
    """
    return log_mean_exp(_against(bad, null=1.0, rho=rho) for rho in WORSE)


def log_certify(bad: Sequence[Bad], margin: float) -> float:
    """Log evidence against "the challenger fails at least `margin` times as often as the champion", `margin` > 1.

    Raises DataError as `log_regress`, and for another margin.

    >>> round(log_certify([Bad(0.5, champion=60, challenger=60)], margin=3.0), 1)
    15.5
    """
    if not (math.isfinite(margin) and margin > 1):
        raise DataError(f"margin == {margin}, must be above 1: see Step.margin.")
    return log_mean_exp(_against(bad, null=margin, rho=margin * part) for part in BETTER)


def log_rare(calls: int, bad: int, most: float) -> float:
    """Log evidence against "the challenger's rate of bad answers is at least `most`", by its calls alone.

    Raises DataError unless 0 <= bad <= calls and 0 < most < 1.

    >>> log_rare(0, 0, most=0.01)
    0.0
    >>> round(log_rare(600, 0, most=0.01), 2)
    5.24
    """
    if not 0 <= bad <= calls:
        raise DataError(f"{bad} bad of {calls} calls, must lie between 0 and the calls.")
    if not 0 < most < 1:
        raise DataError(f"most == {most}, must lie between 0 and 1: see RolloutPlan.most_bad.")
    good = calls - bad
    ratios = [good * (math.log1p(-most * part) - math.log1p(-most)) for part in RARE]
    return log_mean_exp(
        ratio + (bad * math.log(part) if part else -math.inf) if bad else ratio
        for ratio, part in zip(ratios, RARE, strict=True)
    )


def log_mean_exp(logs: Iterable[float]) -> float:
    """The logarithm of the mean of exp(logs), without overflow; in the order given, so the same bits every time.

    >>> log_mean_exp([0.0, -math.inf]) == math.log(0.5)
    True
    """
    values = list(logs)
    top = max(values)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))


def _against(bad: Sequence[Bad], *, null: float, rho: float) -> float:
    """Log likelihood ratio of `rho` to `null`."""
    total = []
    for share, champion, challenger in bad:
        if not 0 < share < 1:
            raise DataError(f"share == {share}, must lie between 0 and 1: without both arms nothing is compared.")
        if champion < 0 or challenger < 0:
            raise DataError(f"{champion} and {challenger} bad answers, must be counts >= 0.")
        # theta(rho) / theta(null) and its complement, with the common parts cancelled
        weight = math.log((share * null + 1 - share) / (share * rho + 1 - share))
        total.append(challenger * (math.log(rho / null) + weight) + champion * weight)
    return math.fsum(total)
