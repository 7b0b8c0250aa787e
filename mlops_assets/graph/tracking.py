"""MLflow through dagster-mlflow: one MLflow run for each Dagster run that trains, closed with the right status.

dagster-mlflow ends a failed run as FINISHED (MLflow registers an exit hook it does not know, and `dagster job
execute` starts resources once more after the run's end). Both are met here. Imports are inside: they cost seconds.
"""

import atexit
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.stores.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """What a step needs: the MLflow run of this Dagster run, where it is tracked, its pages, the code's root."""

    run_id: str
    tracking_uri: str
    artifact_root: str
    root: Path
    ui: str


@dg.resource(
    config_schema={
        "experiment_name": dg.Field(str),
        "mlflow_tracking_uri": dg.Field(str),
        "artifact_root": dg.Field(str),
        "root": dg.Field(str),
        "ui": dg.Field(str),
        "parent_run_id": dg.Field(str, is_required=False),
        "mlflow_run_id": dg.Field(str, is_required=False),
        "env": dg.Field(dg.Permissive(), default_value={}),
        "env_to_tag": dg.Field([str], is_required=False),
        "extra_tags": dg.Field(dg.Permissive(), default_value={}),
    }
)
def mlflow_tracking(context: dg.InitResourceContext) -> Iterator[Any]:
    """The dagster-mlflow resource of one run; `None` when the run is over already."""
    run = context.instance.get_run_by_id(context.run_id) if context.instance and context.run_id else None
    if run is not None and run.is_finished:
        yield None
        return
    import mlflow.tracking.fluent as fluent
    from dagster_mlflow.resources import MlFlow

    config = context.resource_config
    Registry(config["mlflow_tracking_uri"], config["artifact_root"]).ensure_experiment(config["experiment_name"])
    tracker = MlFlow(context)
    atexit.unregister(fluent._safe_end_run)
    try:
        yield Tracker(
            run_id=tracker.active_run().info.run_id,
            tracking_uri=config["mlflow_tracking_uri"],
            artifact_root=config["artifact_root"],
            root=Path(config["root"]),
            ui=config["ui"],
        )
    finally:  # this process may run another Dagster run next: it must not find this MLflow run still open
        failed = context.instance.get_records_for_run(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
        tracker.end_run("FAILED" if failed or sys.exc_info()[1] else "FINISHED")
