"""The rollouts of a use case as they are kept: events appended once, the row that follows from them.

Here belongs writing and reading both. The events are the truth: a row that says otherwise was changed by hand, and is
overwritten by the next event. Every write is one transaction that excludes all others.
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from mlops_assets.core.rollout import commands
from mlops_assets.core.rollout.commands import Command
from mlops_assets.core.rollout.events import Event
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.declare.errors import DamagedError, IllegalTransition, MlopsError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import RolloutPlan
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.serving.checkpoints import Checkpoints
from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.heartbeats import Heartbeats
from mlops_assets.stores.serving.lease import Lease, Leases
from mlops_assets.stores.serving.lease import read as read_lease
from mlops_assets.stores.serving.stored import append, columns_of, is_told, missing, peek, put, read_events

CRASH_POINTS = (
    "rollout.appended",  # event and row are there, not committed
    "rollout.committed",
)


class Stale(MlopsError, RuntimeError):
    """Somebody else decided first, or holds the lease by now: nothing was written. Read again and think again."""


class Rollouts:
    """The rollouts of a use case below `where` (`Settings.serving`); close it, or use it in `with`.

    Nothing is opened before it is used, so that it may be made before a fork. Everything that reads or writes raises
    Unavailable when the database does not answer, DamagedError when the events are not what was written. In a folder,
    what is not `synced` is left to the operating system to bring to disk.
    """

    def __init__(self, where: str | Path, use_case: str, *, synced: bool = True) -> None:
        self.use_case = use_case
        self.database = Database(where, use_case, synced=synced)
        self.leases, self.heartbeats = Leases(self.database), Heartbeats(self.database)
        self.checkpoints = Checkpoints(self.database)
        self._known = Standing.start(use_case)

    def row(self) -> Row:
        """The row by its events: IDLE before the first of them."""
        return self.standing().row

    def standing(self) -> Standing:
        """Where it stands by its events, every certificate judged again."""
        with self.database.reading() as connection:
            return self._follow(connection)

    def events(self, since: int = 0) -> list[Event]:
        """The events after an epoch, in order."""
        with self.database.reading() as connection:
            return read_events(connection, self.use_case, since)

    def write(self, event: Event, *, expect: int, lease: Lease | None = None) -> Row:
        """Append an event behind epoch `expect`, and the row with it; an event whose `once` is there changes nothing.

        Raises Stale when the epoch has moved, and for an increase without the lease that stands now;
        IllegalTransition for what may not come here, as an increase without a sound certificate.
        """

        def decided(standing: Standing) -> Event:
            if standing.row.epoch != expect:
                raise Stale(f"{self.use_case}: epoch == {standing.row.epoch}, must be {expect}: {event.kind.value} "
                            "was decided on what is past")  # fmt: skip
            return event

        return self._decide(decided, once=event.once, lease=lease)

    def open(
        self, version: int, plan: RolloutPlan, task: Task, *, baseline_of: int, who: str, why: str, at_us: int,
        once: str = "",
    ) -> Row:  # fmt: skip
        """Nominate a version: its rollout begins, or it waits; once. `task` is that of the use case's label.

        `baseline_of` is the version whose training declared the baseline. A version that was rolled back or rejected is
        not nominated again by the same `once`, whose default is the version: give another one.
        """
        command = Command(who, why, at_us, once or f"nominated {self.use_case}@{version}")
        terms = Terms.of(plan, task)
        return self._ask(
            command, lambda now: commands.opening(now, command, version=version, terms=terms, baseline_of=baseline_of)
        )

    def pause(self, *, who: str, why: str, at_us: int, once: str = "") -> Row:
        """Freeze the share until somebody resumes. Raises DataError when no rollout runs."""
        command = Command(who, why, at_us, once)
        return self._ask(command, lambda now: commands.pausing(now, command))

    def resume(self, *, who: str, why: str, at_us: int, once: str = "") -> Row:
        """Thaw the share. Raises DataError when no rollout runs."""
        command = Command(who, why, at_us, once)
        return self._ask(command, lambda now: commands.resuming(now, command))

    def abort(self, *, who: str, why: str, at_us: int, once: str = "") -> Row:
        """Take the challenger out, whatever else goes on."""
        command = Command(who, why, at_us, once)
        return self._ask(command, lambda now: commands.aborting(now, command))

    def break_off(self, *, rollout: int, who: str, why: str, at_us: int) -> Row:
        """Take the challenger of that rollout out (`Row.rollout`): what a gateway does whose breaker opens."""
        command = Command(who, why, at_us)
        return self._ask(command, lambda now: commands.breaking_off(now, command, rollout=rollout))

    def restore(self, version: int | None = None, *, who: str, why: str, at_us: int, once: str = "") -> Row:
        """Make an earlier finalized version champion again (None: see `restorable`); a rollout that runs ends.

        Raises DataError for a version one cannot go back to.
        """
        command = Command(who, why, at_us, once)
        return self._ask(command, lambda now: commands.restoring(now, command, version=version))

    def mend(self) -> bool:
        """Write the row anew from the events when it says otherwise; True when it did."""
        with self.database.reading() as connection:
            columns, _ = peek(connection, self.use_case)
            if columns == columns_of(self._known.row) or not self._is_wrong(connection):
                return False
        with self.database.writing() as connection:
            if self._is_wrong(connection):
                put(connection, self._known.row)
        return True

    def close(self) -> None:
        """Close every connection of this process."""
        self.database.close()

    def __enter__(self) -> "Rollouts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_wrong(self, connection: Connection) -> bool:
        row = self._follow(connection).row
        return row.epoch > 0 and peek(connection, self.use_case)[0] != columns_of(row)

    def _ask(self, command: Command, decided: Callable[[Standing], Event | None]) -> Row:
        return self._decide(decided, once=command.once)

    def _decide(
        self, decided: Callable[[Standing], Event | None], *, once: str = "", lease: Lease | None = None
    ) -> Row:
        """One transaction: where it stands, what follows, written down. None of it when `once` was decided."""
        with self.database.writing() as connection:
            standing = self._follow(connection)
            if once and is_told(connection, self.use_case, once):
                return standing.row
            event = decided(standing)
            if event is None:
                return standing.row
            if event.kind.increases:
                self._check(connection, lease)
            sealed = event.sealed(standing.hash)
            after = standing.after(sealed)
            append(connection, self.use_case, sealed)
            put(connection, after.row)
            reach("rollout.appended")
        reach("rollout.committed")
        self._known = after
        return after.row

    def _check(self, connection: Connection, lease: Lease | None) -> None:
        stands = read_lease(connection, self.use_case)
        if lease is None or stands is None or (lease.holder, lease.token) != (stands.holder, stands.token):
            raise Stale(f"{self.use_case}: the lease is {stands and stands.holder}'s, who raises a share must hold it")

    def _follow(self, connection: Connection) -> Standing:
        standing = self._known
        events = read_events(connection, self.use_case, standing.row.epoch - 1)
        if wrong := missing(standing, events):
            raise DamagedError(f"{wrong}.")
        for event in events[1:] if standing.row.epoch else events:
            try:
                standing = standing.after(event)
            except IllegalTransition as forged:
                raise DamagedError(f"{str(forged)[:-1]}: compare with a backup and put back what is right.") from forged
        self._known = standing
        return standing
