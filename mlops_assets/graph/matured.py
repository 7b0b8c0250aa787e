"""Labels mature, and the reports of their week are made again, by itself; and those of the weeks that build on them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.core.signals import Concept
from mlops_assets.declare import DamagedError, UseCase
from mlops_assets.graph.clock import now
from mlops_assets.graph.performance_judging import REPORT
from mlops_assets.graph.storage import Store

_PATIENT_DAYS = 28  # labels that are not there by then do not come any more
_RECENT = 10  # weeks that are looked at


def matured(use_case: UseCase, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Runs the reports of a week again when its labels are mature by now, daily while they are too few, and when the

    evidence they carry on is no longer what the week before leaves.
    """

    @dg.sensor(
        name=f"{use_case.name}_matured",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes the reports of a week again once its labels are mature, or the week before was judged anew.",
    )
    def sensor(store: Store) -> dg.SensorResult | dg.SkipReason:
        due, damaged, before = list[tuple[str, str]](), list[str](), None
        for week in store.assets.refs.partitions(f"{use_case.name}/performance_report")[-_RECENT:]:
            try:
                ref = store.assets.require(f"{use_case.name}/performance_report", week)
                report = store.assets.load_ref(ref, parts=(REPORT,)).records[REPORT]
            except DamagedError as damage:  # of that week alone; fsck tells what to do
                damaged.append(str(damage))
                continue
            if (days := _mature_since(use_case, week, report)) is not None:
                due.append((week, f"day {days}"))
            elif before is not None and _is_stale(report, before[1]):
                due.append((week, f"after {before[0][:16]}"))
                break  # the weeks after it follow, one after the other
            before = ref.data_version, report
        if not due:
            return dg.SkipReason("; ".join(("no report waits for labels that have matured", *damaged)))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{week} {why}",
                    partition_key=week,
                    tags={"mlops/why": f"{week} is judged again: labels or evidence before it have come, {why}"},
                )
                for week, why in due
            ]
        )

    return sensor


def _mature_since(use_case: UseCase, week: str, report: Mapping[str, Any]) -> int | None:
    """For how many days the labels of a week are mature that its report has not judged; None where none is due."""
    mature = use_case.partitions.bounds(week)[1] + use_case.label.maturity
    days = (datetime.fromisoformat(now()) - mature).days
    waits = report["state"] == Concept.UNKNOWN.value and "level" in report
    return days if waits and 0 <= days <= _PATIENT_DAYS else None


def _is_stale(report: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a report carries on other evidence than the one before it leaves, of the same model."""
    if "level" not in report or report.get("model_digest") != before.get("model_digest"):
        return False
    return bool(report["before"] != before["detector"])
