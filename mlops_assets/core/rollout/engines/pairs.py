"""Which model errs more often on the same requests, when outcomes are independent and a loss is 0 or 1.

Only pairs on which the two differ say anything: `worse` ones, which the challenger alone got wrong, and `better` ones.
If the challenger is no worse, a discordant pair is a worse one with a chance of at most 1/2; the evidence is the
mixture of likelihood ratios over a uniform alternative above 1/2 (Robbins 1970; Johari et al. 2022).
"""

import math

from mlops_assets.declare.errors import DataError


def log_regress(worse: int, better: int) -> float:
    """Log evidence against "the challenger errs no more often", from the counts of discordant pairs.

    ln E = betaln(c+1, b+1) + ln P(Beta(c+1, b+1) > 1/2) - ln(1/2) + (c+b) ln 2. Raises DataError for counts below 0.

    >>> log_regress(0, 0)
    0.0
    >>> round(log_regress(30, 8), 2)
    5.66
    """
    if worse < 0 or better < 0:
        raise DataError(f"{worse} worse and {better} better pairs, must be counts >= 0.")
    if worse == better == 0:
        return 0.0
    from scipy.special import betainc, betaln

    above = float(betainc(better + 1, worse + 1, 0.5))  # P(Beta(c+1, b+1) > 1/2), by symmetry
    if above == 0:  # so much for the challenger that the chance underflows
        return -math.inf
    return float(betaln(worse + 1, better + 1)) + math.log(above) + (worse + better + 1) * math.log(2)
