"""The words of a rollout: its stages, its arms, and what is seen of each answer.

Here belong records that every other room of the rollout speaks in; they decide nothing.
"""

from enum import Enum
from typing import NamedTuple

BASELINE = 0  # the version number of the declared baseline, which answers until a first model is final


class Stage(Enum):
    """Where a rollout stands. `IDLE`: there is none, the champion answers everything."""

    IDLE = "IDLE"
    PREPARING = "PREPARING"
    SHADOW = "SHADOW"
    CANARY = "CANARY"
    SOAK = "SOAK"
    FINALIZED = "FINALIZED"
    ROLLED_BACK = "ROLLED_BACK"
    REJECTED = "REJECTED"

    @property
    def terminal(self) -> bool:
        """True where this rollout is over: the next challenger may come."""
        return self in (Stage.IDLE, Stage.FINALIZED, Stage.ROLLED_BACK, Stage.REJECTED)


class Arm(Enum):
    """Which of the two models: the one that stands, or the one on its way."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Seen(NamedTuple):
    """One call of one model, as it was logged: under which `epoch`, at which challenger's `share`, and what was wrong.

    `assigned` is the arm the request belonged to, `arm` the one that was called; `mirrored` when nobody waited for the
    answer (shadow). `bad` holds the rates it counts for, a subset of `declare.rollout.RATES`.
    """

    epoch: int
    share: float
    assigned: Arm
    arm: Arm
    mirrored: bool
    bad: frozenset[str]


class Pair(NamedTuple):
    """A labelled request that both models answered. `block` is the ISO date of its block's first day."""

    epoch: int
    block: str
    label: float
    champion: float
    challenger: float
