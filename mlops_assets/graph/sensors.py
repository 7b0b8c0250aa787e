"""Sensors of a use case: what runs by itself, and why.

`<use case>_registrations`: a training that MLflow could not be told of is registered once the tracker is back.
`<use case>_rollouts`: what the gateways decided is brought to the page of the week it is about.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.declare import UseCase
from mlops_assets.graph.recording import Books, unreachable
from mlops_assets.graph.serving import Serving
from mlops_assets.stores.records.waiting import still_waiting
from mlops_assets.stores.registry import Registry
from mlops_assets.stores.settings import Settings


def registrations(use_case: UseCase, train: UnresolvedAssetJobDefinition, settings: Settings) -> dg.SensorDefinition:
    """Asks the tracker whether it is back when a training waits for it, and then runs the job that registers it."""

    @dg.sensor(
        name=f"{use_case.name}_registrations",
        job=train,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers a trained model that waits because MLflow did not answer, once it does.",
    )
    def sensor(records: Books) -> dg.SensorResult | dg.SkipReason:
        with records.opened() as books:
            due = still_waiting(books.ledger.entries(use_case.name))
        if not due:
            return dg.SkipReason("no training waits for the tracker")
        try:
            Registry(settings.tracking_uri, settings.artifacts).client.search_experiments(max_results=1)
        except Exception as error:
            if not unreachable(error):
                raise
            return dg.SkipReason(f"{len(due)} trainings wait, the tracker does not answer yet")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{entry.subject} {entry.seq}",  # a new failure is a new entry, and asked for again
                    partition_key=entry.facts["partition"],
                    tags={
                        "mlops/why": f"{entry.subject} waits since {entry.at} for the tracker",
                        "mlops/registration": use_case.name,  # one after the other: dagster.yaml
                    },
                )
                for entry in due
            ]
        )

    return sensor


def rollouts(use_case: UseCase, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Materializes the `rollout` of the week whose model the newest decision is about; the cursor is the epoch."""

    @dg.sensor(
        name=f"{use_case.name}_rollouts",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings what the gateways decided to the page of the week whose model it is about.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, records: Books, serving: Serving
    ) -> dg.SensorResult | dg.SkipReason:
        with serving.rollouts(use_case) as kept:
            told = kept.events(int(context.cursor or 0))
            row = kept.row()
        if not told:
            return dg.SkipReason("nothing was decided since")
        with records.opened() as books:
            known = {head.version: head.partition for head in books.lineage.heads() if head.use_case == use_case.name}
        concerned = dict.fromkeys(known[v] for v in (row.challenger, row.champion) if v in known)
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{use_case.name} {week} {told[-1].epoch}",
                    partition_key=week,
                    tags={"mlops/why": f"{told[-1].kind.value}: {told[-1].why}"[:250]},
                )
                for week in concerned
            ],
            cursor=str(told[-1].epoch),
        )

    return sensor
