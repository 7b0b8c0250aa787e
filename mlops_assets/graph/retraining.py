"""The sensors that retrain: the newest week's response, the policy, one claim, one run.

`<use case>_drift_sensor` acts on drifted inputs and on a model's age, `<use case>_concept_drift_sensor` on realised
answers. Each tick decides and writes the decision down, also a "no"; a "yes" is one claim in the ledger, whoever else
saw the same. A claim is an order: its sensor asks Dagster for the run until it is there, so a daemon that is killed
between the two loses nothing, and none is started twice (`run_key` is the claim's).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.signals import Answer, Concept, Data, Response
from mlops_assets.declare import DamagedError, UseCase
from mlops_assets.graph.clock import now
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.recording import Books
from mlops_assets.graph.response import RESPONSE
from mlops_assets.graph.serving import Serving
from mlops_assets.graph.storage import Store
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.waiting import still_waiting

RETRAIN, SIGNAL = "mlops/retrain", "mlops/signal"  # run tags: the claim's key, what asked for it
_REACH = 12  # weeks back for outcomes that have matured
SEEN = ("data", "prediction", "concept", "response", "drift", "performance")  # of a response, what a decision keeps
# sensor -> the signals it acts on, and the asset on whose page its decisions are told
ACTS: Mapping[str, tuple[tuple[Signal, ...], str]] = {
    "drift_sensor": ((Signal.DATA, Signal.AGE), "drift_report"),
    "concept_drift_sensor": ((Signal.CONCEPT,), "performance_report"),
}


def retraining(use_case: UseCase, job: UnresolvedAssetJobDefinition) -> list[dg.SensorDefinition]:
    """The two sensors of a use case."""
    return [_sensor(use_case, job, name) for name in ACTS]


def _sensor(use_case: UseCase, job: UnresolvedAssetJobDefinition, which: str) -> dg.SensorDefinition:
    signals, asset = ACTS[which]
    name = f"{use_case.name}_{which}"

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Retrains {use_case.name} for {' or '.join(s.value for s in signals)}, as its policy allows; "
        f"every decision stands on the page of {asset} and in `mlops retraining decisions {use_case.name}`.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, store: Store, records: Books, serving: Serving
    ) -> dg.SensorResult | dg.SkipReason:
        said: list[str] = []
        with records.opened() as books:
            try:
                for cause, answer, record in causes(use_case, store.assets, signals):
                    considered = books.retrainings.consider(
                        use_case,
                        cause,
                        unless_broken(answer, record, last_trained(use_case, books)),
                        facts(use_case, store.assets, serving, books, record),
                        sensor=name,
                        evidence={n: record[n] for n in SEEN},
                        at=now(),
                    )
                    said.append(f"{cause.signal.value}: {considered.decision.reason}")
                    if considered.first:
                        _tell(context.instance, use_case, asset, cause, considered)
            except DamagedError as damage:  # what was claimed before is asked for all the same
                context.log.error(str(damage))
                said.append(str(damage))
            requests = list(orders(context.instance, use_case, books, name))
        if not requests:
            return dg.SkipReason("; ".join(said) or "no week has been judged against a model yet")
        return dg.SensorResult(run_requests=requests)

    return sensor


def causes(
    use_case: UseCase, store: AssetStore, signals: tuple[Signal, ...]
) -> Iterator[tuple[Cause, Answer, Mapping[str, Any]]]:
    """What the newest response may ask a training for, signal by signal; nothing before a model is judged.

    Of outcomes it is the newest week that has some: where labels take longer than a week to mature, the newest week of
    all never has.
    """
    asset = f"{use_case.name}/response"
    weeks = store.refs.partitions(asset)[-_REACH:]
    newest = _response(store, asset, weeks[-1]) if weeks else {}
    if not newest.get("model"):
        return
    for signal in signals:
        if signal is Signal.AGE and use_case.retraining.max_age is None:
            continue
        record = _with_outcomes(store, asset, weeks, newest) if signal is Signal.CONCEPT else newest
        cause = Cause(
            use_case=use_case.name, model=record["model"], model_digest=record["model_digest"],
            reference=record["reference"], window=record["partition"], signal=signal,
        )  # fmt: skip
        yield cause, _answer(signal, record), record


def _response(store: AssetStore, asset: str, week: str) -> Mapping[str, Any]:
    return dict(store.load_ref(store.require(asset, week), parts=(RESPONSE,)).records[RESPONSE])


def _with_outcomes(store: AssetStore, asset: str, weeks: Sequence[str], newest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest response of the same model whose outcomes were judged; the newest of all where none were."""
    for week in reversed(weeks):
        record = _response(store, asset, week)
        if record.get("model_digest") != newest["model_digest"]:
            break
        if record["concept"] != Concept.UNKNOWN.value:
            return record
    return newest


def _answer(signal: Signal, record: Mapping[str, Any]) -> Answer:
    """What the signals ask for, as far as this one is among them."""
    if signal is Signal.CONCEPT and record["concept"] != Concept.DRIFT.value:
        return Answer(response=Response.NOTHING, reason=str(record["performance"]))
    if signal is Signal.DATA and record["data"] not in (Data.ACT.value, Data.FAULT.value):
        return Answer(response=Response.NOTHING, reason=str(record["drift"]))
    return Answer(response=Response(record["response"]), reason=str(record["reason"]))


def unless_broken(answer: Answer, record: Mapping[str, Any], last: str) -> Answer:
    """The same answer, but no training while a week that it would learn from had a broken feed and was not mended."""
    broken = [week for week in record.get("faulty", ()) if week > last]
    if answer.response is not Response.RETRAIN or not broken:
        return answer
    reason = f"the feed of {', '.join(broken)} was broken and has not landed again: a training would learn the fault"
    return Answer(response=Response.CHECK_FEED, reason=reason)


def last_trained(use_case: UseCase, books: Records) -> str:
    """The newest week of which a model is registered; "" when none is."""
    return max((head.partition for head in books.lineage.heads() if head.use_case == use_case.name), default="")


def facts(
    use_case: UseCase,
    store: AssetStore,
    serving: Serving,
    books: Records,
    record: Mapping[str, Any],
) -> Facts:
    """What the policy is told beside the trainings, which it reads itself: how things stand at this moment."""
    with serving.rollouts(use_case) as kept:
        row = kept.row()
    moving = not row.stage.terminal and row.stage is not Stage.PREPARING  # prepared by nobody, it holds nobody up
    return Facts(
        newest=str(record["partition"]),
        trained_to=str(record["model_partition"]),
        fresh_rows=_fresh(use_case, store, last_trained(use_case, books), str(record["partition"])),
        act_windows=int(record["act_windows"]),
        rollout=f"{use_case.name}@{row.challenger} is in {row.stage.value}" if moving else "",
    )


def _fresh(use_case: UseCase, store: AssetStore, last: str, newest: str) -> int:
    """Labelled rows of the weeks after the last training; counting stops where the policy is content."""
    rows, asset = 0, f"{use_case.name}/feature_table"
    for week in reversed([week for week in store.refs.partitions(asset) if last < week <= newest]):
        ref = store.latest(asset, week)
        if ref is not None:
            label = store.load_ref(ref).tables[TABLE][use_case.label.column]
            rows += len(label) - label.null_count
        if rows >= use_case.retraining.fresh:
            break
    return rows


def orders(instance: dg.DagsterInstance, use_case: UseCase, books: Records, sensor: str) -> Iterator[dg.RunRequest]:
    """The runs of this sensor's claims that Dagster does not know yet; a claim whose runs ended unjudged has failed."""
    waiting = {entry.facts["partition"] for entry in still_waiting(books.ledger.entries(use_case.name))}
    for claim in books.retrainings.open_claims(use_case.name, sensor):
        runs = instance.get_runs(dg.RunsFilter(tags={RETRAIN: claim.key}))
        if not runs:
            yield dg.RunRequest(
                run_key=claim.key,
                partition_key=claim.window,
                tags={RETRAIN: claim.key, SIGNAL: claim.signal.value, "mlops/why": claim.reason[:250]},
            )
        elif claim.window in waiting:
            continue  # it is trained; MLflow did not answer, and the registration is made when it does
        elif all(run.is_finished and not run.is_complete_and_waiting_to_retry for run in runs):
            ended = ", ".join(f"{run.run_id[:8]} {run.status.value.lower()}" for run in runs)
            books.retrainings.failed(claim.key, why=f"no candidate of its week was judged: run {ended}", at=now())


def _tell(instance: dg.DagsterInstance, use_case: UseCase, asset: str, cause: Cause, considered: Any) -> None:
    """Put a decision that was not taken before on the page of the report it is about."""
    decision = considered.decision
    table = [dg.TableRecord({"guard": g.name, "holds": g.holds, "in words": g.sentence}) for g in decision.guards]
    instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key=[use_case.name, asset],
            partition=cause.window,
            description=f"{'retrain' if decision.yes else 'no retraining'} for {cause.signal.value}: {decision.reason}",
            metadata={
                "decision": "retrain" if decision.yes else "no",
                "signal": cause.signal.value,
                "reason": decision.reason,
                "guards": dg.MetadataValue.table(table),
                "claim": cause.key if decision.yes else "none",
            },
        )
    )
