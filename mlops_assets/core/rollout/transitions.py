"""Which stage follows which: the table, and what each event changes in the row.

Here belongs what an event does, not whether it is justified (`certificate.py`) or wanted (`decide.py`). No way leads
to SOAK but step by step; whatever is not in the table is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.state import FAULT, KEPT_WARM, PAUSED, Row
from mlops_assets.core.rollout.terms import Terms, terms_of
from mlops_assets.core.rollout.words import BASELINE, Stage
from mlops_assets.core.versions import record_version
from mlops_assets.declare.errors import DataError, IllegalTransition

_RUNNING = (Stage.PREPARING, Stage.SHADOW, Stage.CANARY, Stage.SOAK)
_JUDGED = _RUNNING[1:]
_OVER = (Stage.IDLE, Stage.FINALIZED, Stage.ROLLED_BACK, Stage.REJECTED)

# where an event may come, and where it leads; "the same" is written out, so that all of it can be read here
TABLE: Mapping[tuple[Stage, Kind], tuple[Stage, ...]] = {
    **{(stage, Kind.OPENED): (Stage.PREPARING,) for stage in _OVER},
    **{(stage, kind): (stage,) for stage in (*_OVER, *_RUNNING) for kind in (Kind.QUEUED, Kind.SUPERSEDED)},
    (Stage.PREPARING, Kind.READY): (Stage.SHADOW,),
    (Stage.PREPARING, Kind.REFUSED): (Stage.REJECTED,),
    (Stage.SHADOW, Kind.ADVANCED): (Stage.CANARY,),
    (Stage.CANARY, Kind.ADVANCED): (Stage.CANARY, Stage.SOAK),  # the next step, or after the last
    (Stage.SOAK, Kind.FINALIZED): (Stage.FINALIZED,),
    **{(stage, kind): (stage,) for stage in _RUNNING for kind in (Kind.PAUSED, Kind.RESUMED)},
    **{(stage, Kind.HELD): (stage,) for stage in _JUDGED},
    **{(stage, Kind.ROLLED_BACK): (Stage.ROLLED_BACK,) for stage in _RUNNING},
    **{(stage, Kind.RESTORED): (Stage.ROLLED_BACK,) for stage in (*_OVER[1:], *_RUNNING)},
}


def table() -> list[tuple[Stage, Kind, Stage]]:
    """Every transition there is, as (stage, event, next stage): what a state diagram shows."""
    return [(stage, kind, to) for (stage, kind), leads in TABLE.items() for to in leads]


def applied(row: Row, event: Event, terms: Terms | None) -> Row:
    """The row after an event. `terms` are those of the running rollout (None before the first).

    Raises IllegalTransition for what is not in the table, an epoch out of turn, and an event that says nothing
    sensible.
    """
    where = f"{row.use_case}, epoch {row.epoch}, {row.stage.value}: {event.kind.value}"
    if event.epoch != row.epoch + 1:
        raise IllegalTransition(f"{where} has epoch {event.epoch}, must be the next: read the row again.")
    if (row.stage, event.kind) not in TABLE:
        raise IllegalTransition(f"{where} is not in the table of transitions: read the row again.")
    try:
        made = _CHANGES[event.kind](row, event, terms)
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as wrong:
        raise IllegalTransition(f"{where} cannot follow ({wrong}).") from wrong
    return replace(made, epoch=event.epoch)


def restorable(row: Row, version: int | None) -> int:
    """The version a rollback goes to: the named one, else the champion while a rollout runs, else the one before it.

    Raises DataError for one that is not finalized, is not loaded any more, or is what stands already; and for none that
    is named right after a rollback: two who press the brake at once do not go back twice.
    """
    if version is None and row.stage in (Stage.ROLLED_BACK, Stage.REJECTED):
        back = ", ".join(map(str, row.finalized[-KEPT_WARM:-1])) or "none"
        raise DataError(
            f"{row.use_case}: rollback: version {row.champion} answers everything, no challenger is in: to go "
            f"further back name a version ({back})."
        )
    if version is None:
        version = row.champion if not row.stage.terminal else next(iter(row.finalized[-2:-1]), None)
    where, there = f"{row.use_case}: rollback", ", ".join(map(str, row.finalized[-KEPT_WARM:]))
    if version is None:
        raise DataError(f"{where}: nothing was final before version {row.champion}: there is nothing to go back to.")
    if version not in row.finalized:
        raise DataError(f"{where} to version {version}, which is not finalized: name one of {there}.")
    if version not in row.finalized[-KEPT_WARM:]:
        raise DataError(f"{where} to version {version}, which is not loaded any more: name one of {there}.")
    if version == row.champion and row.stage.terminal:
        raise DataError(f"{where} to version {version}, which answers everything already: name one of {there}.")
    return version


def _opened(row: Row, event: Event, _: Terms | None) -> Row:
    version, baseline_of = int(event.facts["version"]), int(event.facts["baseline_of"])
    if version <= BASELINE or version in row.finalized or baseline_of <= BASELINE:
        raise DataError(f"version {version} cannot be opened: it is final already, or no version")
    return Row(
        use_case=row.use_case,
        rollout=event.epoch,
        stage=Stage.PREPARING,
        champion=row.champion,
        challenger=version,
        baseline_of=row.baseline_of or baseline_of,  # version 0 stays what it was: it may be answering
        since_us=event.at_us,
        entered=event.epoch,
        plan=terms_of(event.facts["terms"]).hash,
        finalized=row.finalized,
        waiting=tuple(one for one in row.waiting if one != version),
        salt=record_version([row.use_case, event.epoch, version])[:16],
    )


def _queued(row: Row, event: Event, _: Terms | None) -> Row:
    version = int(event.facts["version"])
    terms_of(event.facts["terms"])
    if version <= BASELINE or version in (row.challenger, *row.waiting, *row.finalized):
        raise DataError(f"version {version} waits or stands already")
    return replace(row, waiting=(*row.waiting, version))


def _superseded(row: Row, event: Event, _: Terms | None) -> Row:
    gone = event.facts["versions"]
    if not gone or not set(gone) <= set(row.waiting[:-1]):
        raise DataError(f"versions {gone} do not wait, or nothing newer does")
    return replace(row, waiting=tuple(one for one in row.waiting if one not in gone))


def _ready(row: Row, event: Event, _: Terms | None) -> Row:
    return _entering(_moving(row), event, Stage.SHADOW)


def _refused(row: Row, event: Event, _: Terms | None) -> Row:
    return _ended(row, event, Stage.REJECTED)


def _advanced(row: Row, event: Event, terms: Terms | None) -> Row:
    steps = _terms(row, terms).plan.steps
    step = 0 if row.stage is Stage.SHADOW else row.step + 1
    last = step == len(steps)
    moved = replace(_moving(row), step=step, share=1.0 if last else steps[step].share)
    return _entering(moved, event, Stage.SOAK if last else Stage.CANARY)


def _finalized(row: Row, event: Event, _: Terms | None) -> Row:
    champion = _moving(row).challenger
    if champion is None:
        raise DataError("there is no challenger")
    return replace(_ended(row, event, Stage.FINALIZED), champion=champion, finalized=(*row.finalized, champion))


def _paused(row: Row, event: Event, _: Terms | None) -> Row:
    if row.paused:
        raise DataError("it is paused already")
    return replace(row, held=f"{PAUSED} by {event.who}: {event.why}", held_since_us=row.held_since_us or event.at_us)


def _held(row: Row, event: Event, _: Terms | None) -> Row:
    return replace(_moving(row), held=f"{FAULT}: {event.why}", held_since_us=event.at_us)


def _resumed(row: Row, _: Event, __: Terms | None) -> Row:
    if not row.held:
        raise DataError("it is not held")
    return replace(row, held="", held_since_us=0)


def _rolled_back(row: Row, event: Event, _: Terms | None) -> Row:
    return _ended(row, event, Stage.ROLLED_BACK)


def _restored(row: Row, event: Event, _: Terms | None) -> Row:
    version = restorable(row, int(event.facts["version"]))
    left = row.finalized[: row.finalized.index(version) + 1]  # what is left is withdrawn: no second one brings it back
    return replace(_ended(row, event, Stage.ROLLED_BACK), champion=version, finalized=left)


def _moving(row: Row) -> Row:
    if row.held:
        raise DataError(f"it is held ({row.held})")
    return row


def _terms(row: Row, terms: Terms | None) -> Terms:
    if terms is None or terms.hash != row.plan:
        raise DataError("the plan is not the one this rollout was opened under")
    return terms


def _entering(row: Row, event: Event, stage: Stage) -> Row:
    return replace(row, stage=stage, entered=event.epoch, since_us=event.at_us)


def _ended(row: Row, event: Event, stage: Stage) -> Row:
    over = replace(row, challenger=None, step=0, share=0.0, held="", held_since_us=0)
    return _entering(over, event, stage)


_CHANGES: Mapping[Kind, Callable[[Row, Event, Terms | None], Row]] = {
    Kind.OPENED: _opened,
    Kind.QUEUED: _queued,
    Kind.SUPERSEDED: _superseded,
    Kind.READY: _ready,
    Kind.REFUSED: _refused,
    Kind.ADVANCED: _advanced,
    Kind.FINALIZED: _finalized,
    Kind.PAUSED: _paused,
    Kind.HELD: _held,
    Kind.RESUMED: _resumed,
    Kind.ROLLED_BACK: _rolled_back,
    Kind.RESTORED: _restored,
}
