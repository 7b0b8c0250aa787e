"""Stage 6, monitoring: a week's live inputs against the profile of the model that was champion as the week began."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.drift import DriftReport
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.plots.drift import drift_columns, drift_ranked
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.reference import judge_week
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.axis import partition_of, partitions_def, window
from mlops_assets.graph.champion import Champion, champion_of
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.registry import REACH
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Upstream

# what of a column's report stands on the page; the whole of it is in the store
SHOWN = {
    "name": "column", "verdict": "verdict", "psi": "PSI", "threshold": "threshold", "ks": "KS", "js": "JS",
    "shift_sd": "shift, sd", "missing_reference": "missing then", "missing_live": "missing now",
    "importance": "importance",
}  # fmt: skip


def drift_report(use_case: UseCase) -> dg.AssetsDefinition:
    """The report of a week."""

    @dg.asset(
        key=[use_case.name, "drift_report"],
        group_name="monitoring",
        partitions_def=partitions_def(use_case.partitions),
        ins={
            "features": dg.AssetIn(key=[use_case.name, "feature_table"]),
            "entries": dg.AssetIn(
                key=[use_case.name, "registry_entry"], **window(use_case.partitions, -REACH, -1, "latest")
            ),
        },
        kinds={"scipy"},
        retry_policy=TRANSIENT,
        description="One row is a watched column (a feature, or the model's prediction): this week's values against "
        "the reference profile of the champion that stood when the week began. PSI, KS and Jensen-Shannon, each DRIFT, "
        "STABLE or INSUFFICIENT_DATA; a column's threshold is its own restlessness in the reference.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, features: Upstream, entries: Upstream) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            frame = to_frame(features.one().tables[TABLE])
            standing = list(entries.artifacts().values())
            champion = champion_of(use_case, standing[0]) if standing else None
            if champion is None:
                return _nothing_to_compare(partition)
            report, live = judge_week(use_case, champion.profile, frame, champion.scorer, champion.importances)
        return _result(report, champion, live)

    return asset


def _nothing_to_compare(partition: str) -> dg.MaterializeResult:
    sentence = f"INCONCLUSIVE: no model was champion before {partition}, so there is no reference to compare with."
    verdict = {"verdict": "INCONCLUSIVE", "sentence": sentence}
    return dg.MaterializeResult(
        value=Artifact(records={"verdict": verdict}), metadata={"verdict": "INCONCLUSIVE", "in words": sentence}
    )


def _result(report: DriftReport, champion: Champion, live: pd.DataFrame) -> dg.MaterializeResult:
    frame = report.to_frame()
    profile: ReferenceProfile = champion.profile
    plots = {"ranked_plot": drift_ranked(report), "columns_plot": drift_columns(profile, report, live)}
    verdict = report.to_json() | {"champion": champion.name}
    artifact = Artifact(
        tables={"columns": to_table(frame)},
        records={"verdict": verdict},
        blobs={name: Blob.picture(svg, name, verdict) for name, svg in plots.items()},
    )
    metadata: dict[str, Any] = {
        "verdict": report.verdict.value,
        "in words": report.sentence,
        "champion": champion.name,
        "score": showing.number(report.score),
        "drifted columns": ", ".join(report.drifted) or "none",
        "data quality alarms": ", ".join(report.quality_alarms) or "none",
        "dagster/row_count": report.rows,
        "ranked plot": showing.plot(plots["ranked_plot"], "watched columns ranked by psi / threshold"),
        "columns plot": showing.plot(plots["columns_plot"], "reference against this week, most drifted columns"),
        "columns": showing.records(
            {shown: row[name] for name, shown in SHOWN.items()} for row in frame.to_dict("records")
        ),
    }
    return dg.MaterializeResult(value=artifact, metadata=metadata)
