"""MLflow through dagster-mlflow: one MLflow run for each Dagster run that registers, closed with the right status.

The run is opened when a step first asks for it, so training does not need the tracker: a model that is trained is
stored, and registered when the tracker is back. dagster-mlflow alone would end a failed run as FINISHED (MLflow
registers an exit hook it does not know, `dagster job execute` starts resources once more after the run's end) and leave
a good one open for the next Dagster run of the process. Imports are inside: they cost seconds.
"""

import atexit
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.stores.registry import Registry


class Tracker:
    """Where a use case is tracked (`registry`), its pages (`ui`), the code's `root`, and this run's MLflow run."""

    def __init__(self, context: dg.InitResourceContext) -> None:
        config: dict[str, Any] = context.resource_config
        self._context, self._experiment = context, config["experiment_name"]
        self.registry = Registry(config["mlflow_tracking_uri"], config["artifact_root"])
        self.ui: str = config["ui"]
        self.root = Path(config["root"])

    @cached_property
    def run_id(self) -> str:
        """The MLflow run of this Dagster run, opened at the first question."""
        import mlflow.tracking.fluent as fluent
        from dagster_mlflow.resources import MlFlow

        self.registry.ensure_experiment(self._experiment)
        self._mlflow = MlFlow(self._context)
        atexit.unregister(fluent._safe_end_run)
        return str(self._mlflow.active_run().info.run_id)

    def close(self, *, failed: bool) -> None:
        """End the MLflow run, if one was opened."""
        if "run_id" in self.__dict__:
            self._mlflow.end_run("FAILED" if failed else "FINISHED")


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
def mlflow_tracking(context: dg.InitResourceContext) -> Iterator[Tracker]:
    """The tracker of one Dagster run; the keys dagster-mlflow reads keep its names."""
    tracker = Tracker(context)
    try:
        yield tracker
    finally:
        failures = context.instance.get_records_for_run(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        tracker.close(failed=bool(failures.records) or sys.exc_info()[1] is not None)
