"""Stage 6, monitoring: a week's live inputs against the profile of the model that led as the week began."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.plots.drift import drift_columns, drift_ranked
from mlops_assets.core.reference import judge_week
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.leader import ANSWERS, REACH, leader_of
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store

# what of a column's report stands on the page; the whole of it is in the store
SHOWN = {
    "name": "column", "verdict": "verdict", "psi": "PSI", "threshold": "threshold", "ks": "KS", "js": "JS",
    "shift_sd": "shift, sd", "missing_reference": "missing then", "missing_live": "missing now",
    "importance": "importance",
}  # fmt: skip


def drift_step(use_case: UseCase) -> Step:
    """What a drift report depends on."""
    return Step(
        use_case=use_case,
        artifact="drift_report",
        makes=(work,),
        sees=("name", "partitions", "tables", "requests", "label", "features", *ANSWERS, "drift"),
        reads={
            "features": Reads(artifact="feature_table"),
            "entries": Reads(artifact="registry_entry", start=-REACH, end=-1, load="latest"),
        },
    )


def work(use_case: UseCase, partition: str, read: Mapping[str, Weeks]) -> Artifact:
    """The report on a week from what the step reads."""
    standing = list(read["entries"].artifacts().values())
    return make(use_case, partition, read["features"].one().tables[TABLE], standing[-1] if standing else None)


def make(use_case: UseCase, partition: str, table: pa.Table, entry: Artifact | None) -> Artifact:
    """The report on a week's features against the leader that an earlier registry entry carries, if any."""
    leader = leader_of(use_case, entry) if entry else None
    if leader is None:
        sentence = f"INCONCLUSIVE: no model led before {partition}, so there is no reference to compare with."
        return Artifact(records={"verdict": {"verdict": "INCONCLUSIVE", "sentence": sentence}})
    profile = leader.profile
    report, live = judge_week(use_case, profile, to_frame(table), leader.scorer, leader.importances)
    plots = {"ranked_plot": drift_ranked(report), "columns_plot": drift_columns(profile, report, live)}
    verdict = report.to_json() | {"leader": leader.name}
    return Artifact(
        tables={"columns": to_table(report.to_frame())},
        records={"verdict": verdict},
        blobs={name: Blob.picture(svg, name, verdict) for name, svg in plots.items()},
    )


def drift_report(use_case: UseCase) -> dg.AssetsDefinition:
    """The report of a week."""
    step = drift_step(use_case)

    @dg.asset(
        key=[use_case.name, "drift_report"],
        group_name="monitoring",
        partitions_def=partitions_def(use_case.partitions),
        deps=step.deps,
        kinds={"scipy"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        description="One row is a watched column (a feature, or the model's prediction): this week's values against "
        "the reference profile of the leader that stood when the week began. PSI, KS and Jensen-Shannon, each DRIFT, "
        "STABLE or INSUFFICIENT_DATA; a column's threshold is its own restlessness in the reference.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            action = step.action(partition, inputs_of(read))
            made = once(context, store.assets, action, lambda: work(step.seen, partition, read))
        return dg.MaterializeResult(value=made, metadata=_metadata(made.artifact))

    return asset


def _metadata(report: Artifact) -> dict[str, Any]:
    verdict = report.records["verdict"]
    shown: dict[str, Any] = {"verdict": verdict["verdict"], "in words": verdict["sentence"]}
    if "columns" not in report.tables:
        return shown
    ranked = verdict["columns"]
    drifted = [column["name"] for column in ranked if column["verdict"] == "DRIFT" and not column["stable"]]
    return shown | {
        "leader": verdict["leader"],
        "score": showing.number(verdict["score"]),
        "drifted columns": ", ".join(drifted) or "none",
        "data quality alarms": ", ".join(verdict["quality_alarms"]) or "none",
        "dagster/row_count": verdict["rows"],
        "ranked plot": showing.plot(report.blobs["ranked_plot"].data, "watched columns ranked by psi / threshold"),
        "columns plot": showing.plot(
            report.blobs["columns_plot"].data, "reference against this week, most drifted columns"
        ),
        "columns": showing.records({title: column[name] for name, title in SHOWN.items()} for column in ranked),
    }
