"""How a gateway follows its rollout: the row as it is now, as far as it holds, for microseconds a look.

Here belongs what is honoured. A row counts when it follows from the events, and these from certificates that are judged
here once more; a share counts while a controller is heard of. Otherwise the champion answers everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlops_assets.core.rollout.router import answering
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Arm
from mlops_assets.declare.errors import MlopsError
from mlops_assets.declare.rollout import RolloutPlan
from mlops_assets.stores.serving.database import Changes, Unavailable
from mlops_assets.stores.serving.lease import Lease, Silence
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.stored import columns_of, missing, peek, read_events

_RETRY_S = 0.2  # a database that does not answer is asked again this much later: no request waits for it


@dataclass(frozen=True)
class Routing:
    """Who answers now. `row.share` is the share in force: 0 unless the row is `honoured` and a controller `alive`.

    `plan` is that of the running rollout (None before the first); `fault` says why a row is not honoured.
    """

    row: Row
    plan: RolloutPlan | None
    alive: bool
    honoured: bool
    fault: str = ""

    def answering(self, place: float) -> Arm:
        """The arm that answers a unit at `place` (`router.unit_hash`)."""
        return answering(self.row, place, self.alive and self.honoured)


class Watch:
    """A gateway's eye on its rollouts. For one thread; `monotonic` is a clock in seconds. `current` never raises."""

    def __init__(self, rollouts: Rollouts, monotonic: Callable[[], float]) -> None:
        self._rollouts, self._monotonic = rollouts, monotonic
        self._standing = Standing.start(rollouts.use_case)  # after the last event that holds
        self._columns: dict[str, Any] | None = None  # of the row that was last read
        self._lease: Lease | None = None
        self._silence = Silence(monotonic)
        self._changes: Changes | None = None
        self._seen: object = None
        self._fault, self._away, self._again = "nothing was read yet", False, -float("inf")
        self._routing: Routing | None = None
        self._made_of: tuple[object, ...] = ()

    def current(self) -> Routing:
        """Who answers now."""
        self._look()
        plan = self._standing.terms.plan if self._standing.terms else None
        silent_s = self._silence.of("lease", self._lease)
        alive = plan is not None and silent_s <= plan.silence.total_seconds()
        made_of = (self._standing, alive, self._fault)
        if self._routing is None or made_of != self._made_of:
            honoured, row = not self._fault, self._standing.row
            self._routing = Routing(row if alive and honoured else row.alone(), plan, alive, honoured, self._fault)
            self._made_of = made_of
        return self._routing

    def close(self) -> None:
        """Let go of its connection; the next look opens another."""
        if self._changes is not None:
            self._changes.close()
        self._changes = self._seen = None

    def _look(self) -> None:
        """Read what changed since the last look."""
        if self._away and self._monotonic() < self._again:
            return
        seen: object = None
        try:
            if self._changes is None:
                self._changes = self._rollouts.database.changes()
            seen = self._changes.version()
            if seen == self._seen:
                return
            self._fault, self._away = self._read(), False
            self._seen = seen
        except (MlopsError, ValueError, TypeError) as refused:
            self._fault, self._away = str(refused), isinstance(refused, Unavailable)
            self._seen = None if self._away else seen
            self._changes = None if self._away else self._changes  # it may have looked at what is there no more
            self._again = self._monotonic() + _RETRY_S

    def _read(self) -> str:
        """What is wrong with row and events as they are; "" when they hold."""
        with self._rollouts.database.glancing() as connection:
            columns, self._lease = peek(connection, self._rollouts.use_case)
        if columns == self._columns and not self._fault:
            return ""
        with self._rollouts.database.reading() as connection:  # one moment: the row belongs to the events
            self._columns, _ = peek(connection, self._rollouts.use_case)
            events = read_events(connection, self._rollouts.use_case, self._standing.row.epoch - 1)
        if wrong := missing(self._standing, events):
            return wrong
        for event in events[1:] if self._standing.row.epoch else events:
            self._standing = self._standing.after(event)
        return _difference(self._columns, self._standing.row)


def _difference(columns: dict[str, Any] | None, row: Row) -> str:
    """Why the row in the table is not the one the events give; "" when it is."""
    should = columns_of(row) if row.epoch else None
    if columns == should:
        return ""
    if columns is None or should is None:
        return f"the row of {row.use_case} is gone, or there is one without an event"
    changed = ", ".join(f"{name} == {columns.get(name)!r}, not {should[name]!r}" for name in should
                        if columns.get(name) != should[name])  # fmt: skip
    return f"the row of {row.use_case} does not follow from its events: {changed}: it was changed by hand"
