"""What a controller does next: one event, or nothing. Pure: where it stands and what is known, in; a decision, out.

Here belongs the order in which things count: what protects users comes before what serves the challenger. Every verdict
but PASS, and whatever is missing, stale, unknown or no number, never lets more users see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from mlops_assets.core.rollout.certificate import advances, certificate
from mlops_assets.core.rollout.commands import Command
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import Judgement
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import JSON
from mlops_assets.declare.rollout import RolloutPlan

READY, REFUSED = "ready", "refused"  # how what a gateway says of a slot begins
SUPERSEDE = "supersede"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a controller knows beside the judgement. `at_us` is the wall clock's microseconds, `who` the controller.

    `slots`: for each live gateway what it says of each version. `exposed` counts the answers users got from the
    challenger in this rollout. `fault` says why the evidence cannot be trusted now ("": it can). `fresh`: the log was
    read to its end, and there was something new in it.
    """

    who: str
    at_us: int
    slots: Mapping[str, Mapping[int, str]] = field(default_factory=lambda: MappingProxyType({}))
    exposed: int = 0
    fault: str = ""
    fresh: bool = False


def decide(standing: Standing, evidence: Evidence | None, judgement: Judgement | None, facts: Facts) -> Event | None:
    """The next event, or None. `evidence` and `judgement` are None where there is nothing to judge by."""
    row, terms = standing.row, standing.terms
    if row.stage.terminal:
        return _next(standing, facts)
    if terms is None:
        return None
    if row.waiting and _supersedes(standing):
        return _told(standing, facts, Kind.ROLLED_BACK, f"version {row.waiting[-1]} was nominated and supersedes it")
    if why := _overdue(standing, terms.plan, facts):
        return _told(standing, facts, Kind.ROLLED_BACK, why)
    if row.stage is Stage.PREPARING:
        return _prepared(standing, facts)
    if judgement is not None and judgement.verdict is Verdict.FAIL:
        return _told(standing, facts, Kind.ROLLED_BACK, judgement.sentence, {"judgement": judgement.to_json()})
    if row.paused:
        return None
    if fault := facts.fault or _unfit(judgement):
        return None if row.held else _told(standing, facts, Kind.HELD, fault)
    if row.held:
        return _told(standing, facts, Kind.RESUMED, f"the evidence can be trusted again, it was held for {row.held}")
    if evidence is None or judgement is None or not facts.fresh or not advances(judgement, terms.plan):
        return None
    kind = Kind.FINALIZED if row.stage is Stage.SOAK else Kind.ADVANCED
    proof = {"certificate": certificate(row, evidence, judgement)}
    return _told(standing, facts, kind, f"{_higher(standing.row, terms.plan)}: {judgement.sentence}", proof)


def _higher(row: Row, plan: RolloutPlan) -> str:
    """Where an increase leads, in words.

    >>> from mlops_assets.declare import Quality
    >>> _higher(Row(use_case="parking", stage=Stage.SHADOW), RolloutPlan(quality=Quality(loss="absolute", margin=1)))
    'to 5 %'
    """
    if row.stage is Stage.SOAK:
        return "final"
    step = 0 if row.stage is Stage.SHADOW else row.step + 1
    share = plan.steps[step].share if step < len(plan.steps) else 1.0
    return f"to {100 * share:g} %"


def _next(standing: Standing, facts: Facts) -> Event | None:
    """After a rollout: whoever waits longest gives way to the newest, whose rollout is opened as it was nominated."""
    waiting = standing.row.waiting
    if not waiting:
        return None
    if older := list(waiting[:-1]):
        why = f"version {waiting[-1]} was nominated after them"
        return _told(standing, facts, Kind.SUPERSEDED, why, {"versions": older})
    nominated = standing.queued[waiting[-1]]
    why = f"{nominated.why} (nominated by {nominated.who})"
    return _told(standing, facts, Kind.OPENED, why, nominated.facts)


def _supersedes(standing: Standing) -> bool:
    """True when the newest version that waits was nominated under a plan that lets nobody wait."""
    facts = standing.queued[standing.row.waiting[-1]].facts
    return bool(facts["terms"]["plan"].get("on_new") == SUPERSEDE)


def _overdue(standing: Standing, plan: RolloutPlan, facts: Facts) -> str:
    """Why a rollout has gone on for too long; "" when it has not."""
    row = standing.row
    if row.stage in (Stage.CANARY, Stage.SOAK) and facts.exposed >= plan.exposure:
        return (
            f"users got {facts.exposed:,} answers of the challenger, {plan.exposure:,} are the most before it is final"
        )
    held = timedelta(microseconds=facts.at_us - row.held_since_us)
    if row.held and held >= plan.hold:
        return f"it stood still for {held}, {plan.hold} is the most: {row.held}"
    return ""


def _prepared(standing: Standing, facts: Facts) -> Event | None:
    """Into the shadow when every live gateway has the challenger loaded; out when one cannot load it."""
    version = standing.row.challenger
    said = {name: slots.get(version, "") if version else "" for name, slots in sorted(facts.slots.items())}
    for name, slot in said.items():
        if slot.startswith(REFUSED):
            return _told(standing, facts, Kind.REFUSED, f"gateway {name} {slot}")
    if standing.row.held or not said or any(slot != READY for slot in said.values()):
        return None
    who = "1 gateway has" if len(said) == 1 else f"{len(said)} gateways have"
    return _told(standing, facts, Kind.READY, f"{who} it loaded")


def _unfit(judgement: Judgement | None) -> str:
    return "there is no judgement" if judgement is None else judgement.fault


def _told(standing: Standing, facts: Facts, kind: Kind, why: str, proof: Mapping[str, JSON] | None = None) -> Event:
    return Command(facts.who, why, facts.at_us).event(standing.row, kind, proof)
