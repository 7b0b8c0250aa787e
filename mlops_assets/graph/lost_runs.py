"""Runs whose process is gone: a hard stop leaves them STARTED, and whoever waits for them waits for ever.

Dagster's run monitoring asks the launcher for the health of a run, which the default launcher cannot tell. What it does
tell is the run's process, on this machine. `lost_runs` looks whether that is still there, and has Dagster mark the run
as failed where it is not: Dagster's retries, the sensors and the alerts then go on as after any failure.
"""

import os
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

_PROC = Path("/proc")
_SLACK_S = 60.0  # clocks of boot and of events differ by less; a pid that began later is another process


def lost_runs() -> dg.SensorDefinition:
    """Marks the runs of this machine as failed whose process has ended without a word."""

    @dg.sensor(
        name="lost_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process is gone, after a hard stop: nothing waits for them then.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        lost = [run.run_id[:8] for run in bury(context.instance)]
        return dg.SkipReason(f"marked as failed: {', '.join(lost)}" if lost else "every run that began is alive")

    return sensor


def bury(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark as failed, and return, what is STARTED by the default launcher in a process that is no more."""
    if not isinstance(instance.run_launcher, DefaultRunLauncher):
        return []  # its processes are elsewhere, and it knows their health
    begun = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    lost = []
    for run in instance.get_runs(dg.RunsFilter(statuses=begun)):
        told = _process(instance, run.run_id)
        if told is None or is_alive(*told):
            continue
        again = instance.get_run_by_id(run.run_id)  # it may have ended while its process did
        if again is not None and not again.is_finished:
            instance.report_run_failed(again, f"its process {told[0]} is gone: a hard stop of machine or Dagster")
            lost.append(run)
    return lost


def is_alive(pid: int, since: float, proc: Path = _PROC) -> bool:
    """Whether the process that was told of at an instant (s since 1970) still runs; True where nobody can tell.

    A zombie does not, nor does another process that was given the same number since.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody's
    try:
        state, *rest = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        booted = next(line for line in (proc / "stat").read_text().splitlines() if line.startswith("btime"))
    except (OSError, StopIteration, ValueError):
        return True
    began = int(booted.split()[1]) + int(rest[18]) / os.sysconf("SC_CLK_TCK")
    return state not in ("Z", "X") and began <= since + _SLACK_S


def _process(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The newest process that the run named as its own, and when; None before it named one."""
    events = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in reversed(events):
        event = record.event_log_entry.dagster_event
        data: Any = event.event_specific_data if event else None
        if pid := (data.metadata or {}).get("pid") if data else None:
            return int(pid.value), record.event_log_entry.timestamp
    return None
