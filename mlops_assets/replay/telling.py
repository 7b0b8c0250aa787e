"""A finished world read back: what a policy did, as the world's own stores say it. Nothing is written.

The ledger tells of versions and decisions, the events of the rollouts of stages, the prediction log of answers, and
the reports of signals. Of a replay that was cut short it is what was done.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from mlops_assets.core.account import Costs, Policy, Sabotage, Told, Version
from mlops_assets.core.retraining.facts import Outcome
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.words import Arm
from mlops_assets.declare import UseCase
from mlops_assets.replay.told_stages import Step, rolled_back, stages, steps, utc
from mlops_assets.replay.told_weeks import Answers, answers, figures_of, weeks_told
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import REQUESTED, Entry
from mlops_assets.stores.records.trainings import Claim
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings

FIRST, BY_HAND = "first", "by hand"  # why a version was trained that no sensor asked for


def tell(
    use_case: UseCase,
    places: Settings,
    *,
    name: str,
    changes: Mapping[str, str],
    weeks: Sequence[str],
    sabotage: Sequence[Sabotage] = (),
    seconds: float = 0.0,
    runs: int = 0,
    failed_runs: int = 0,
) -> Policy:
    """What the policy `name` did in the world at `places`; `weeks` are those in which requests were asked.

    A week of which nothing is logged and nothing reported is left out, so a replay that was cut short tells what it
    did. Raises DamagedError for records that are not what was written, Unavailable for a log that cannot be read.
    """
    said, course = answers(use_case, places, weeks), list(steps(use_case.name, _events(use_case, places)))
    with Records(places.records, create=False) as records:
        there = records.database.path.exists()
        entries = records.ledger.entries() if there else []
        versions = tuple(_versions(use_case, records, entries)) if there else ()
        trainings = records.retrainings.trainings(use_case.name) if there else ()
    return Policy(
        name=name,
        changes=dict(changes),
        weeks=tuple(weeks_told(use_case, AssetStore(places.store), weeks, said)),
        versions=versions,
        stages=stages(course),
        ledger=entries[-1].hash if entries else "",
        told=tuple(_told(entry) for entry in entries if entry.use_case == use_case.name),
        sabotage=tuple(sabotage),
        costs=Costs(
            runs=runs,
            failed_runs=failed_runs,
            trainings=sum(training.outcome is not Outcome.PENDING for training in trainings),
            seconds=seconds,
            **_counted(course, said.values()),
        ),
        metrics=figures_of(use_case, said.values()),
    )


def labelled(use_case: UseCase, places: Settings, weeks: Sequence[str]) -> dict[str, frozenset[str]]:
    """Week -> ids of the answered requests that have a label: what `against` is to count. Raises like `tell`."""
    return {week: frozenset(one.labelled["id"]) for week, one in answers(use_case, places, weeks).items()}


def _events(use_case: UseCase, places: Settings) -> list[Event]:
    with Rollouts(places.serving, use_case.name) as rollouts:
        path = rollouts.database.path
        return rollouts.events() if path is None or path.exists() else []


def _told(entry: Entry) -> Told:
    return Told(at=utc(entry.at), kind=entry.kind, subject=entry.subject, who=entry.who, why=entry.why)


def _versions(use_case: UseCase, records: Records, entries: Sequence[Entry]) -> Iterator[Version]:
    """Every version by number, with the last claim of its week."""
    claims = {claim.window: claim for claim in (Claim.of(entry) for entry in entries if entry.kind == REQUESTED)}
    heads = [head for head in records.lineage.heads() if head.use_case == use_case.name]
    for place, head in enumerate(heads):
        claim, row = claims.get(head.partition), records.lineage.get(use_case.name, head.version)
        cause, why = (FIRST, "there was no model yet") if place == 0 else (BY_HAND, "somebody started it")
        if claim is not None:
            cause, why = claim.signal.value, claim.reason
        yield Version(
            version=head.version,
            week=head.partition,
            registered_at=utc(head.registered_at),
            cause=cause,
            why=why,
            verdict=head.verdict,
            judged=row.sentence if row else "",
        )


def _counted(course: Sequence[Step], said: Collection[Answers]) -> dict[str, int]:
    """What of the costs stands in the events and the log."""
    taken = {str(rollout) for rollout in rolled_back(course)}
    kinds = Counter(step.event.kind for step in course)
    shadow = exposed = harmed = failed = 0
    for one in said:
        by_challenger = one.given[one.given["arm"] == Arm.CHALLENGER.value]
        exposed += len(by_challenger)
        harmed += int(by_challenger["rollout"].isin(taken).sum())
        shadow += int((one.rows["mirrored_version"].notna() & (one.rows["arm"] == Arm.CHAMPION.value)).sum())
        failed += one.failed + len(one.rows) - len(one.given)
    return {
        "rollouts": kinds[Kind.OPENED],
        "finalized": kinds[Kind.FINALIZED],
        "rolled_back": len(taken),
        "shadow": shadow,
        "exposed": exposed,
        "harmed": harmed,
        "failed": failed,
    }
