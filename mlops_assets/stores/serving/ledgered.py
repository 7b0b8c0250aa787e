"""The events of the rollouts told to the ledger: one entry for each, the aliases and stages that follow.

Here belongs the way from the one to the other. It comes after the decision and is never in its way: what could not be
told is told later, what was told is told once, whoever was killed in between.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import BASELINE
from mlops_assets.declare.errors import DataError, MlopsError
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.locks import alone
from mlops_assets.stores.records import Records, entry
from mlops_assets.stores.records.model_version import CHALLENGER, CHAMPION
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.tables import MIRRORED

CRASH_POINTS = (
    "mirror.aliased",  # the aliases of an event are in the ledger
    "mirror.told",  # so is its entry
)
ENTRY: Mapping[Kind, str] = {
    Kind.OPENED: entry.OPENED,
    Kind.QUEUED: entry.QUEUED,
    Kind.SUPERSEDED: entry.SUPERSEDED,
    Kind.READY: entry.ADVANCED,
    Kind.REFUSED: entry.REJECTED,
    Kind.ADVANCED: entry.ADVANCED,
    Kind.FINALIZED: entry.FINALIZED,
    Kind.PAUSED: entry.HELD,
    Kind.HELD: entry.HELD,
    Kind.RESUMED: entry.RESUMED,
    Kind.ROLLED_BACK: entry.ROLLED_BACK,
    Kind.RESTORED: entry.RESTORED,
}
_PATIENCE_S = 30.0
_LOG = logging.getLogger(__name__)


class Mirror:
    """Tells the ledger at `where` (`Settings.records`) of the rollouts of one use case."""

    def __init__(self, rollouts: Rollouts, where: str) -> None:
        self._rollouts, self._where = rollouts, where
        self._standing = Standing.start(rollouts.use_case)  # after the last event that was told
        self._thread: threading.Thread | None = None
        self._refused = ""

    def nudge(self, epoch: int) -> None:
        """Catch up to `epoch` in a thread of its own, unless one is at it: a ledger that makes wait holds up nobody."""
        if epoch > self._standing.row.epoch and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._quietly, name="rollout mirror", daemon=True)
            self._thread.start()

    def catch_up(self) -> int:
        """Tell the ledger what it does not know yet; how many events. Waits for another that is at it.

        Raises DataError where the ledger cannot be written, DamagedError where it or the events were changed.
        """
        fresh = self._rollouts.events(self._standing.row.epoch)
        if not fresh:
            return 0
        told, use_case = 0, self._rollouts.use_case
        with Records(self._where) as records:
            lock = records.database.path.with_name(f"{use_case}.rollout.lock")
            with alone(lock, f"telling the ledger of {use_case}'s rollouts", patience_s=_PATIENCE_S):
                done = self.done()
                for event in fresh:
                    before, after = self._standing, self._standing.after(event)
                    if event.epoch > done:
                        _tell(records, event, before.row, after.row)
                        self._keep(event.epoch)
                        told += 1
                    self._standing = after
        return told

    def _quietly(self) -> None:
        try:
            self.catch_up()
            self._refused = ""
        except MlopsError as refused:
            if str(refused) != self._refused:  # once, not at every try
                _LOG.error("%s: the ledger was not told: %s", self._rollouts.use_case, refused)
            self._refused = str(refused)

    def done(self) -> int:
        """The epoch of the last event that the ledger was told of."""
        c = MIRRORED.c
        with self._rollouts.database.reading() as connection:
            return connection.execute(select(c.epoch).where(c.use_case == self._rollouts.use_case)).scalar() or 0

    def _keep(self, epoch: int) -> None:
        who = MIRRORED.c.use_case == self._rollouts.use_case
        with self._rollouts.database.writing() as connection:
            if not connection.execute(update(MIRRORED).where(who).values(epoch=epoch)).rowcount:
                connection.execute(insert(MIRRORED).values(use_case=self._rollouts.use_case, epoch=epoch))


def _tell(records: Records, event: Event, before: Row, after: Row) -> None:
    """One event: where the aliases point, then what was decided. Told again it changes nothing.

    What was told is not looked at again: the aliases may have been moved since, by events that came after it.
    """
    once = f"rollout {after.use_case} {event.epoch} {event.hash[:12]}"
    told = {"use_case": after.use_case, "at": instant_of(event.at_us), "who": event.who, "why": event.why}
    about = {f"{once} {version}": version for version in _about(event, before)}
    if all(records.ledger.has(name) for name in about):
        return
    for alias, version in ((CHAMPION, after.champion or None), (CHALLENGER, after.challenger)):
        records.set_alias(
            alias, version=version, once=f"{once} {alias}", evidence={"rollout": after.rollout, "epoch": event.epoch},
            **told,
        )  # fmt: skip
    reach("mirror.aliased")
    for name, version in about.items():
        records.tell_rollout(
            ENTRY[event.kind], subject=f"{after.use_case}@{_name(version)}", once=name,
            evidence=_evidence(event, after), **told,
        )  # fmt: skip
    reach("mirror.told")


def _name(version: int) -> str:
    return "baseline" if version == BASELINE else str(version)


def _about(event: Event, before: Row) -> list[int]:
    """The versions that an event is about."""
    if event.kind is Kind.SUPERSEDED:
        return list(event.facts["versions"])
    if event.kind in (Kind.OPENED, Kind.QUEUED, Kind.RESTORED):
        return [event.facts["version"]]
    return [] if before.challenger is None else [before.challenger]


def _evidence(event: Event, after: Row) -> dict[str, Any]:
    """Where it stands from then on, and what was judged; the evidence itself stays with the event, by its hash."""
    row = after.to_json()
    told = {name: row[name] for name in ("epoch", "rollout", "stage", "step", "share", "champion", "challenger")}
    told |= {"event": event.kind.value, "event_hash": event.hash}
    proof = event.facts.get("certificate")
    judgement = proof["judgement"] if proof else event.facts.get("judgement")
    return told | ({"judgement": judgement} if judgement else {})


def instant_of(at_us: int) -> str:
    """An instant in microseconds since 1970 as the ledger writes it.

    >>> instant_of(1_372_636_800_000_000)
    '2013-07-01T00:00:00+00:00'
    """
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)).isoformat()
    except OverflowError as far:
        raise DataError(f"at_us == {at_us}, is no instant of a calendar: correct the clock.") from far
