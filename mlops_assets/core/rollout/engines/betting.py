"""A bounded mean, bet upon: is it below a bound? For outcomes that are independent of each other.

Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting": the capital
K_t = prod(1 + lambda_t (m - x_t)) is a supermartingale while the mean of x in [0, 1] is at least m, whatever else is
true of x; the bets lambda_t use only what was seen before.
"""

import math
from dataclasses import dataclass, replace

from mlops_assets.declare.errors import DataError

MOST = 0.5  # no bet may lose more than half of the capital


@dataclass(frozen=True, kw_only=True)
class Bet:
    """A running bet that the mean of x in [0, 1] is below `bound`: `log_capital` is log evidence.

    `alpha` is the level it is meant for: it tunes the bets, their validity does not hang on it.

    >>> bet = Bet(bound=0.5, alpha=0.05)
    >>> for _ in range(40):
    ...     bet = bet.after(0.3)
    >>> bet.log_capital > math.log(1 / 0.05)
    True
    """

    bound: float
    alpha: float
    count: int = 0
    total: float = 0.0
    spread: float = 0.0
    log_capital: float = 0.0

    def after(self, x: float) -> "Bet":
        """The bet after one more value. Raises DataError unless it lies in [0, 1]."""
        if not 0 <= x <= 1:
            raise DataError(f"x == {x}, must lie in [0, 1]: scale by the declared bounds of the loss.")
        # the bet is placed before x is seen, on mean and spread so far, shrunk to 1/2 and 1/4 (their eq. 15)
        turn = self.count + 1
        spread = (0.25 + self.spread) / turn
        size = math.sqrt(2 * math.log(1 / self.alpha) / (spread * turn * math.log(turn + 1)))
        stake = min(size, MOST / (1 - self.bound)) if self.bound < 1 else size  # of a sure thing nothing is lost
        mean = (0.5 + self.total + x) / (turn + 1)
        return replace(
            self,
            count=turn,
            total=self.total + x,
            spread=self.spread + (x - mean) ** 2,
            log_capital=self.log_capital + math.log1p(stake * (self.bound - x)),
        )

    def to_json(self) -> list[float]:
        """What changes with each value; `bound` and `alpha` are the plan's."""
        return [self.count, self.total, self.spread, self.log_capital]

    def at(self, count: int, total: float, spread: float, log_capital: float) -> "Bet":
        """The same bet at what `to_json` gave. Raises DataError for what no values come to."""
        if type(count) is not int or not (0 <= total <= count and 0 <= spread <= count and math.isfinite(log_capital)):
            raise DataError(
                f"stored evidence has a bet at {(count, total, spread, log_capital)}: no values come to it."
            )
        return replace(self, count=count, total=total, spread=spread, log_capital=log_capital)
