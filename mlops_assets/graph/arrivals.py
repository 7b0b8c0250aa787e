"""A week's files arrive, its partition flows; its labels mature, its reports are made again. By themselves.

`<use case>_arrivals` watches the landing zone. What lies there when it looks for the first time is old: a year of files
beside a fresh project is history, for `mlops backfill`. From then on every week whose files are all there and have come
or changed is run, oldest first, one at a time: a week looks back at those before it.
`<use case>_matured` asks for the reports of a week once its labels are mature, and once a day for four weeks more where
they are too few then.
"""

import json
import time
from collections.abc import Mapping
from datetime import datetime

import dagster as dg
from blake3 import blake3
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.core.signals import Concept
from mlops_assets.declare import UseCase
from mlops_assets.graph.performance_judging import REPORT
from mlops_assets.graph.storage import Store, now
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.settings import Settings

ARRIVED = "mlops/arrived"  # run tag: the use case whose files came
_QUIET_S = 3.0  # a file that was written so short a time ago may be written still
_PATIENT_DAYS = 28  # labels that are not there by then do not come any more
_RECENT = 10  # weeks that are looked at for late labels


def stamps(use_case: UseCase, landing: str) -> dict[str, dict[str, tuple[str, float]]]:
    """Week -> table -> the stamp of its file, for every week of the axis that has one."""
    zone = Landing(f"{landing.rstrip('/')}/{use_case.name}")
    weekly = [table for table in use_case.tables if not table.snapshot]
    axis = set(use_case.partitions.keys())
    found: dict[str, dict[str, tuple[str, float]]] = {}
    for table in weekly:
        for week in zone.partitions(table.landing):
            if week in axis and (stamp := zone.stamp(table.landing, week)) is not None:
                found.setdefault(week, {})[table.name] = stamp
    return dict(sorted(found.items()))


def seal(files: Mapping[str, tuple[str, float]]) -> str:
    """What changes whenever a file of the week is written, 16 characters."""
    told = json.dumps({table: stamp for table, (stamp, _) in sorted(files.items())})
    return blake3(told.encode()).hexdigest()[:16]


def arrivals(use_case: UseCase, job: UnresolvedAssetJobDefinition, settings: Settings) -> dg.SensorDefinition:
    """Runs the job of a week whose files have come or changed since the last look; the cursor is what was seen."""
    tables = {table.name for table in use_case.tables if not table.snapshot}

    @dg.sensor(
        name=f"{use_case.name}_arrivals",
        job=job,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A week whose files arrive in the landing zone is made and judged: data, features, reports.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        found = stamps(use_case, settings.landing)
        seals = {week: seal(files) for week, files in found.items()}
        if context.cursor is None:
            return dg.SensorResult(
                skip_reason=f"{len(seals)} weeks of files lay there before this sensor first looked: "
                f"`mlops backfill {use_case.name}` runs them; whatever comes from now on is run by itself",
                cursor=json.dumps(seals),
            )
        seen: dict[str, str] = json.loads(context.cursor)
        new = [week for week in seals if seals[week] != seen.get(week)]
        if not new:
            return dg.SkipReason(f"no file came or changed; {len(seals)} weeks are there")
        if running := _running(context.instance, use_case):
            return dg.SkipReason(f"{len(new)} weeks wait, the oldest {new[0]}: that of {running} is being run")
        waits = []
        for week in new:
            if lacking := sorted(tables - set(found[week])):
                waits.append(f"{week} waits for {', '.join(lacking)}")
            elif time.time() - max(at for _, at in found[week].values()) < _QUIET_S:
                waits.append(f"{week} is being written")
            else:
                return dg.SensorResult(
                    run_requests=[
                        dg.RunRequest(
                            run_key=f"{week} {seals[week]}",
                            partition_key=week,
                            tags={ARRIVED: use_case.name, "mlops/why": f"the files of {week} arrived"},
                        )
                    ],
                    cursor=json.dumps({**seen, week: seals[week]}),
                )
        return dg.SkipReason("; ".join(waits))

    return sensor


def _running(instance: dg.DagsterInstance, use_case: UseCase) -> str:
    """The week whose arrival is being run, "" when none is."""
    unfinished = dg.RunsFilter(
        tags={ARRIVED: use_case.name},
        statuses=[
            dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
        ],
    )  # fmt: skip
    runs = instance.get_runs(unfinished, limit=1)
    return str(runs[0].tags.get("dagster/partition", "a week")) if runs else ""


def matured(use_case: UseCase, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Runs the reports of a week again when its labels are mature by now, and daily while they are too few."""

    @dg.sensor(
        name=f"{use_case.name}_matured",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes the reports of a week again once its labels are mature.",
    )
    def sensor(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult | dg.SkipReason:
        assets, asset = store.assets, f"{use_case.name}/performance_report"
        due = []
        for week in assets.refs.partitions(asset)[-_RECENT:]:
            ref = assets.latest(asset, week)
            if ref is None:
                continue
            report = assets.load_ref(ref, parts=(REPORT,)).records[REPORT]
            mature = use_case.partitions.bounds(week)[1] + use_case.label.maturity
            days = (datetime.fromisoformat(now()) - mature).days
            if report["state"] == Concept.UNKNOWN.value and "level" in report and 0 <= days <= _PATIENT_DAYS:
                due.append((week, days))
        if not due:
            return dg.SkipReason("no report waits for labels that have matured")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{week} day {day}",
                    partition_key=week,
                    tags={"mlops/why": f"the labels of {week} are mature since {day} days"},
                )
                for week, day in due
            ]
        )

    return sensor
