"""A gateway in this process, on clocks that a replay turns: the parts of `gateway/worker.py` without thread or port.

Here belongs in which order things happen within a stretch of event time. What is answered, judged and decided is the
gateway's own business.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.core.rollout.events import Event
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import UseCase
from mlops_assets.gateway.asked import Answer
from mlops_assets.gateway.batching import MOST_REQUESTS, Batcher
from mlops_assets.gateway.controller import Controller
from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.requests import Asking
from mlops_assets.gateway.stats import Slab
from mlops_assets.gateway.worker import BEAT_S, TICK_S
from mlops_assets.replay.local_slots import LocalSlots, Spoil
from mlops_assets.replay.questions import questions
from mlops_assets.replay.stretches import Asks, Stretch
from mlops_assets.replay.timeline import Matured
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.predictions import Labelled, PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Watch
from mlops_assets.stores.settings import Settings

_MOST_TICKS = 16  # at once; what is not decided by then waits for the next stretch


@dataclass
class Clock:
    """The two clocks of a replay: `us` is event time (us since 1970), `seconds` never goes back."""

    us: int = 0
    seconds: float = 0.0

    def passes(self, seconds: float) -> None:
        """Let so much time go by, as processes count it; event time stands."""
        self.seconds += seconds


@dataclass(kw_only=True)
class Counts:
    """What became of requests (`not_asked`: there was no model yet), the outcomes `told`, what was decided."""

    asked: int = 0
    answered: int = 0
    refused: int = 0
    not_asked: int = 0
    told: int = 0
    events: list[Event] = field(default_factory=list)


class Tower:
    """The gateway of one use case at `places`; use it in `with`, for one thread. What it counts is in `counts`.

    `spoils` (version -> `Spoil`) may be changed while it runs. The same stretches on the same clocks give the same
    events, evidence and prediction log, byte for byte. The log is left to the operating system to bring to disk.
    """

    def __init__(
        self,
        use_case: UseCase,
        places: Settings,
        clock: Clock,
        *,
        name: str = "replay",
        spoils: Mapping[int, Spoil] | None = None,
    ) -> None:
        self.clock, self.counts, self.spoils = clock, Counts(), dict(spoils or {})
        self._name = name
        self._rollouts = Rollouts(places.serving, use_case.name, synced=False)
        self._log = PredictionLog(places.serving, use_case, replayed=True)
        self._watch = Watch(self._rollouts, self._monotonic)
        self._slots = LocalSlots(use_case, places, row=lambda: self.row, passes=clock.passes, spoils=self.spoils)
        self._batcher = Batcher(
            use_case.label.task, watch=self._watch, slots=self._slots, log=self._log, rollouts=self._rollouts,
            stats=Slab().of(0), clock_us=self._clock_us, monotonic=self._monotonic, name=name, aside=_at_once,
            apart=True,
        )  # fmt: skip
        self._asking = Asking(use_case, places.online, self._clock_us)
        self._controller = Controller(
            self._rollouts, self._log, None, clock_us=self._clock_us, monotonic=self._monotonic, name=name
        )
        self._mirror = Mirror(self._rollouts, places.records)
        self._loop = asyncio.new_event_loop()
        self._said: object = None  # of the slots, to the controllers; when
        self._beaten = 0.0
        self._epoch = 0  # up to which events were told
        self._settled = -1  # the epoch at which the last tick left it
        self._open = True

    def __enter__(self) -> "Tower":
        self._epoch = self._rollouts.row().epoch
        self._mirror.catch_up()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def row(self) -> Row:
        """The rollout as it is now."""
        return self._watch.current().row

    def play(self, stretch: Stretch) -> list[Event]:
        """Play a stretch: outcomes, requests, decisions; what was decided. It is `until_us` afterwards.

        Decisions come first where the rollout was changed from outside, so that a new challenger is asked at once.
        """
        self.clock.us = stretch.at_us
        decided = [] if self.row.epoch == self._settled else self.tick()
        row = self.row
        has_model = row.champion or row.baseline_of
        if has_model:
            self._tell(stretch.matured)
        self.clock.us = stretch.until_us
        if not has_model:
            self.counts.not_asked += len(stretch.asked.ids)
        elif stretch.asked.ids:
            self._run(self._ask(stretch.asked))
        return decided + self.tick()

    def tick(self) -> list[Event]:
        """Let the controller decide until nothing changes, and tell the ledger: what was decided since the last tick,

        whoever did.
        """
        for _ in range(_MOST_TICKS):
            self.clock.passes(TICK_S)
            row = self._beat()
            if self._controller.tick() is None and row.stage is not Stage.PREPARING:
                break
        self._settled = self.row.epoch
        if self._settled == self._epoch:
            return []
        decided = self._rollouts.events(self._epoch)
        self._epoch = decided[-1].epoch
        self._mirror.catch_up()
        self.counts.events += decided
        return decided

    def close(self) -> None:
        """End in order: whoever comes next may lead at once. Nothing after a crash."""
        if self._open:
            self._controller.close()
            self._rollouts.heartbeats.leave(self._name)
            self._end()

    def crash(self) -> None:
        """End as if killed: the lease is not let go of. Whoever comes next leads after the plan's silence."""
        if self._open:
            self._end()

    # --- parts of a stretch ----------------------------------------------------------------------------------------

    def _beat(self) -> Row:
        """Bring the slots in step with the rollout, and say so: at once when it is news, else every second."""
        row = self.row
        if row.champion or row.baseline_of:
            self._slots.keep(row.warm, row.baseline_of)
        said = (row.epoch, self._slots.states)
        if said != self._said or self.clock.seconds - self._beaten >= BEAT_S:
            self._said, self._beaten = said, self.clock.seconds
            self._rollouts.heartbeats.beat(self._name, *said)
        return row

    def _tell(self, matured: Sequence[Matured]) -> None:
        """Log outcomes as the feed does."""
        records = [
            Labelled(id=one.id, label=float(one.label), known_us=one.known_us, arrived_us=self.clock.us)
            for one in matured
        ]
        if records:
            self._log.put(records).result()
            self.counts.told += len(records)

    async def _ask(self, asks: Asks) -> None:
        """Ask all at once, as far as a gateway admits it, and wait until nothing is under way."""
        asked = await questions(self._asking, asks)
        self.counts.asked += len(asks.ids)
        self.counts.refused += len(asks.ids) - len(asked)
        for n in range(0, len(asked), MOST_REQUESTS):
            answers = (self._batcher.answer(id_, question, "") for id_, question in asked[n : n + MOST_REQUESTS])
            found = await asyncio.gather(*answers, return_exceptions=True)
            await self._batcher.idle()
            for one in found:
                if isinstance(one, Answer):
                    self.counts.answered += 1
                elif isinstance(one, Refused):
                    self.counts.refused += 1
                else:
                    raise one

    # --- its life --------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._batcher.start()

    def _end(self) -> None:
        self._open = False
        self._run(self._batcher.close())
        self._loop.close()
        self._asking.close()
        self._log.close()
        self._watch.close()
        self._rollouts.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def _clock_us(self) -> int:
        return self.clock.us

    def _monotonic(self) -> float:
        return self.clock.seconds


async def _at_once(work: Callable[..., None], *given: Any) -> None:
    work(*given)
