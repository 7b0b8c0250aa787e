"""A run whose process is gone is marked as failed; whatever still runs is left alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from mlops_assets.graph.lost_runs import bury, is_alive


@dg.op
def nothing() -> None:
    """No work."""


@dg.job
def idle() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def begun(instance: dg.DagsterInstance, pid: int) -> dg.DagsterRun:
    """A run that said it runs in that process."""
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)
    data = EngineEventData({"pid": dg.MetadataValue.text(str(pid))})
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run, data)
    return run


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_without_its_process_has_failed_and_one_with_it_has_not(instance: dg.DagsterInstance) -> None:
    lost, alive = begun(instance, gone()), begun(instance, os.getpid())
    assert [run.run_id for run in bury(instance)] == [lost.run_id]
    assert status(instance, lost) is dg.DagsterRunStatus.FAILURE
    assert status(instance, alive) is dg.DagsterRunStatus.STARTED
    assert bury(instance) == []


def test_a_run_that_named_no_process_yet_is_left_alone(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)
    assert bury(instance) == []


def test_another_process_of_the_same_number_is_not_the_runs() -> None:
    assert is_alive(os.getpid(), time.time())
    assert not is_alive(os.getpid(), time.time() - 86_400 * 365)  # told of before this process began


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while Path(f"/proc/{process.pid}/stat").exists() and ") Z " not in Path(f"/proc/{process.pid}/stat").read_text():
        time.sleep(0.05)
    assert not is_alive(process.pid, time.time())
    process.wait()


def test_without_a_proc_nobody_can_tell(tmp_path: Path) -> None:
    assert is_alive(os.getpid(), 0.0, proc=tmp_path)
