"""What fails is told: every failed run, and every failed asset check of a finished one, once, to a notifier.

By default that is the log of the daemon; `MLOPS_NOTIFY` names a webhook. A notice that cannot be delivered is told
again at the next tick: nothing after it is told before it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_assets.stores.notifier import NotDelivered, Notice, notifier
from mlops_assets.stores.settings import Settings

_WILL_RETRY = "dagster/will_retry"  # Dagster's own, of a failed run that it starts again
_AT_ONCE = 50  # finished runs of each kind a tick looks at
_BUDGET_S = 15.0  # of one tick: Dagster gives up on a sensor after 60 s, and what it had told is forgotten
_WATCHED = {"failed": dg.DagsterEventType.RUN_FAILURE, "succeeded": dg.DagsterEventType.RUN_SUCCESS}


def alerts(settings: Settings) -> dg.SensorDefinition:
    """Tells of failures since the last tick, oldest first; the first tick tells of nothing that was before it."""
    tell = notifier(settings.notify)

    @dg.sensor(
        name="failure_alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs and failed asset checks: to the log, or to the webhook MLOPS_NOTIFY.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        instance = context.instance
        if context.cursor is None:  # what was before is known to whoever was there
            ends = {status: _newest(instance, event) for status, event in _WATCHED.items()}
            return dg.SensorResult(skip_reason="from now on failures are told", cursor=json.dumps(ends))
        seen: dict[str, int] = json.loads(context.cursor)
        told, lacking, begun = 0, "", time.monotonic()
        for status, record in _ended(instance, seen):
            if time.monotonic() - begun > _BUDGET_S:
                lacking = "more at the next tick"
                break
            run = instance.get_run_by_id(record.event_log_entry.run_id)
            try:
                for notice in notices(instance, run, status, record.timestamp, settings) if run else ():
                    tell.send(notice)
                    told += 1
            except NotDelivered as refused:
                lacking = str(refused)
                context.log.error(lacking)
                break
            seen[status] = record.storage_id
        said = f"{told} failures told" if told else "nothing has failed since"
        return dg.SensorResult(skip_reason=f"{said}; {lacking}" if lacking else said, cursor=json.dumps(seen))

    return sensor


def _ended(instance: dg.DagsterInstance, seen: Mapping[str, int]) -> list[tuple[str, dg.EventLogRecord]]:
    """The runs that ended since, as many as a tick looks at, in the order in which they did."""
    found = []
    for status, event in _WATCHED.items():
        asked = dg.RunStatusChangeRecordsFilter(event, after_storage_id=seen[status])
        records = instance.fetch_run_status_changes(asked, limit=_AT_ONCE, ascending=True).records
        found += [(status, record) for record in records]
    return sorted(found, key=lambda one: (one[1].timestamp, one[1].storage_id))


def _newest(instance: dg.DagsterInstance, event: Any) -> int:
    found = instance.fetch_run_status_changes(event, limit=1).records
    return found[0].storage_id if found else 0


def notices(
    instance: dg.DagsterInstance, run: dg.DagsterRun, status: str, at: float, settings: Settings
) -> Iterator[Notice]:
    """What there is to tell of a finished run."""
    when = datetime.fromtimestamp(at, UTC).isoformat()
    week, page = run.tags.get("dagster/partition", ""), f"{settings.dagster_ui}/runs/{run.run_id}"
    facts: dict[str, Any] = {"run": run.run_id, "page": page, "job": run.job_name, "partition": week}
    if status == "failed" and run.tags.get(_WILL_RETRY) != "true":
        why = _why(instance, run.run_id)
        yield Notice(
            kind="run_failed", subject=f"{run.job_name} {week}".strip(), at=when, facts=facts,
            sentence=f"{run.job_name} of {week or 'no week'} failed: {why}", once=f"run {run.run_id}",
        )  # fmt: skip
    events = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    for event in events:
        evaluation: Any = event.event_log_entry.asset_check_evaluation
        if evaluation is None or evaluation.passed:
            continue
        subject = f"{evaluation.asset_key.to_user_string()} {evaluation.check_name}"
        yield Notice(
            kind="check_failed", subject=f"{subject} {week}".strip(), at=when,
            facts={**facts, "severity": evaluation.severity.value},
            sentence=f"{subject} of {week or 'no week'}: {evaluation.description or 'failed'}",
            once=f"check {run.run_id} {subject}",
        )  # fmt: skip


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    failed = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    for record in failed:
        event = record.event_log_entry.dagster_event
        data: Any = event.event_specific_data if event else None
        told = getattr(getattr(data, "user_failure_data", None), "description", None)
        error = getattr(data, "error", None)
        return f"{event.step_key if event else 'a step'}: {told or (error.message.strip() if error else 'failed')}"
    return "before its first step, or it was killed"
