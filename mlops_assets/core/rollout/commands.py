"""What people and gateways may ask of a rollout, as the event that it becomes; None where it is so already.

Here belongs which command is which event. None of them lets more users see a challenger: that takes a certificate.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.rollout.transitions import restorable
from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DataError


def one_line(text: str) -> str:
    """The text on one line, without characters that a terminal obeys; at most 1,000 of them.

    >>> one_line("look\x1b[31m here\\nand there")
    'look?[31m here and there'
    """
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))[:1000]


class Command(NamedTuple):
    """Who asks, why, and when (microseconds since 1970). `once` names the command: told again it changes nothing."""

    who: str
    why: str
    at_us: int
    once: str = ""

    def event(self, row: Row, kind: Kind, facts: Mapping[str, JSON] | None = None) -> Event:
        """The event behind `row`; who and why are one printable line each, whatever was typed."""
        once = self.once or f"{kind.value.lower()} after {row.epoch}"
        return Event(
            epoch=row.epoch + 1,
            at_us=self.at_us,
            kind=kind,
            who=one_line(self.who),
            why=one_line(self.why),
            once=once,
            facts=facts or {},
        )


def opening(standing: Standing, command: Command, *, version: int, terms: Terms, baseline_of: int) -> Event | None:
    """A version is nominated: its rollout begins, or it waits for the one that runs. `baseline_of` is the version

    whose training declared the baseline. None when it is on its way, waits or is final already.
    """
    row = standing.row
    if version in (row.challenger, *row.waiting, *row.finalized):
        return None
    facts = {"version": version, "baseline_of": baseline_of, "terms": terms.to_json()}
    return command.event(row, Kind.OPENED if row.stage.terminal and not row.waiting else Kind.QUEUED, facts)


def pausing(standing: Standing, command: Command) -> Event | None:
    """Freeze the share until somebody resumes. Raises DataError when no rollout runs."""
    return None if _running(standing, "pause").paused else command.event(standing.row, Kind.PAUSED)


def resuming(standing: Standing, command: Command) -> Event | None:
    """Thaw the share. Raises DataError when no rollout runs."""
    return command.event(standing.row, Kind.RESUMED) if _running(standing, "resume").held else None


def aborting(standing: Standing, command: Command) -> Event | None:
    """Take the challenger out; None when none is in."""
    return None if standing.row.stage.terminal else command.event(standing.row, Kind.ROLLED_BACK)


def breaking_off(standing: Standing, command: Command, *, rollout: int) -> Event | None:
    """`aborting`, of that rollout only: it may have ended since, and the next one begun."""
    return aborting(standing, command) if standing.row.rollout == rollout else None


def restoring(standing: Standing, command: Command, *, version: int | None) -> Event:
    """Make an earlier finalized version champion again; a rollout that runs ends. Raises DataError (`restorable`)."""
    return command.event(standing.row, Kind.RESTORED, {"version": restorable(standing.row, version)})


def _running(standing: Standing, verb: str) -> Row:
    if standing.row.stage.terminal:
        raise DataError(f"{standing.row.use_case}: no rollout runs, so there is nothing to {verb}: open one first.")
    return standing.row
