"""A small world for the gateway's tests: parcels, two registered models and their baseline in a store; real processes.

The models are trained and recorded by the real functions, without a graph and a tracker. `Launcher` is a process that
has imported everything and forks a gateway for each order, so that a test pays for its own start alone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_table
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.probe import probe
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import Quality, RolloutPlan, Task, UseCase
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.models import dump
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings, settings
from mlops_assets_tests.core import tiny
from mlops_assets_tests.gateway.rolling import Rolling

OPERATOR, FEED = "operator-" + "o" * 16, "feed-" + "f" * 16
TOKENS = {"MLOPS_OPERATOR_TOKEN": OPERATOR, "MLOPS_FEED_TOKEN": FEED}
PLAN = RolloutPlan(quality=Quality(loss="log_loss", margin=0.003), unit=("parcel",))
ROW: Mapping[str, Any] = {"depot": "north", "weight": 9.5, "stops": 3, "fragile": False}


def use_case() -> UseCase:
    """The parcels of `core/tiny.py`; a parcel stays with one arm."""
    return replace(tiny.use_case(), rollout=PLAN)


def rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """So many rows of features, as JSON values."""
    frame = tiny.week(9, count, seed)[list(ROW)]
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def places(folder: Path) -> Settings:
    """Where everything of this world is."""
    return settings({"MLOPS_DATA": str(folder)})


@cache
def _trained(seed: int) -> Artifact:
    """A model with its baseline and probe: the parts that a gateway reads."""
    declared = tiny.use_case(
        seed=seed, estimator=replace(tiny.TREES, params={**tiny.TREES.params, "max_iter": 10 + seed})
    )
    frames = tiny.weeks()
    made = fit(declared, frames)
    estimators = {"model": (made.estimator, tiny.TREES), "baseline_model": (made.baseline.estimator, tiny.PRIOR)}
    asked = frames[tiny.WEEKS[-1]]
    return Artifact(
        tables={"probe": to_table(probe(asked, made.scorer, made.baseline))},
        records={"evidence": {"seed": seed}},
        blobs={
            "encoder": Blob.of(made.encoder.to_json(), ".json"),
            **{
                name: Blob(data=dump(one, told.trusted), version=model_digest(one), suffix=".skops")
                for name, (one, told) in estimators.items()
            },
        },
    )


def register(folder: Path, versions: int = 2) -> Settings:
    """Publish and record the first versions of the model, each another seed."""
    found = places(folder)
    store = AssetStore(found.store)
    with Records(found.records) as records:
        for version in range(1, versions + 1):
            artifact, partition = _trained(version), tiny.WEEKS[2 + version]
            ref = store.publish(
                "parcels/trained_model", partition, artifact, inputs={}, code={}, run="r", action_key=f"k{version}",
                created_at=f"2024-03-0{version}T00:00:00+00:00",
            )  # fmt: skip
            records.register(_recorded(version, partition, ref.data_version, artifact.blobs["model"].version))
    return found


def _recorded(version: int, partition: str, trained: str, digest: str) -> ModelVersion:
    return ModelVersion(
        use_case="parcels", version=version, partition=partition, registered_at="2024-03-04T00:00:00.000000+00:00",
        model_digest=digest, trained_model=trained, data_version=trained, training_set="parcels/ts-000000000000",
        training_set_data_version=trained, commit="", dirty="false", dagster_run="", mlflow_run="", mlflow_url="",
        dagster_url="", seed=version, verdict="PASS", sentence="PASS: better.", metrics={}, libraries={}, weeks=(),
        files=(),
    )  # fmt: skip


def copied(registered: Path, folder: Path) -> Settings:
    """A world like the registered one, in a folder of its own."""
    shutil.copytree(registered, folder / "world")
    return places(folder / "world")


def nominate(found: Settings, version: int, plan: RolloutPlan = PLAN) -> None:
    """Open a rollout of a version, as the registry does."""
    with Rollouts(found.serving, "parcels") as rollouts:
        rollouts.open(
            version, plan, Task.CLASSIFICATION, baseline_of=version, who="tests", why="it is new",
            at_us=time.time_ns() // 1000,
        )  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A gateway that runs: the process id of its supervisor, and where it listens."""

    pid: int
    port: int
    places: Settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **more: Any) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=20, **more)

    def until_ready(self, seconds: float = 20) -> "Served":
        """Wait until predictions would be answered."""
        with self.client() as client:
            until(lambda: client.get("/readyz").status_code == 200, seconds)
        return self

    def children(self, pid: int | None = None) -> list[int]:
        """The child processes of the supervisor, or of another: its workers."""
        task = Path(f"/proc/{pid or self.pid}/task")
        return [int(child) for one in task.iterdir() for child in (one / "children").read_text().split()]

    def stop(self, name: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it is gone."""
        os.kill(self.pid, name)
        until(lambda: not Path(f"/proc/{self.pid}/stat").exists(), 30)


def until(holds: Any, seconds: float = 10, every: float = 0.02) -> None:
    """Wait for something; TimeoutError when it does not come."""
    end = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every)


class Launcher:
    """A process that forks gateways to order (`served.py`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlops_assets_tests.gateway.served"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    @contextmanager
    def served(self, found: Settings, faults: Mapping[int, str] = {}, workers: int = 1) -> Iterator[Served]:
        """A gateway of the world at `found`; `faults` (version -> name) are `served.FAULTS`."""
        order = {"folder": str(Path(found.serving).parent), "faults": {str(v): f for v, f in faults.items()}}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({**order, "workers": workers}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        served = Served(told["pid"], told["port"], found)
        try:
            yield served
        finally:
            if Path(f"/proc/{served.pid}/stat").exists():
                served.stop(signal.SIGKILL)

    def close(self) -> None:
        """End it; gateways that still run end as well, since nobody would fork their workers anew."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def rolled(found: Settings, to: Stage, step: int = 0) -> Iterator[Rolling]:
    """Version 1 is champion, version 2 has come to a stage by proof, and a controller of ours is heard of."""
    rolling = Rolling(Path(found.serving), "parcels")
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(to, step)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.5):
            rolling.beat()

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield rolling
    finally:
        stop.set()
        beating.join()
        rolling.rollouts.close()


def asked(served: Served, count: int, threads: int = 8, **headers: str) -> list[httpx.Response]:
    """So many predictions of single parcels, asked by several at once."""
    given = rows(count)

    def some(start: int) -> list[httpx.Response]:
        with served.client() as client:
            return [
                client.post("/invocations", json={"dataframe_records": [{**given[n], "parcel": n}]}, headers=headers)
                for n in range(start, count, threads)
            ]

    with ThreadPoolExecutor(threads) as pool:
        return [reply for replies in pool.map(some, range(threads)) for reply in replies]
