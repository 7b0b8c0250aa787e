"""Stage 5, rollout: a nominated candidate is put before the gateways, and what became of it is brought here.

The gateways decide and write down (`gateway/controller.py`); this asset opens, mirrors and shows. Nothing here, nor in
any tag, alias or job, lets a user see a model: that takes a certificate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.chain import tell_chain
from mlops_assets.graph.clock import now
from mlops_assets.graph.recording import Books, follow, is_nominated, unreachable
from mlops_assets.graph.registry import tracker_key
from mlops_assets.graph.rollout_page import course_of, make, rollout_metadata
from mlops_assets.graph.serving import Serving
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store
from mlops_assets.graph.tracking import Tracker
from mlops_assets.stores.records import Records
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.rollouts import Rollouts

ENTRY = "entry"
_BAD = (Stage.ROLLED_BACK, Stage.REJECTED)


def rollout_step(use_case: UseCase) -> Step:
    """What a week's page of its rollout depends on, beside what the gateways decided."""
    return Step(
        use_case=use_case,
        artifact="rollout",
        makes=(make,),
        sees=("name", "partitions"),
        reads={ENTRY: Reads(artifact="registry_entry")},
    )


def rollout(use_case: UseCase) -> dg.AssetsDefinition:
    """Open, mirror, show."""
    axis = partitions_def(use_case.partitions)
    key, step = dg.AssetKey([use_case.name, "rollout"]), rollout_step(use_case)

    @dg.asset(
        key=key,
        group_name="rollout",
        partitions_def=axis,
        deps=step.deps,
        kinds={"sqlite"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        required_resource_keys={tracker_key(use_case), "store", "records", "serving"},
        check_specs=[
            dg.AssetCheckSpec(
                "last_decision",
                asset=key,
                partitions_def=axis,
                description="what was decided last about this week's candidate, and why",
            )
        ],
        description="One row is a decision about this week's candidate: opened, shadow, canary, soak, final, rolled "
        "back. The gateways decide on live evidence; materialize again to see how far it has come.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        store: Store = context.resources.store
        books: Books = context.resources.records
        serving: Serving = context.resources.serving
        with refusals(), serving.rollouts(use_case) as rollouts, books.opened() as records, books.alone(use_case):
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            entry: Mapping[str, Any] = read[ENTRY].artifacts((ENTRY,))[partition].records[ENTRY]
            if _newest(store, step, partition):
                nominate(use_case, rollouts, entry, who=f"rollout, run {context.run_id}")
            Mirror(rollouts, books.where).catch_up()
            course = course_of(rollouts, int(entry["candidate"].partition("@")[2]))
            labels = records.aliases(use_case.name)
            more = {"rollout": course.version, "aliases": ", ".join(f"{k} {v}" for k, v in sorted(labels.items()))}

            def work() -> Artifact:
                tracker: Tracker = getattr(context.resources, tracker_key(use_case))
                _label(context, records, tracker, use_case)
                return make(step.seen, course)

            made = once(context, store.assets, step.action(partition, inputs_of(read), more), work, borrow=False)
            made = replace(made, stored=store.publish(made, context.run_id))
        tell_chain(context, use_case, store.assets, entry, books.pages, course.sentence)
        yield dg.AssetCheckResult(
            check_name="last_decision",
            passed=course.stage not in _BAD,
            description=course.sentence,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"in words": course.sentence, "stage": course.stage.value},
        )
        yield dg.MaterializeResult(value=made, metadata=rollout_metadata(made.artifact, entry))

    return asset


def nominate(use_case: UseCase, rollouts: Rollouts, entry: Mapping[str, Any], *, who: str) -> None:
    """Open a rollout for an entry's candidate, or queue it; nothing where it falls short or was opened before."""
    if not is_nominated(entry):
        return
    number = int(entry["candidate"].partition("@")[2])
    rollouts.open(
        number,
        use_case.rollout,
        use_case.label.task,
        baseline_of=number,
        who=who,
        why=entry["judgement"]["sentence"],
        at_us=int(datetime.fromisoformat(now()).timestamp() * 1_000_000),
    )


def _newest(store: Store, step: Step, partition: str) -> bool:
    """True when no later week has an entry: an old week made anew nominates nobody."""
    return max(store.assets.refs.partitions(f"{step.use_case.name}/registry_entry"), default="") <= partition


def _label(context: dg.AssetExecutionContext, records: Records, tracker: Tracker, use_case: UseCase) -> None:
    """Bring MLflow's aliases in step. They are labels: where it does not answer, `mlops doctor` tells and mends."""
    try:
        context.log.info(f"MLflow's aliases: {follow(records, tracker, use_case.name)}")
    except DataError as lacking:
        context.log.warning(f"MLflow's aliases stay as they are: {lacking}")
    except Exception as error:
        if not unreachable(error):
            raise
        context.log.warning("MLflow does not answer: its aliases stay as they are until `mlops doctor --repair`")
