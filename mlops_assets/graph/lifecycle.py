"""The whole graph of a use case, in lifecycle order, from its declaration."""

import dagster as dg

from mlops_assets.declare import UseCase
from mlops_assets.graph.alerts import alerts
from mlops_assets.graph.arrivals import arrivals
from mlops_assets.graph.catalogue import feature_catalogue
from mlops_assets.graph.features import feature_asset
from mlops_assets.graph.ingest import LandingZone, raw_data, validated_dataset
from mlops_assets.graph.jobs import jobs, weekly_schedule
from mlops_assets.graph.lost_runs import lost_runs
from mlops_assets.graph.matured import matured
from mlops_assets.graph.monitoring import drift_report
from mlops_assets.graph.online import FeatureStore, online_features
from mlops_assets.graph.performance import performance_report
from mlops_assets.graph.predictions import predictions
from mlops_assets.graph.proof import reproduce_job
from mlops_assets.graph.recording import Books
from mlops_assets.graph.registry import registry_entry, tracker_key
from mlops_assets.graph.response import response
from mlops_assets.graph.retraining import retraining
from mlops_assets.graph.rollout import rollout
from mlops_assets.graph.sensors import registrations, rollouts
from mlops_assets.graph.serving import Serving
from mlops_assets.graph.skew import served_equals_trained
from mlops_assets.graph.storage import Store, StoreIO
from mlops_assets.graph.tracking import mlflow_tracking
from mlops_assets.graph.training import NamedByKey, trained_model
from mlops_assets.stores.settings import Settings


def build_lifecycle(use_case: UseCase, settings: Settings) -> dg.Definitions:
    """Assets, checks, jobs, the schedule and the tracker of one use case; the rest comes from `resources`."""
    declared = jobs(use_case)
    tracker = {
        "experiment_name": use_case.name,
        "mlflow_tracking_uri": settings.tracking_uri,
        "artifact_root": settings.artifacts,
        "root": str(settings.root),
        "ui": settings.tracker_ui,
    }
    return dg.Definitions(
        assets=[
            raw_data(use_case),
            validated_dataset(use_case),
            online_features(use_case),
            feature_asset(use_case),
            trained_model(use_case),
            registry_entry(use_case),
            rollout(use_case),
            predictions(use_case),
            feature_catalogue(use_case),
            drift_report(use_case),
            performance_report(use_case),
            response(use_case),
        ],
        asset_checks=[served_equals_trained(use_case)],
        jobs=[*declared.values(), reproduce_job(use_case, settings)],
        schedules=[weekly_schedule(use_case, declared["lifecycle"])],
        sensors=[
            arrivals(use_case, declared["arrived"], settings),
            matured(use_case, declared["monitor"]),
            *retraining(use_case, declared["retrain"]),
            registrations(use_case, declared["train"], settings),
            rollouts(use_case, declared["rollout"]),
        ],
        resources={tracker_key(use_case): mlflow_tracking.configured(tracker)},
    )


def resources(settings: Settings) -> dg.Definitions:
    """What all use cases stand on, by name."""
    return dg.Definitions(
        sensors=[alerts(settings), lost_runs()],
        resources={
            "io_manager": StoreIO(url=settings.store, root=str(settings.root)),
            "trial_keys": NamedByKey(),
            "store": Store(url=settings.store, root=str(settings.root), lender=settings.lender),
            "records": Books(where=settings.records, pages=settings.dagster_ui),
            "serving": Serving(where=settings.serving),
            "landing": LandingZone(url=settings.landing),
            "feature_store": FeatureStore(online=settings.online, journals=settings.journal),
        },
        executor=dg.in_process_executor,
    )
