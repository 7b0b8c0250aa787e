"""Stage 5, rollout: what the gateways answered in a week, from their log to a table with a data version.

The log is where an answer is written before it is given; this is its export, made anew as often as it is asked for: the
same log gives the same version. Labels that arrive later change a week's version, and say so.
"""

from dataclasses import replace
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.artifact import Artifact
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Step, stored
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.serving import Serving
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store

TABLE = "predictions"


def predictions_step(use_case: UseCase) -> Step:
    """What the export depends on, beside the log itself, whose content is the result."""
    return Step(use_case=use_case, artifact=TABLE, makes=(make,), sees=("name", "partitions", "requests", "features"))


def make(table: pa.Table) -> Artifact:
    """The export as an artifact."""
    return Artifact(tables={TABLE: table})


def predictions(use_case: UseCase) -> dg.AssetsDefinition:
    """The log of a week."""
    step = predictions_step(use_case)

    @dg.asset(
        key=[use_case.name, TABLE],
        group_name="rollout",
        partitions_def=partitions_def(use_case.partitions),
        deps=[dg.AssetKey([use_case.name, "rollout"])],
        kinds={"sqlite"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        description="One row is an answer given to a request as of an instant of the week: which model version, in "
        "which arm and stage, at which share; what both models said; the label, once it is known; the features as they "
        "were served. Exported from the log that is written before an answer is given.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store, serving: Serving) -> dg.MaterializeResult:
        with refusals(), serving.predictions(use_case) as log:
            partition = partition_of(context, use_case)
            exported = log.export(partition)
            artifact = make(exported.table)
            action = step.action(partition, {}, {"log": artifact.version})
            before = stored(store.assets, action)
            made = Made(artifact=artifact, action=action, known=before[0] if before else None)
            made = replace(made, stored=store.publish(made, context.run_id))
            log.note_export(partition, exported, artifact.version)  # from now on the log may forget it
        return dg.MaterializeResult(value=made, metadata=_metadata(artifact.tables[TABLE]))

    return asset


def _metadata(table: pa.Table) -> dict[str, Any]:
    rows = table.num_rows
    told: dict[str, Any] = {"dagster/row_count": rows}
    if not rows:
        return told | {"in words": "no gateway has answered a request of this week"}
    counted = table.group_by(["version", "arm", "status"]).aggregate([([], "count_all")])
    labelled = rows - table["label"].null_count
    return told | {
        "labelled": labelled,
        "in words": f"{rows:,} answers, {labelled:,} of them labelled, by "
        f"{len(pc.unique(table['version']))} model versions",
        "who answered": showing.records(counted.sort_by([("version", "ascending")]).to_pylist()),
    }
