"""A registered model served by `mlops serve`, by `mlflow models serve`, and by a bare ASGI app, under the same load.

    python benchmarks/gateway.py [--rounds 5] [--seconds 2] [--connections 16] [--json]

The model has the flights' features and estimator (150 trees of 15 leaves), fitted on made-up rows. Ours answers with it
while a second version is scored in shadow, and logs everything before it answers (fsync). MLflow serves what
`stores/tracking.log_model` saved, with `--env-manager local`; its signature is the encoded array, so it is spared what
ours does with names and categories. `bare` is Starlette on uvicorn around scikit-learn, without log, limits or shadow;
`bare, joined` the same around `core/flat_trees.py`: the least that Python's web servers allow.

All run at once, the load goes to one after the other, round by round. CPU is user and system time of all processes of
a server, the shadow's included, divided by answered requests. A reply other than 200 ends the benchmark with an error.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # small rows on several threads wait for each other; the same for all
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import uvloop  # noqa: E402

from mlops_assets.core import encoding  # noqa: E402
from mlops_assets.core.artifact import Artifact, Blob  # noqa: E402
from mlops_assets.core.estimators import fitted  # noqa: E402
from mlops_assets.core.frames import to_table  # noqa: E402
from mlops_assets.core.model_digest import model_digest  # noqa: E402
from mlops_assets.core.probe import probe  # noqa: E402
from mlops_assets.core.rollout.words import Stage  # noqa: E402
from mlops_assets.core.scoring import Scorer  # noqa: E402
from mlops_assets.declare import Kind, UseCase  # noqa: E402
from mlops_assets.stores.assets import AssetStore  # noqa: E402
from mlops_assets.stores.models import dump  # noqa: E402
from mlops_assets.stores.records import Records  # noqa: E402
from mlops_assets.stores.records.model_version import ModelVersion  # noqa: E402
from mlops_assets.stores.settings import PROJECT, Settings, settings  # noqa: E402
from mlops_assets.stores.tracking import Tracking  # noqa: E402
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS  # noqa: E402
from mlops_assets_tests.gateway.rolling import Rolling  # noqa: E402

SIZES = (1, 100)
NAMES = ("ours", "mlflow", "bare", "bare, joined")
ROWS = 40_000
BARE = """
import os, sys
import msgspec, numpy as np, uvicorn
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from mlops_assets.core.flat_trees import flat_answers
from mlops_assets.stores.models import load
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
port, joined, features, path = int(sys.argv[1]), sys.argv[2] == "joined", int(sys.argv[3]), sys.argv[4]
estimator = load(Path(path).read_bytes(), FLIGHT_DELAYS.model.estimator.trusted, features=features)
answer = flat_answers(estimator) if joined else lambda rows: estimator.predict_proba(rows)[:, 1]
async def invoke(request):
    rows = np.array(msgspec.json.decode(await request.body())["inputs"], dtype=np.float64)
    return Response(msgspec.json.encode({"predictions": answer(rows).tolist()}), media_type="application/json")
app = Starlette(routes=[Route("/invocations", invoke, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)
"""


def made_up(use_case: UseCase, rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with the use case's features, without gaps (MLflow's arrays of JSON have none), and labels."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for feature in use_case.model_features:
        kind = use_case.kind_of(feature)
        if kind is Kind.STRING:
            columns[feature.name] = random.choice([f"{feature.name[:2].upper()}{n}" for n in range(15)], rows)
        else:
            values = random.normal(20, 30, rows)
            columns[feature.name] = np.rint(values).astype(np.int64) if kind is Kind.INT else values.round(3)
    frame = pd.DataFrame(columns)
    numbers = frame.select_dtypes("number").to_numpy()
    late = numbers[:, :6].sum(axis=1) + 40 * numbers[:, 7] / (1 + np.abs(numbers[:, 7])) + random.normal(0, 60, rows)
    return frame, (late > 150).astype(np.int64)


@dataclass
class Model:
    """A fitted version: its scorer, and the parts a store keeps of it."""

    scorer: Scorer
    artifact: Artifact

    @classmethod
    def of(cls, use_case: UseCase, seed: int) -> "Model":
        frame, label = made_up(use_case, ROWS, seed)
        encoder = encoding.fit(use_case, frame)
        array = encoder.encode(frame)
        scorer = fitted(use_case, use_case.model.estimator, encoder, array, label)
        baseline = fitted(use_case, use_case.model.baseline, encoder, array, label)
        blobs = {
            name: Blob(data=dump(one.estimator, declared.trusted), version=model_digest(one.estimator), suffix=".skops")
            for name, one, declared in (
                ("model", scorer, use_case.model.estimator),
                ("baseline_model", baseline, use_case.model.baseline),
            )
        }
        tables = {"probe": to_table(probe(frame, scorer, baseline))}
        return cls(scorer, Artifact(tables=tables, blobs={**blobs, "encoder": Blob.of(encoder.to_json(), ".json")}))


def registered(use_case: UseCase, places: Settings, models: list[Model]) -> None:
    """The store and the lineage rows that a gateway reads."""
    store = AssetStore(places.store)
    with Records(places.records) as records:
        for version, model in enumerate(models, 1):
            week = use_case.partitions.keys()[10 + version]
            ref = store.publish(
                f"{use_case.name}/trained_model", week, model.artifact, inputs={}, code={}, run="benchmark",
                action_key=f"k{version}", created_at="2013-07-01T00:00:00+00:00",
            )  # fmt: skip
            told = dict.fromkeys(("commit", "dirty", "dagster_run", "mlflow_run", "mlflow_url", "dagster_url"), "")
            records.register(
                ModelVersion(
                    use_case=use_case.name, version=version, partition=week,
                    registered_at="2013-07-01T00:00:00.000000+00:00",
                    model_digest=model.artifact.blobs["model"].version, trained_model=ref.data_version,
                    data_version=ref.data_version, training_set=f"{use_case.name}/ts-{version:012x}",
                    training_set_data_version=ref.data_version, seed=version, verdict="PASS", sentence="PASS",
                    metrics={}, libraries={}, weeks=(), files=(), **told,
                )
            )  # fmt: skip


@dataclass
class Server:
    """One that is measured: its process, where it listens, the body of a request of so many rows."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    body: Callable[[int], bytes]
    log: Path
    seen: dict[int, list[dict[str, float]]] = field(default_factory=dict)

    def until_up(self) -> None:
        """Wait for the first answer."""
        end = time.monotonic() + 120
        while True:
            try:
                asked = urllib.request.Request(
                    f"http://127.0.0.1:{self.port}/invocations", self.body(1), {"content-type": "application/json"}
                )
                urllib.request.urlopen(asked, timeout=10).read()  # noqa: S310
                return
            except OSError as absent:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-2000:]}") from absent
                time.sleep(0.2)

    def cpu_s(self) -> float:
        """CPU time of all its processes so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(_ticks(pid) for pid in _tree(self.process.pid)) / ticks


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, requests: list[bytes], until: float) -> None:
        self._requests, self._until, self._number = requests, until, 0
        self._got, self._began = bytearray(), 0.0
        self.took: list[float] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._number += 1
        self._transport.write(self._requests[self._number % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, ended, body = bytes(self._got).partition(b"\r\n\r\n")
        if not ended:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.over.set_exception(RuntimeError(bytes(self._got)[:500].decode()))
            self._transport.close()
            return
        now = time.perf_counter()
        self.took.append(now - self._began)
        self._got.clear()
        if now > self._until:
            self.over.set_result(None)
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(error or ConnectionError("hung up"))


async def load(port: int, requests: list[bytes], connections: int, seconds: float) -> list[float]:
    """How long each answer took (s)."""
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
    made = [
        (await loop.create_connection(lambda: _Client(requests, until), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.over for one in made))
    return [took for one in made for took in one.took]


def http(port: int, body: bytes) -> bytes:
    """A request as it goes over the wire."""
    head = f"POST /invocations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


def measured(server: Server, rows: int, connections: int, seconds: float) -> dict[str, float]:
    """One round."""
    requests = [http(server.port, server.body(rows)) for _ in range(32)]
    before, began = server.cpu_s(), time.perf_counter()
    took = uvloop.run(load(server.port, requests, connections, seconds))
    spent, passed = server.cpu_s() - before, time.perf_counter() - began
    p50, p99 = np.quantile(took, [0.5, 0.99])
    return {
        "requests_s": len(took) / passed,
        "cpu_ms": 1e3 * spent / len(took),
        "p50_ms": 1e3 * p50,
        "p99_ms": 1e3 * p99,
    }


def servers(stack: ExitStack, folder: Path) -> list[Server]:
    """All of them, up and warm."""
    use_case = FLIGHT_DELAYS
    places = settings({"MLOPS_DATA": str(folder)})
    models = [Model.of(use_case, seed) for seed in (1, 2)]
    registered(use_case, places, models)
    rolling = Rolling(Path(places.serving), use_case.name)
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.SHADOW)
    rolling.rollouts.close()
    scorer, (frame, _) = models[0].scorer, made_up(use_case, 5_000, 3)
    random = np.random.default_rng(0)

    def named(rows: int) -> bytes:
        some = frame.iloc[random.integers(0, len(frame), rows)]
        data = {"columns": list(frame.columns), "data": some.astype(object).to_numpy().tolist()}
        return json.dumps({"dataframe_split": data}).encode()

    encoded = scorer.encoder.encode(frame)

    def arrays(rows: int) -> bytes:
        return json.dumps({"inputs": encoded[random.integers(0, len(frame), rows)].tolist()}).encode()

    tracking = Tracking(f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri())
    with tempfile.TemporaryDirectory():
        run = tracking.client.create_run(tracking.client.create_experiment("benchmark")).info.run_id
        logged = tracking.log_model(
            run, estimator=scorer.estimator, encoder=scorer.encoder, trusted=use_case.model.estimator.trusted
        )
    skops = folder / "model.skops"
    skops.write_bytes(models[0].artifact.blobs["model"].data)
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    environ = {**os.environ, "MLOPS_DATA": str(folder), "PYTHONPATH": str(PROJECT), "PATH": path}
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    features = str(len(scorer.encoder.features))
    commands: dict[str, list[str]] = {
        "ours": [sys.executable, "-c", "import typer; from mlops_assets.cli.serve import serve; typer.run(serve)",
                 use_case.name, "--port", str(ports["ours"])],
        "mlflow": [str(scripts / "mlflow"), "models", "serve", "-m", logged.location.removeprefix("file://"),
                   "--env-manager", "local", "-p", str(ports["mlflow"]), "-h", "127.0.0.1"],
        "bare": [sys.executable, "-c", BARE, str(ports["bare"]), "plain", features, str(skops)],
        "bare, joined": [sys.executable, "-c", BARE, str(ports["bare, joined"]), "joined", features, str(skops)],
    }  # fmt: skip
    made = []
    for name, command in commands.items():
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
        stack.callback(_end, process)
        made.append(Server(name, ports[name], process, named if name == "ours" else arrays, Path(log.name)))
    for server in made:
        server.until_up()
    return made


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found = servers(stack, Path(folder))
        for round_ in range(asked.rounds + 1):
            for rows in SIZES:
                for server in found:
                    seen = measured(server, rows, asked.connections, asked.seconds)
                    if round_:  # the first warms up
                        server.seen.setdefault(rows, []).append(seen)
    medians = {
        (server.name, rows): {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for server in found
        for rows, rounds in server.seen.items()
    }
    if asked.json:
        print(json.dumps({f"{name}, {rows} rows": told for (name, rows), told in medians.items()}, indent=2))
        return
    print(f"{'':14}{'rows':>6}{'requests/s':>12}{'CPU ms':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for rows in SIZES:
        for name in NAMES:
            told = medians[name, rows]
            print(f"{name:14}{rows:>6}{told['requests_s']:>12.0f}{told['cpu_ms']:>10.3f}"
                  f"{told['p50_ms']:>10.2f}{told['p99_ms']:>10.2f}")  # fmt: skip
        ours, theirs = medians["ours", rows], medians["mlflow", rows]
        print(f"  mlflow / ours: requests/s {ours['requests_s'] / theirs['requests_s']:.1f}, CPU a request "
              f"{theirs['cpu_ms'] / ours['cpu_ms']:.1f}, p99 {theirs['p99_ms'] / ours['p99_ms']:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
