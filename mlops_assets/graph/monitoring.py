"""Stage 6, monitoring: a week's live inputs against the reference profile of the model that answered them.

Live inputs are the features as they were served (the exported prediction log), else the week's feature table.
"""

from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step
from mlops_assets.graph.axis import partitions_def
from mlops_assets.graph.drift_judging import HISTORY, VERDICT, work
from mlops_assets.graph.judged import READS, report_of
from mlops_assets.graph.leader import ANSWERS
from mlops_assets.graph.recording import Books
from mlops_assets.graph.steps import TRANSIENT
from mlops_assets.graph.storage import Store

# what of a column's report stands on the page; the whole of it is in the store
SHOWN = {
    "name": "column", "verdict": "verdict", "fault": "feed fault", "psi": "PSI", "threshold": "threshold",
    "ks": "KS", "js": "JS", "shift_sd": "shift, sd", "missing_reference": "missing then",
    "missing_live": "missing now", "importance": "importance",
}  # fmt: skip


def drift_step(use_case: UseCase) -> Step:
    """What a drift report depends on, beside the training of the model it judges by."""
    return Step(
        use_case=use_case,
        artifact="drift_report",
        makes=(work,),
        sees=("name", "partitions", "tables", "requests", "label", "features", *ANSWERS, "drift"),
        reads={
            "features": Reads(artifact="feature_table"),
            **READS,
            "before": Reads(artifact="drift_report", start=-HISTORY, end=-1, load="existing"),
        },
    )


def drift_report(use_case: UseCase) -> dg.AssetsDefinition:
    """The report of a week."""
    step = drift_step(use_case)
    key, axis = dg.AssetKey([use_case.name, "drift_report"]), partitions_def(use_case.partitions)

    @dg.asset(
        key=key,
        group_name="monitoring",
        partitions_def=axis,
        deps=step.deps,
        kinds={"scipy"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        check_specs=[
            dg.AssetCheckSpec("feeds", asset=key, partitions_def=axis, description="does every feed look whole?")
        ],
        description="One row is a watched column (a feature, or the model's prediction): this week's live values "
        "against the reference profile of the model that answered them (where none did, of the leader as the week "
        "began). PSI, KS and Jensen-Shannon, each DRIFT, STABLE or INSUFFICIENT_DATA; a column's threshold is its own "
        "restlessness in the reference. A broken feed is told apart from drift.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store, records: Books) -> Any:
        made = report_of(context, step, store, records, work)
        verdict = made.artifact.records[VERDICT]
        yield dg.AssetCheckResult(
            check_name="feeds",
            passed=not verdict.get("faults"),
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(fault["sentence"] for fault in verdict.get("faults", ())) or "no feed looks broken",
        )
        yield dg.MaterializeResult(value=made, metadata=_metadata(use_case, made.artifact))

    return asset


def _metadata(use_case: UseCase, report: Artifact) -> dict[str, Any]:
    verdict = report.records[VERDICT]
    shown: dict[str, Any] = {"verdict": verdict["verdict"], "in words": verdict["sentence"]}
    if "columns" not in report.tables:
        return shown
    ranked = verdict["columns"]
    drifted = [c["name"] for c in ranked if c["verdict"] == "DRIFT" and not c["stable"] and not c["fault"]]
    return shown | {
        "feed faults": "; ".join(fault["sentence"] for fault in verdict["faults"]) or "none",
        "model": verdict["model"],
        "live inputs": verdict["source"],
        "score": showing.number(verdict["score"]),
        "drifted columns": ", ".join(drifted) or "none",
        "dagster/row_count": verdict["rows"],
        "ranked plot": showing.plot(report.blobs["ranked_plot"].data, "watched columns ranked by psi / threshold"),
        "columns plot": showing.plot(
            report.blobs["columns_plot"].data, "reference against this week, most drifted columns"
        ),
        "history": showing.plot(report.blobs["history_plot"].data, "flagged columns over the weeks, with their bounds"),
        "columns": showing.records({title: column[name] for name, title in SHOWN.items()} for column in ranked),
        "as one file": f"mlops report {use_case.name} {verdict['partition']}",
    }
