"""A run whose process is killed is started again by Dagster's daemon, as the shipped `dagster.yaml` asks."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.fsck import fsck

ROOT = Path(__file__).parents[2]
WEEK = "2012-12-31"
SETTINGS = ("MLOPS_", "DAGSTER_", "MLFLOW_")
DAGSTER = str(Path(sys.executable).with_name("dagster"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance set up as the shipped one; made before anything else looks at it."""
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(ROOT / "data" / "dagster" / "dagster.yaml", home)
    shutil.copytree(ROOT / "data" / "landing", tmp_path / "landing")
    with dg.DagsterInstance.from_config(str(home)) as made:
        made.get_runs()
        yield made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return clean | {"MLOPS_DATA": str(tmp_path), "DAGSTER_HOME": str(tmp_path / "dagster"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def served(instance: dg.DagsterInstance, environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`dagster dev` with its daemon, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (tmp_path / "dev.log").open("w") as log:
        dev = subprocess.Popen(
            [DAGSTER, "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        yield
        os.killpg(dev.pid, signal.SIGINT)
        try:
            dev.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(dev.pid, signal.SIGKILL)
            dev.wait(timeout=10)


def steps(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: str) -> list[str]:
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event]
    return [str(e.step_key).partition("__")[2] for e in events if e.event_type_value == kind]


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The process that executes a run, as its events tell."""
    told = [entry.dagster_event.message or "" for entry in instance.all_logs(run.run_id) if entry.dagster_event]
    found = [re.search(r"\(pid: (\d+)\)", message) for message in told]
    return next((int(match[1]) for match in found if match), None)


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_a_run_whose_process_is_killed_is_started_again_and_goes_on_where_it_was(
    instance: dg.DagsterInstance, environment: dict[str, str], tmp_path: Path
) -> None:
    job = ["job", "launch", "-w", "workspace.yaml", "-j", "flight_delays_data"]
    tag = ["--tags", f'{{"dagster/partition": "{WEEK}"}}']
    subprocess.run([DAGSTER, *job, *tag], cwd=ROOT, env=environment, check=True, capture_output=True)
    (run,) = instance.get_runs()
    killed, until = False, time.monotonic() + 240
    runs = [run]
    while time.monotonic() < until and not (len(runs) == 2 and runs[0].is_finished):
        time.sleep(0.2)
        runs = list(instance.get_runs())
        if not killed and "validated_dataset" in steps(instance, run, "STEP_SUCCESS"):
            process = process_of(instance, run)
            assert process is not None
            os.kill(process, signal.SIGKILL)
            killed = True
    log = (tmp_path / "dev.log").read_text()[-2000:]
    assert [each.status for each in runs] == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE], log

    assert runs[0].parent_run_id == run.run_id
    assert not {"raw_data", "validated_dataset"} & set(steps(instance, runs[0], "STEP_START"))
    store = AssetStore(tmp_path / "store")
    made = [a for a in store.refs.assets() if store.latest(a, WEEK)]
    assert {f"flight_delays/{a}" for a in ("raw_data", "validated_dataset", "feature_table")} <= set(made)
    assert all(len(store.history(asset, WEEK)) == 1 for asset in made)
    assert fsck(store).is_sound
