"""Model versions loaded in this process, for a replay: ready at once, and one that shall fail fails when it should.

It has what a gateway asks of its slots (`gateway/scoring.py`). A version is verified and probed like any that is
served; a fault that is planted is told as what the real one would be.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import UseCase
from mlops_assets.gateway.columns import ColumnEncoder
from mlops_assets.gateway.slots import Array
from mlops_assets.stores.settings import Settings


class Fault(Enum):
    """How a version is spoiled: its answers are turned round, it throws, it takes 10 s, it answers with no number."""

    WRONG = "wrong"
    BROKEN = "broken"
    SLOW = "slow"
    NAN = "nan"


@dataclass(frozen=True)
class Spoil:
    """A fault that a version has from the stage `since` of its rollout on."""

    fault: Fault
    since: Stage


class LocalSlots:
    """The loaded versions. `spoils` may be changed at any time; a call that is slow passes `seconds` of the clock."""

    def __init__(
        self, use_case: UseCase, places: Settings, *, row: Callable[[], object], passes: Callable[[float], None],
        spoils: Mapping[int, Spoil],
    ) -> None:  # fmt: skip
        raise NotImplementedError

    def keep(self, versions: Iterable[int], baseline_of: int) -> None:
        """Load these versions, let go of all others."""

    @property
    def states(self) -> dict[int, str]:
        """Version -> "ready", or "refused: " and why."""
        raise NotImplementedError

    def encoder(self, version: int) -> ColumnEncoder | None:
        """The encoder of a version that has been loaded."""

    async def score(self, version: int, rows: Array, seconds: float) -> Array:
        """What a version says to encoded rows, float64 `[rows]`. Raises SlotError."""
        raise NotImplementedError
