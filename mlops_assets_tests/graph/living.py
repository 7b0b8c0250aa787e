"""A project that lives by itself: a real `dagster dev` or daemon over a store with a model, and weeks that land."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.stores.settings import settings
from mlops_assets_tests.graph.world import SHIPPED

NAME = "flight_delays"
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WEEKS = 10  # those of the demo
NEXT = "2013-03-11"  # the week after them
_T = TypeVar("_T")


@dataclass
class Project:
    """A data folder and the processes over it. `kept` is a copy of the folder as it was before anything lived."""

    folder: Path
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def environ(self) -> Mapping[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "MLFLOW_"))}
        data = {"MLOPS_DATA": str(self.folder), "DAGSTER_HOME": str(self.folder / "dagster")}
        return clean | data | {"DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}

    @property
    def places(self) -> Any:
        return settings({"MLOPS_DATA": str(self.folder)})

    def demo(self) -> None:
        """Ten weeks, a model, two reports: the files of later weeks have not landed."""
        zone = self.landing / NAME
        for path in SHIPPED.rglob("*.parquet"):
            if path.parent == SHIPPED or path.stem <= NEXT:
                target = zone / path.relative_to(SHIPPED)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        subprocess.run([BIN / "mlops", "demo"], cwd=ROOT, env=self.environ, check=True, stdout=subprocess.DEVNULL)
        for path in zone.rglob(f"{NEXT}.parquet"):  # the last proof of the demo asks its first requests
            path.unlink()
        shutil.copytree(self.folder, self.kept, symlinks=True)

    @property
    def kept(self) -> Path:
        return self.folder.with_name("kept")

    def restore(self) -> None:
        """As it was after `demo`, at the same place: a tracker's database names the place of its files."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder, symlinks=True)

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """A process of its own group, its words in a file of the folder."""
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            made = subprocess.Popen(
                [BIN / command[0], *command[1:]], cwd=ROOT, env=self.environ, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(made)
        return made

    def stop(self, process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGINT) -> None:
        """The process and all it started."""
        self.processes.remove(process)
        os.killpg(process.pid, how)
        try:
            process.wait(timeout=60)
        finally:
            _kill(process.pid)

    def close(self) -> None:
        for process in list(self.processes):
            self.stop(process, signal.SIGKILL)

    def land_drifted(self, week: str = NEXT) -> None:
        """The week's files, in which six flights in ten left and arrived half an hour later than they did."""
        rows = pq.read_table(SHIPPED / "flights" / f"{week}.parquet")
        for name in ("dep_delay", "arr_delay"):
            at = rows.column_names.index(name)
            more = pa.array([30 if row % 10 < 6 else 0 for row in range(rows.num_rows)], rows.schema.field(at).type)
            rows = rows.set_column(at, rows.schema.field(at), pc.add(rows[name], more))
        pq.write_table(rows, self.landing / NAME / "flights" / f"{week}.parquet")
        shutil.copyfile(SHIPPED / "weather" / f"{week}.parquet", self.landing / NAME / "weather" / f"{week}.parquet")

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.folder / "dagster"))


def cursor(instance: dg.DagsterInstance, sensor: str) -> str | None:
    """The cursor of a sensor, once it has ticked."""
    for state in instance.all_instigator_state():
        data: Any = state.instigator_data
        if state.instigator_name == sensor and data is not None and data.cursor:
            return str(data.cursor)
    return None


def runs(instance: dg.DagsterInstance, job: str) -> list[dg.RunRecord]:
    """The runs of a job of the use case, oldest first."""
    return list(reversed(instance.get_run_records(dg.RunsFilter(job_name=f"{NAME}_{job}"))))


def until(what: str, test: Callable[[], _T | None], *, limit_s: float) -> _T:
    """Waits for something to be there; an AssertionError names what did not come."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if (found := test()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {limit_s:.0f} s")


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
