"""One call of a model: many rows of some requests, one after the other; how long it took, and what was wrong with it.

Here belongs what a call is and what it counts for. Who is called, and who answers instead, is `batching.py`'s business.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mlops_assets.core.rollout.words import Arm
from mlops_assets.declare import Task
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.asked import Piece
from mlops_assets.gateway.scoring import Scoring
from mlops_assets.gateway.slots import SlotError, Why
from mlops_assets.gateway.stats import Stats
from mlops_assets.stores.serving.watch import Routing

Array = npt.NDArray[np.float64]

CHAMPION_S = 2.0  # a champion's call that takes longer hangs
CHALLENGER_S = 1.0  # the most a challenger is waited for: the champion still has the time to answer
PER_ROW_S = 0.001  # of patience, more


class Caller:
    """Calls the models in their slots; `monotonic` is a clock in seconds."""

    def __init__(self, slots: Scoring, stats: Stats, monotonic: Callable[[], float]) -> None:
        self._slots, self._stats, self._monotonic = slots, stats, monotonic

    async def call(self, arm: Arm, version: int, pieces: Sequence[Piece], seconds: float) -> tuple[Array, int]:
        """The scores of all rows of the pieces, and how long the model took (us). Raises SlotError."""
        encoder = self._slots.encoder(version)
        try:
            if encoder is None:
                raise SlotError(Why.DIED, "its process died")
            arrays = [piece.array(encoder) for piece in pieces]
            rows = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
            began = self._monotonic()
            scores = await self._slots.score(version, rows, seconds + PER_ROW_S * len(rows))
        except DataError as wrong:
            self._stats.add("failed_calls_total", arm.value, Why.ERROR.value)
            raise SlotError(Why.ERROR, str(wrong)) from wrong
        except SlotError as failed:
            self._stats.add("failed_calls_total", arm.value, failed.why.value)
            raise
        took = self._monotonic() - began
        self._stats.took("scoring_seconds", took, arm.value)
        return scores, round(took * 1e6)


def rates_of(why: Why) -> str:
    """The rates that a call without scores counts for; a champion is waited for longer, so late is no error."""
    return {Why.INVALID: "invalid", Why.LATE: "slow"}.get(why, "error")


def also(one: str, other: str) -> str:
    """Two lists of rates as one."""
    return ",".join(filter(None, (one, other)))


def patience_with(routing: Routing) -> float:
    """How long a challenger is waited for: it is slow long before, and the champion must have the time to answer."""
    return min(2 * routing.plan.slow.total_seconds(), CHALLENGER_S) if routing.plan else CHALLENGER_S


def slow_of(routing: Routing, took_us: int, rows: int) -> str:
    """The rate "slow" when a call of so many rows was, else none."""
    if routing.plan is None or took_us <= 1e6 * (routing.plan.slow.total_seconds() + PER_ROW_S * rows):
        return ""
    return "slow"


def invalid_of(scores: Array, task: Task) -> npt.NDArray[np.bool_] | None:
    """Which scores are none: not finite, or no probability. None when all are."""
    with np.errstate(invalid="ignore"):
        valid = (scores >= 0) & (scores <= 1) if task is Task.CLASSIFICATION else np.isfinite(scores)
    return None if valid.all() else ~valid
