"""A gateway in this process, on clocks that a replay turns: the same parts as `gateway/worker.py`, no thread, no port.

Here belongs in which order things happen within a stretch of event time. What is answered, judged and decided is the
gateway's own business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_assets.core.rollout.events import Event
from mlops_assets.declare import UseCase
from mlops_assets.replay.local_slots import Spoil
from mlops_assets.replay.stretches import Stretch
from mlops_assets.stores.settings import Settings

TICK_S = 0.25  # of the logical clock


@dataclass
class Clock:
    """The two clocks of a replay: `us` is event time (us since 1970), `seconds` never goes back."""

    us: int = 0
    seconds: float = 0.0


@dataclass(kw_only=True)
class Counts:
    """What became of requests, and the events that controllers decided, in order. `not_asked`: there was no model."""

    asked: int = 0
    answered: int = 0
    refused: int = 0
    not_asked: int = 0
    told: int = 0  # outcomes
    events: list[Event] = field(default_factory=list)


class Tower:
    """The gateway of one use case at `places`; use it in `with`. What it counts is in `counts`.

    `spoils` (version -> `Spoil`) may be changed while it runs. The same stretches and clocks give the same rollout
    events, evidence and prediction log, byte for byte.
    """

    def __init__(
        self, use_case: UseCase, places: Settings, clock: Clock, *, name: str = "replay",
        spoils: Mapping[int, Spoil] | None = None,
    ) -> None:  # fmt: skip
        self.counts = Counts()
        self.spoils = dict(spoils or {})
        raise NotImplementedError

    def __enter__(self) -> "Tower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def play(self, stretch: Stretch) -> list[Event]:
        """Play a stretch; the events that were decided in it. `clock.us` is its `until_us` afterwards."""
        raise NotImplementedError

    def tick(self) -> list[Event]:
        """Let the controller do what there is to do now, until nothing changes; the ledger knows it afterwards."""
        raise NotImplementedError

    def close(self) -> None:
        """End in order: answers are in the log, the lease is free."""

    def crash(self) -> None:
        """End as if killed: nothing is let go of. Another one in its place leads after the plan's silence."""
