"""Stage 6, monitoring: what a week's three signals ask for. Pure reading of the two reports; the sensors act on it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.drift.report import signals_of
from mlops_assets.core.signals import Concept, Response, Signals, respond, truth_table
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.drift_judging import HISTORY, VERDICT
from mlops_assets.graph.performance_judging import REPORT
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store

RESPONSE = "response"
_WARNS = (Response.CHECK_FEED.value, Response.ROLL_BACK.value)
_NEXT = {
    Response.NOTHING: "nothing to do",
    Response.WATCH: "look at it; nothing is retrained for this",
    Response.RETRAIN: "the sensors ask for a training, where the policy allows: mlops retraining status {use_case}",
    Response.ROLL_BACK: "an operator decides: mlops rollback {use_case}",
    Response.CHECK_FEED: "mend the feed, land the week again; until then nothing is retrained",
}


def response_step(use_case: UseCase) -> Step:
    """What a response depends on: the reports of the week, and how many weeks before it asked to act."""
    return Step(
        use_case=use_case,
        artifact="response",
        makes=(work,),
        sees=("name", "partitions"),
        reads={
            "drift": Reads(artifact="drift_report"),
            "performance": Reads(artifact="performance_report"),
            "before": Reads(artifact="drift_report", start=-HISTORY, end=-1, load="existing"),
        },
    )


def work(use_case: UseCase, partition: str, read: Mapping[str, Weeks]) -> Artifact:
    """The response of a week: the three signals, what they ask for and why."""
    drift = read["drift"].one().records[VERDICT]
    performance = read["performance"].one().records[REPORT]
    data, prediction = signals_of(drift)
    signals = Signals(data=data, prediction=prediction, concept=Concept(performance["state"]))
    answer = respond(signals)
    before = {week: artifact.records[VERDICT] for week, artifact in read["before"].artifacts((VERDICT,)).items()}
    record = {
        "partition": partition,
        "data": data.value,
        "prediction": prediction.value,
        "concept": signals.concept.value,
        "response": answer.response.value,
        "reason": answer.reason,
        "next": _NEXT[answer.response].format(use_case=use_case.name),
        "faulty": [week for week, told in before.items() if told.get("faults")],
        "act_windows": _in_a_row(use_case, partition, {**before, partition: drift}),
        "drift": drift["sentence"],
        "performance": performance["sentence"],
        **{name: drift.get(name) for name in ("model", "model_partition", "model_digest", "reference")},
    }
    return Artifact(records={RESPONSE: record})


def _in_a_row(use_case: UseCase, partition: str, verdicts: Mapping[str, Mapping[str, Any]]) -> int:
    """How many windows up to this one, without a gap and by one reference, said ACT."""
    count, reference = 0, verdicts[partition].get("reference")
    for week in reversed(use_case.partitions.window(partition, -HISTORY, 0)):
        told = verdicts.get(week)
        if told is None or told["verdict"] != "ACT" or told.get("faults") or told.get("reference") != reference:
            break
        count += 1
    return count


def response(use_case: UseCase) -> dg.AssetsDefinition:
    """The response of a week."""
    step = response_step(use_case)
    key, axis = dg.AssetKey([use_case.name, "response"]), partitions_def(use_case.partitions)

    @dg.asset(
        key=key,
        group_name="monitoring",
        partitions_def=axis,
        deps=step.deps,
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        check_specs=[
            dg.AssetCheckSpec("no_hand_needed", asset=key, partitions_def=axis, description="must a person step in?")
        ],
        description="What the three signals of a week mean together: data drift, prediction drift and concept drift "
        "ask to retrain, to watch, to roll back or to check a feed. Whether a training follows is the policy's "
        "decision, taken by the sensors.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store) -> Any:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            action = step.action(partition, inputs_of(read))
            made = once(context, store.assets, action, lambda: work(step.seen, partition, read))
        record = made.artifact.records[RESPONSE]
        yield dg.AssetCheckResult(
            check_name="no_hand_needed",
            passed=record["response"] not in _WARNS,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{record['response']}: {record['reason']}; {record['next']}",
        )
        yield dg.MaterializeResult(value=made, metadata=_metadata(record))

    return asset


def _metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    mine = {name: record[name] for name in ("data", "prediction", "concept")}
    table = [{"this week": "→" if mine.items() <= row.items() else "", **row} for row in truth_table()]
    return {
        "verdict": record["response"],
        "in words": f"{record['response']}: {record['reason']}",
        "next": record["next"],
        **mine,
        "weeks in a row that ask to act": record["act_windows"],
        "data drift in words": record["drift"],
        "performance in words": record["performance"],
        "truth table": showing.records(sorted(table, key=lambda row: row["this week"], reverse=True)),
    }
