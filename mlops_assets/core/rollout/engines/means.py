"""The mean of a quantity without bounds, for outcomes that are independent: bounds that hold at every look, for many.

Asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory
and asymptotic confidence sequences", theorem 2.2). It rests on large numbers, so it says nothing below `LEAST`.
"""

import math

from mlops_assets.declare.errors import DataError

LEAST = 1000
_TIGHTEST = 1000  # the count at which the bounds are meant to be tightest


def half_width(count: int, deviation: float, alpha: float) -> float:
    """How far the mean of `count` values with this standard deviation may be off; infinite below `LEAST` values.

    s sqrt(2 (n r^2 + 1) / (n^2 r^2) ln(sqrt(n r^2 + 1) / alpha)) for one side at `alpha`, r tuned to be tightest at
    about `LEAST` values. Raises DataError for a negative or not finite deviation.

    >>> half_width(999, 1.0, 0.05)
    inf
    >>> round(half_width(10_000, 1.0, 0.05), 4)
    0.0326
    """
    if not 0 <= deviation < math.inf:
        raise DataError(f"standard deviation == {deviation}, must be finite and >= 0.")
    if count < LEAST:
        return math.inf
    # their eq. 10: r^2 that minimises the width at a count of `_TIGHTEST`
    r2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / _TIGHTEST
    scaled = count * r2 + 1
    return deviation * math.sqrt(2 * scaled / (count * count * r2) * math.log(math.sqrt(scaled) / alpha))
