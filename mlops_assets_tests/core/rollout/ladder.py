"""A small ladder that a handful of answers climbs, and what is seen on the way."""

from collections.abc import Sequence
from datetime import timedelta

from mlops_assets.core.rollout.certificate import certificate
from mlops_assets.core.rollout.commands import Command
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.rollout.words import Arm, Pair, Seen, Stage
from mlops_assets.declare import Quality, RolloutPlan, Step, Task

USE_CASE = "flight_delays"
PLAN = RolloutPlan(
    quality=Quality(loss="brier", margin=0.5, block=None),
    steps=(Step(share=0.25, margin=3.0, least=5), Step(share=0.5, margin=2.0, least=5)),
    rates=("error",),
    most_bad=0.4,
    alpha=0.05,
    shadow_least=5,
    soak_least=5,
    exposure=400,
    hold=timedelta(days=2),
)
TERMS = Terms.of(PLAN, Task.CLASSIFICATION)
GOOD, ERROR = frozenset[str](), frozenset({"error"})
CLIMB = (Kind.READY, Kind.ADVANCED, Kind.ADVANCED, Kind.ADVANCED, Kind.FINALIZED)  # to the top, once opened
WHEN_US = 1_372_636_800_000_000


def seen(row: Row, count: int = 12, challenger: frozenset[str] = GOOD, champion: frozenset[str] = GOOD) -> list[Seen]:
    """Calls of a stage, `count` of either arm, each as bad as told; at the stage's share."""
    one = row.epoch, row.share
    if row.stage is Stage.SOAK:
        ours = Seen(*one, Arm.CHALLENGER, Arm.CHALLENGER, False, challenger)
        theirs = Seen(*one, Arm.CHALLENGER, Arm.CHAMPION, True, champion)
    elif row.stage is Stage.CANARY:
        ours = Seen(*one, Arm.CHALLENGER, Arm.CHALLENGER, False, challenger)
        theirs = Seen(*one, Arm.CHAMPION, Arm.CHAMPION, False, champion)
    else:
        ours = Seen(*one, Arm.CHAMPION, Arm.CHALLENGER, True, challenger)
        theirs = Seen(*one, Arm.CHAMPION, Arm.CHAMPION, False, champion)
    others = round(count * (1 - row.share) / row.share) if row.stage is Stage.CANARY else count
    return [ours] * count + [theirs] * others


def pairs(row: Row, count: int = 40, champion: float = 0.5, challenger: float = 0.9) -> list[Pair]:
    """Labelled requests whose truth is 1."""
    return [Pair(row.epoch, "2013-07-01", 1.0, champion, challenger)] * count


def evidence(row: Row, calls: Sequence[Seen] | None = None, labelled: Sequence[Pair] | None = None) -> Evidence:
    """What was seen; by default what lets the challenger pass."""
    calls, labelled = seen(row) if calls is None else calls, pairs(row) if labelled is None else labelled
    return Evidence.start(PLAN, Task.CLASSIFICATION).fold(calls, labelled)


def opened(standing: Standing, version: int = 3, terms: Terms = TERMS) -> Event:
    """The opening of a rollout of a version."""
    facts = {"version": version, "baseline_of": 3, "terms": terms.to_json()}
    return event(standing, Kind.OPENED, **facts)


def event(standing: Standing, kind: Kind, **facts: object) -> Event:
    """An event behind where it stands, sealed."""
    return (
        Command("test", f"{kind.value} it is", WHEN_US + standing.row.epoch)
        .event(standing.row, kind, facts)
        .sealed(standing.hash)
    )


def proven(standing: Standing, kind: Kind = Kind.ADVANCED, by: Evidence | None = None) -> Event:
    """An increase with the certificate of this evidence (by default of one that passes)."""
    row = standing.row
    by = evidence(row) if by is None else by
    return event(standing, kind, certificate=certificate(row, by, judge(PLAN, row.stage, row.step, by)))


def climbed(steps: int, version: int = 3, standing: Standing | None = None) -> Standing:
    """After opening a rollout and so many steps of `CLIMB`: 1 shadow, 2 and 3 canary, 4 soak, 5 final."""
    standing = Standing.start(USE_CASE) if standing is None else standing
    standing = standing.after(opened(standing, version))
    for kind in CLIMB[:steps]:
        standing = standing.after(proven(standing, kind) if kind.increases else event(standing, kind))
    return standing
