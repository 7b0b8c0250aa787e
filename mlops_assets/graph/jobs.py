"""The jobs of a use case. One partition a run; a range is a backfill, in the UI or by `mlops backfill`.

| job | assets |
|---|---|
| `<use case>_data` | raw_data, validated_dataset, online_features, feature_table, feature_catalogue |
| `<use case>_train` | trained_model, registry_entry, rollout, feature_catalogue (which tells of the new version) |
| `<use case>_rollout` | rollout, predictions: what the gateways have decided and answered since |
| `<use case>_monitor` | predictions, drift_report, performance_report, response |
| `<use case>_arrived` | those of data, then those of monitor: what a week's new files ask for |
| `<use case>_retrain` | those of train: what a sensor asks for, with its reason among the run's tags |
| `<use case>_lifecycle` | all of them |

`<use case>_reproduce` (`proof.py`) makes no asset and has no partitions: it proves a registered version.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.declare import UseCase

_DATA = ("raw_data", "validated_dataset", "online_features", "feature_table", "feature_catalogue")
_TRAIN = ("trained_model", "registry_entry", "rollout", "feature_catalogue")
_MONITOR = ("predictions", "drift_report", "performance_report", "response")
STAGES = {
    "data": _DATA,
    "train": _TRAIN,
    "rollout": ("rollout", "predictions"),
    "monitor": _MONITOR,
    "arrived": (*_DATA, *_MONITOR),
    "retrain": _TRAIN,
}
LIFECYCLE = tuple(dict.fromkeys(artifact for stage in STAGES.values() for artifact in stage))


def job_name(use_case: str, job: str) -> str:
    """`flight_delays_data`: what `dagster job execute -j` takes."""
    return f"{use_case}_{job}"


def jobs(use_case: UseCase) -> dict[str, UnresolvedAssetJobDefinition]:
    """The seven jobs by stage. Steps run in the job's own process: a process a step costs seconds of imports."""
    return {
        name: dg.define_asset_job(
            job_name(use_case.name, name),
            selection=dg.AssetSelection.assets(*([use_case.name, artifact] for artifact in artifacts)),
            executor_def=dg.in_process_executor,
            description=f"{', '.join(artifacts)} of one week of {use_case.name}",
            tags={"use_case": use_case.name},
        )
        for name, artifacts in (*STAGES.items(), ("lifecycle", LIFECYCLE))
    }


def weekly_schedule(use_case: UseCase, lifecycle: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Runs the lifecycle of the week just over, once its labels are mature. Off until someone switches it on."""
    wait = use_case.label.maturity
    return dg.build_schedule_from_partitioned_job(
        lifecycle,
        name=f"{use_case.name}_weekly",
        description=f"The lifecycle of each new week, {wait} after its end, when its labels are trusted.",
        day_of_week=(1 + wait.days) % 7,  # cron counts from Sunday: the week ends as Monday begins
        hour_of_day=3,
    )  # type: ignore[return-value]  # the union's other member needs an unresolved partitions definition
