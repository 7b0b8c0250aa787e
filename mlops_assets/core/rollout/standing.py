"""Where a rollout stands by its events alone: each follows on the one before and, if it lets more see it, is proven.

Here belongs folding the events. What a database says besides is believed only when it says the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from mlops_assets.core.rollout.certificate import flaw
from mlops_assets.core.rollout.events import FIRST, Event, Kind
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms, terms_of
from mlops_assets.core.rollout.transitions import applied
from mlops_assets.declare.errors import DamagedError, DataError, IllegalTransition


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The row after some events, the terms of its rollout (None before the first), and the hash of the last event.

    `queued` are the nominations of the versions that wait.
    """

    row: Row
    terms: Terms | None = None
    hash: str = FIRST
    queued: Mapping[int, Event] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def start(cls, use_case: str) -> "Standing":
        """Before any event: the baseline answers."""
        return cls(row=Row(use_case=use_case))

    def after(self, event: Event) -> "Standing":
        """Where it stands after the next event.

        Raises DamagedError when the event is not what was written or does not follow, IllegalTransition when it may
        not come here, or raises the share without proof.
        """
        where = f"event {event.epoch} of the rollouts of {self.row.use_case}"
        try:
            whole = event.computed_hash() == event.hash
        except DataError:
            whole = False
        if not whole:
            raise DamagedError(f"{where} is not what was written: compare with a backup and put back what is right.")
        if event.previous != self.hash:
            raise DamagedError(f"{where} does not follow on the one before: compare with a backup.")
        if event.kind.increases and (wrong := self.flaw(event)):
            raise IllegalTransition(f"{where}, {event.kind.value}, is not justified: {wrong}.")
        row = applied(self.row, event, self.terms)
        terms = terms_of(event.facts["terms"]) if event.kind is Kind.OPENED else self.terms
        waiting = dict(self.queued)
        if event.kind is Kind.QUEUED:
            waiting[row.waiting[-1]] = event
        queued = MappingProxyType({version: waiting[version] for version in row.waiting})
        return replace(self, row=row, terms=terms, hash=event.hash, queued=queued)

    def flaw(self, event: Event) -> str:
        """Why an event may not raise the share here; "" when it may."""
        if self.terms is None:
            return "no rollout was opened"
        return flaw(event.facts.get("certificate"), self.row, self.terms)


def fold(use_case: str, events: Iterable[Event]) -> Standing:
    """Where it stands after these events, in whatever order and however often they are told. Raises as `after`."""
    standing = Standing.start(use_case)
    for event in sorted({event.epoch: event for event in _same(events)}.values(), key=lambda event: event.epoch):
        standing = standing.after(event)
    return standing


def _same(events: Iterable[Event]) -> Iterable[Event]:
    met: dict[int, str] = {}
    for event in events:
        if met.setdefault(event.epoch, event.hash) != event.hash:
            raise DamagedError(f"there are two events with epoch {event.epoch}: compare with a backup.")
        yield event
