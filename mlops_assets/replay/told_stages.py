"""The stages of rollouts, from their events: who was the challenger at which share, since when, until when, why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from mlops_assets.core import account
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.stores.serving.ledgered import instant_of

# what begins a stage; the other kinds hold a challenger where it is, or are about one that waits
_BEGINS = (Kind.OPENED, Kind.READY, Kind.REFUSED, Kind.ADVANCED, Kind.FINALIZED, Kind.ROLLED_BACK, Kind.RESTORED)


class Step(NamedTuple):
    """An event, and the row before and after it."""

    event: Event
    before: Row
    after: Row


def steps(use_case: str, events: Iterable[Event]) -> Iterator[Step]:
    """Every event in order. Raises DamagedError where they are not what was written."""
    standing = Standing.start(use_case)
    for event in events:
        before, standing = standing.row, standing.after(event)
        yield Step(event, before, standing.row)


def stages(course: Iterable[Step]) -> tuple[account.Stage, ...]:
    """Every stage in order, each until the next.

    A final stage has share 1.0 and the champion that its rollout began with; one that was rolled back or rejected has
    the champion that stands from then on. A final model that is taken back by hand has such a stage, too.
    """
    found: list[account.Stage] = []
    for step in course:
        if step.event.kind in _BEGINS:
            since = utc(instant_of(step.event.at_us))
            found[-1:] = [replace(last, until=since) for last in found[-1:]]
            found.append(_begun(step, since))
    return tuple(found)


def rolled_back(course: Sequence[Step]) -> frozenset[int]:
    """The rollouts (`Row.rollout`) whose challenger was taken out."""
    taken = (step for step in course if step.after.stage is Stage.ROLLED_BACK and not step.before.stage.terminal)
    return frozenset(step.before.rollout for step in taken)


def utc(instant: str) -> str:
    """An ISO 8601 instant as an account has it.

    >>> utc("2013-07-01T02:00:00.000000+02:00"), utc("2013-07-01T00:00:00.25+00:00")
    ('2013-07-01T00:00:00Z', '2013-07-01T00:00:00.250000Z')
    """
    return datetime.fromisoformat(instant).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _begun(step: Step, since: str) -> account.Stage:
    before, after = step.before, step.after
    final = after.stage is Stage.FINALIZED
    challenger = after.challenger or before.challenger
    return account.Stage(
        version=before.champion if challenger is None else challenger,
        champion=before.champion if final else after.champion,
        stage=after.stage.value,
        share=1.0 if final else after.share,
        since=since,
        until="",
        why=step.event.why,
    )
