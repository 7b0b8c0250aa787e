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
    """One row that one model was called with, as it was logged: under which `epoch`, at which challenger's `share`.

    `assigned` is the arm the row belonged to, `arm` the one that was called; `mirrored` when nobody waited for the
    answer (shadow). `bad` holds the rates its call counts for, a subset of `declare.rollout.RATES`. Rows that are
    scored in one call fail and wait together, so one of them stands for the call; `beside` are the others.
    """

    epoch: int
    share: float
    assigned: Arm
    arm: Arm
    mirrored: bool
    bad: frozenset[str]
    beside: bool = False


class Pair(NamedTuple):
    """A labelled request that both models answered. `block` is the ISO date of its block's first day."""

    epoch: int
    block: str
    label: float
    champion: float
    challenger: float
