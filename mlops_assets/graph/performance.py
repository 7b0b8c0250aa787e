"""Stage 6, monitoring: were a week's answers right? Realised performance on matured labels, apart from the inputs.

The detector's evidence is carried from week to week, for as long as one model is judged.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.signals import Concept
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.clock import now
from mlops_assets.graph.drift_judging import HISTORY
from mlops_assets.graph.judged import READS, report_of
from mlops_assets.graph.leader import ANSWERS
from mlops_assets.graph.performance_judging import REPORT, work
from mlops_assets.graph.recording import Books
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store

# of the gate, what cuts a cohort into slices and days; its margin is no part of a report
SLICED = tuple(f"promotion.{name}" for name in ("metric", "block", "slices", "min_slice_rows"))
AT = "mlops/at"  # run tag: the instant a run takes for now, ISO 8601 with its zone


def performance_step(use_case: UseCase) -> Step:
    """What a performance report depends on, beside the training it judges and whether its labels are mature."""
    return Step(
        use_case=use_case,
        artifact="performance_report",
        makes=(work,),
        sees=("name", "partitions", "tables", "requests", "label", "features", *ANSWERS, "drift.min_rows", *SLICED,
              "concept"),
        reads={
            "features": Reads(artifact="feature_table"),
            **READS,
            "before": Reads(artifact="performance_report", start=-HISTORY, end=-1, load="existing"),
        },
    )  # fmt: skip


def is_mature(use_case: UseCase, partition: str, at: str) -> bool:
    """Whether a week's labels are trusted at an instant (ISO 8601 with its zone)."""
    return datetime.fromisoformat(at) >= use_case.partitions.bounds(partition)[1] + use_case.label.maturity


def performance_report(use_case: UseCase) -> dg.AssetsDefinition:
    """The report of a week."""
    step = performance_step(use_case)
    key, axis = dg.AssetKey([use_case.name, "performance_report"]), partitions_def(use_case.partitions)

    @dg.asset(
        key=key,
        group_name="monitoring",
        partitions_def=axis,
        deps=step.deps,
        kinds={"scipy"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        check_specs=[
            dg.AssetCheckSpec(
                "concept", asset=key, partitions_def=axis, description="is the model as right as when it was made?"
            )
        ],
        description="One row is a metric of a week's answers whose labels are mature: realised value with its "
        "interval by days, beside what validation promised. The evidence of concept drift is carried from week to "
        f"week: on average no false alarm in {use_case.concept.patience:,} labels.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store, records: Books) -> Any:
        with refusals():
            partition = partition_of(context, use_case)
        mature = is_mature(use_case, partition, context.run.tags.get(AT) or now())
        made = report_of(context, step, store, records, work, mature=mature)
        report = made.artifact.records[REPORT]
        yield dg.AssetCheckResult(
            check_name="concept",
            passed=report["state"] != Concept.DRIFT.value,
            severity=dg.AssetCheckSeverity.WARN,
            description=report["sentence"],
        )
        yield dg.MaterializeResult(value=made, metadata=_metadata(use_case, made.artifact))

    return asset


def _metadata(use_case: UseCase, made: Artifact) -> dict[str, Any]:
    report = made.records[REPORT]
    shown: dict[str, Any] = {"verdict": report["state"], "in words": report["sentence"]}
    if "level" not in report:
        return shown
    return shown | {
        "model": report["model"],
        "live answers": report["source"],
        "dagster/row_count": report["rows"],
        "labelled": report["labelled"],
        "gap in the evidence": report["gap_in_evidence"] or "none",
        "metrics": showing.records([*report["metrics"], *_scaled(report)]),
        "history": showing.plot(made.blobs["history_plot"].data, "realised metrics and evidence over the weeks"),
        "calibration plot": showing.plot(made.blobs["calibration_plot"].data, "predicted against actual"),
        "slices": showing.records(map(_slice, report["slices"])),
        "as one file": f"mlops report {use_case.name} {report['partition']} --performance",
    }


def _scaled(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is judged, beside the metrics: the scaled loss, and predicted minus actual."""
    return [report[name] for name in ("loss", "gap") if report[name]]


def _slice(one: Mapping[str, Any]) -> dict[str, Any]:
    """In few columns: each takes room from the words."""
    told = {"slice": one["label"], "rows": one["rows"], one["metric"]["name"]: one["metric"]["value"]}
    return told | {"loss": one["loss"]["value"], "worse beyond chance": one["worse"]}
