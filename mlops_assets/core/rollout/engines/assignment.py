"""Do the requests fall on the arms as the share says? A rollout that loses or misroutes requests cannot be judged.

Sample-ratio check (Lindon & Malek 2022, "Anytime-valid inference for multinomial count data"), here as a two-sided
mixture of likelihood ratios: a test martingale over assignments, exact when each request is assigned by itself.
Where units of many requests are assigned (`RolloutPlan.unit`), the part of the requests that an arm gets is itself
luck: then only odds that are off by more than `SLACK` count.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from mlops_assets.core.rollout.engines.rates import log_mean_exp
from mlops_assets.declare.errors import DataError

FAULT = math.log(1000)  # evidence at which the rollout is not to be judged
ODDS = (1.1, 1.25, 1.5, 2.0, 5.0)  # by how much the odds may be off, either way
# Of the shipped flights four weeks at a share of 5 %, split by aircraft, have odds off by luck alone by up to 1.53
# (400 salts); without slack the check calls 6 to 28 % of sound rollouts faulty.
SLACK = 2.0


class Assigned(NamedTuple):
    """Requests assigned to either arm while the challenger's share was `share`, in (0, 1)."""

    share: float
    champion: int
    challenger: int


def log_fault(assigned: Iterable[Assigned], *, slack: float = 1.0) -> float:
    """Log evidence against "the odds of the challenger are the share's, up to a factor `slack` either way".

    Raises DataError for a share outside (0, 1) or counts below 0.

    >>> log_fault([])
    0.0
    >>> log_fault([Assigned(0.05, champion=9_500, challenger=500)]) < 0
    True
    >>> log_fault([Assigned(0.05, champion=9_500, challenger=400)]) > FAULT
    True
    """
    counts = list(assigned)
    for share, champion, challenger in counts:
        if not 0 < share < 1:
            raise DataError(f"share == {share}, must lie between 0 and 1: elsewhere nothing is assigned by chance.")
        if champion < 0 or challenger < 0:
            raise DataError(f"{champion} and {challenger} requests, must be counts >= 0.")
    sides = [(slack, slack * odds) for odds in ODDS] + [(1 / slack, 1 / (slack * odds)) for odds in ODDS]
    return log_mean_exp(math.fsum(_ratio(count, null, odds) for count in counts) for null, odds in sides)


def _ratio(count: Assigned, null: float, odds: float) -> float:
    """Log likelihood ratio of odds multiplied by `odds` to odds multiplied by `null`."""
    share, champion, challenger = count
    weight = math.log((share * null + 1 - share) / (share * odds + 1 - share))
    return challenger * (math.log(odds / null) + weight) + champion * weight
