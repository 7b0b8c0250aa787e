"""The lifecycle of a week of which everything is known, run again, against `dvc repro` that finds nothing to do.

    python3 -m venv DVC && DVC/bin/pip install dvc==3.67.1
    python benchmarks/noop.py --dvc-python DVC/bin/python [--rounds 5] [--json]

Data: the first eight weeks of flights, made once by the real jobs in a temporary folder; run again is the lifecycle of
the eighth, with its training. Three ways: `execute` (`dagster job execute`) and `backfill` (`mlops backfill`) are whole
commands, `warm` is a run in a process that has done one (`noop_worker.py`). `dvc` is the whole command `dvc repro -q`
in a Git repository of six stages: dependencies and outputs have the sizes that the store has for them, every stage
depends on the folder of our package and on its parameters, earlier weeks are files beside. It looks for no update and
sends no analytics.

What a command imports is measured by another process that imports the modules it had loaded at its end; importing
`mlops_assets.definitions` builds the whole graph. The ways take turns; medians of rounds. A run that found something to
do ends the benchmark with an error.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.settings import PROJECT, settings
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

WEEKS = FLIGHT_DELAYS.partitions.keys()[:8]
WEEK, JOB = WEEKS[-1], "flight_delays_lifecycle"
# what has no reused result: that a week is online the online store itself says
ALWAYS = {"flight_delays/online_features"}
STAGES = {
    "raw": "raw_data",
    "validated": "validated_dataset",
    "features": "feature_table",
    "model": "trained_model",
    "registry": "registry_entry",
    "drift": "drift_report",
}
MODEL = FLIGHT_DELAYS.model
PARAMETERS = {
    "raw": {"tables": [table.name for table in FLIGHT_DELAYS.tables]},
    "validated": {table.name: {column.name: column.kind.value for column in table.columns}
                  for table in FLIGHT_DELAYS.tables},
    "features": {feature.name: feature.doc for feature in FLIGHT_DELAYS.features},
    "model": {"seed": MODEL.seed, "max_rows": MODEL.max_rows, **MODEL.estimator.params},
    "registry": {"metric": FLIGHT_DELAYS.promotion.metric, "margin": FLIGHT_DELAYS.promotion.margin},
    "drift": {"floor": str(FLIGHT_DELAYS.drift.floor), "min_rows": FLIGHT_DELAYS.drift.min_rows},
}  # fmt: skip
WRITE = """import sys
from pathlib import Path
for asked in sys.argv[1:]:
    path, size = asked.split(":")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes((path.encode() * int(size))[: int(size)])
"""
# a command as `python -c`, which writes the names of its modules when it ends
TELLING = """import atexit, sys
atexit.register(lambda: open({out!r}, "w").write("\\n".join(sys.modules)))
sys.argv = {argv!r}
from {module} import main
sys.exit(main({arguments}))
"""
IMPORTING = """import contextlib, importlib
for name in open({out!r}).read().split():
    if name != "__main__":
        with contextlib.suppress(Exception):
            importlib.import_module(name)
"""


@dataclass(frozen=True)
class Took:
    """Seconds by clock, and of CPU with all children."""

    clock: float
    cpu: float


@dataclass(frozen=True)
class Command:
    """A command of one interpreter, in a folder, with an environment."""

    arguments: tuple[str, ...]
    folder: Path
    environment: dict[str, str]

    def run(self) -> Took:
        """Raises SystemExit with what the command said when it fails."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(self.arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"{' '.join(self.arguments)}\n{done.stdout}{done.stderr}")
        return Took(clock, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    def calling(self, code: str) -> "Command":
        """The same interpreter, folder and environment with another program."""
        return Command((self.arguments[0], "-c", code), self.folder, self.environment)


class Warm:
    """A process that has run the lifecycle before."""

    def __init__(self, environment: dict[str, str]) -> None:
        worker = Path(__file__).with_name("noop_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, worker, JOB, WEEK], cwd=PROJECT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.said: list[dict[str, Any]] = []
        self.run()
        self.said.clear()

    def run(self) -> Took:
        print(file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the warm process died ({self._process.wait()}): run noop_worker.py by hand.")
        said = json.loads(answer)
        if more := set(said["made"]) - ALWAYS:
            raise SystemExit(f"{sorted(more)} were made anew: the code changed since the weeks were made. Start again.")
        self.said.append(said)
        return Took(said["clock"], said["cpu"])

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def lived(folder: Path) -> dict[str, str]:
    """Eight weeks of data and a model on them below `folder`; the environment in which that is."""
    ours = ("MLOPS_", "MLFLOW_", "DAGSTER_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "MLOPS_DATA": str(folder),
        "MLOPS_LANDING": str(PROJECT / "data" / "landing"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "PYTHONPATH": str(PROJECT),
    }
    (folder / "dagster").mkdir(parents=True)
    shutil.copy(PROJECT / "data" / "dagster" / "dagster.yaml", folder / "dagster")
    for job, first in (("data", WEEKS[0]), ("lifecycle", WEEK)):
        _mlops(environment, "backfill", "flight_delays", "--job", job, "--from", first, "--to", WEEK).run()
    return environment


def _mlops(environment: dict[str, str], *arguments: str) -> Command:
    return Command((sys.executable, "-m", "mlops_assets.cli.main", *arguments), PROJECT, environment)


def pipeline(folder: Path, dvc_python: Path, store: AssetStore) -> Command:
    """A repository of six stages, reproduced once; the command that finds nothing to do."""
    folder.mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = plain | {"DVC_NO_ANALYTICS": "1", "PATH": f"{dvc_python.parent}:{os.environ['PATH']}"}
    shutil.copytree(PROJECT / "mlops_assets", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "data" / "landing" / "flight_delays", folder / "landing")
    (folder / "write.py").write_text(WRITE)
    (folder / "params.yaml").write_text(json.dumps(PARAMETERS, indent=1))  # JSON is YAML
    (folder / "dvc.yaml").write_text(json.dumps({"stages": _stages(folder, store)}, indent=1))
    me = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    dvc = (str(dvc_python), "-m", "dvc")
    for command in (
        ("git", "init", "-q", "."),
        (*dvc, "init", "-q"),
        (*dvc, "config", "core.analytics", "false"),
        (*dvc, "config", "core.check_update", "false"),
        (*dvc, "repro", "-q"),
        ("git", "add", "-A"),
        ("git", *me, "commit", "-q", "-m", "all stages"),
    ):
        Command(command, folder, environment).run()
    status = subprocess.run([*dvc, "status"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    if "up to date" not in status.stdout:
        raise SystemExit(f"the pipeline was not finished: {status.stdout}{status.stderr}")
    return Command((*dvc, "repro", "-q"), folder, environment)


def _stages(folder: Path, store: AssetStore) -> dict[str, Any]:
    """Each stage's dependencies (those of earlier weeks and of trials are written here) and outputs, with their sizes.

    A bundle's parts are one file: fewer than we read and write.
    """
    landed = [f"landing/{t.landing.format(partition=WEEK)}" for t in FLIGHT_DELAYS.tables]
    made = {f"flight_delays/{artifact}@{WEEK}": stage for stage, artifact in STAGES.items()}
    stages = {}
    for at, stage in made.items():
        ref = _ref(store, at)
        needs = ["src", "write.py", *(landed if stage == "raw" else ())]
        for name in () if stage == "raw" else ref.inputs:
            if name in made:
                needs.append(f"out/{made[name]}.bin")
                continue
            path = folder / "before" / f"{name.replace('/', '_')}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((name.encode() * _bytes(_ref(store, name)))[: _bytes(_ref(store, name))])
            needs.append(str(path.relative_to(folder)))
        out = f"out/{stage}.bin"
        stages[stage] = {"cmd": f"python write.py {out}:{_bytes(ref)}", "deps": needs, "params": [stage], "outs": [out]}
    return stages


def _ref(store: AssetStore, at: str) -> Ref:
    asset, _, partition = at.partition("@")
    found = store.latest(asset, partition)
    if found is None:
        raise SystemExit(f"{at} was not made.")
    return found


def _bytes(ref: Ref) -> int:
    return sum(part.bytes for part in ref.parts.values())


def importing(command: Command, module: str, argv: list[str], out: Path, arguments: str = "") -> Command:
    """Imports what the command has loaded when it ends; `module` has its `main`, called with `arguments`."""
    command.calling(TELLING.format(out=str(out), argv=argv, module=module, arguments=arguments)).run()
    return command.calling(IMPORTING.format(out=str(out)))


def measure(dvc_python: Path, rounds: int) -> dict[str, Any]:
    """Seconds by way, and the ratios to dvc of one round; medians."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        environment = lived(folder / "data")
        store = AssetStore(settings(environment).store)
        argv = {
            "execute": ["dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", JOB, "--tags",
                        json.dumps({"dagster/partition": WEEK})],
            "backfill": ["mlops", "backfill", "flight_delays", "--job", "lifecycle", "--from", WEEK, "--to", WEEK],
        }  # fmt: skip
        execute = Command((sys.executable, "-m", *argv["execute"]), PROJECT, environment)
        backfill = _mlops(environment, *argv["backfill"][1:])
        dvc = pipeline(folder / "dvc", dvc_python.absolute(), store)
        warm, before = Warm(environment), _published(folder)
        ways: dict[str, Any] = {
            "dvc": dvc,
            "dvc imports": importing(dvc, "dvc.cli", ["dvc"], folder / "dvc.txt", "['repro', '-q']"),
            "execute": execute,
            "execute imports": importing(execute, "dagster._cli", argv["execute"], folder / "execute.txt"),
            "backfill": backfill,
            "backfill imports": importing(backfill, "mlops_assets.cli.main", argv["backfill"], folder / "backfill.txt"),
            "warm": warm,
            "definitions": execute.calling("import mlops_assets.definitions"),
        }
        took: dict[str, list[Took]] = {name: [] for name in ways}
        for turn in range(rounds):
            for name in list(ways) if turn % 2 == 0 else reversed(ways):
                took[name].append(ways[name].run())
        warm.close()
        if _published(folder) != before:
            raise SystemExit("something was published while nothing was to do: no figure was printed.")
    return {"rounds": rounds, **figures(took), "events": warm.said[-1]["events"], **event_log(warm.said)}


def _published(folder: Path) -> dict[str, int]:
    """Every ref of the store, and when it was written."""
    refs = folder / "data" / "store" / "refs"
    return {str(file): file.stat().st_mtime_ns for file in sorted(refs.rglob("*.json"))}


def figures(took: dict[str, list[Took]]) -> dict[str, Any]:
    """Medians by way; ratios to dvc with and without what each imports; the share of a command that imports."""
    found: dict[str, Any] = {"seconds": {}, "over dvc": {}, "over dvc, both without imports": {}, "importing": {}}
    for kind in ("clock", "cpu"):
        s = {name: [getattr(one, kind) for one in each] for name, each in took.items()}
        beyond = {name: [a - b for a, b in zip(s[name], s[f"{name} imports"], strict=True)]
                  for name in ("dvc", "execute", "backfill")} | {"warm": s["warm"]}  # fmt: skip
        found["seconds"][kind] = {name: statistics.median(each) for name, each in s.items()}
        found["over dvc"][kind] = {name: _ratio(s[name], s["dvc"]) for name in ("execute", "backfill")}
        found["over dvc, both without imports"][kind] = {
            name: _ratio(beyond[name], beyond["dvc"]) for name in ("execute", "backfill", "warm")
        }
        found["importing"][kind] = {
            name: _ratio(s[f"{name} imports"], s[name]) for name in ("dvc", "execute", "backfill")
        }
    return found


def event_log(said: list[dict[str, Any]]) -> dict[str, Any]:
    """The share of a warm run that Dagster's event log takes."""
    shares = {kind: statistics.median(one[f"log_{kind}"] / one[kind] for one in said) for kind in ("clock", "cpu")}
    return {"event log's share of warm": shares}


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Reads the options, measures, prints."""
    parser = argparse.ArgumentParser(description="a run of the lifecycle that finds nothing to do, against dvc repro")
    parser.add_argument("--dvc-python", type=Path, required=True, help="python of an environment that has DVC")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    result = measure(chosen.dvc_python, chosen.rounds)
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    for title, found in result.items():
        if not isinstance(found, dict):
            print(f"{title:34} {found}")
            continue
        for kind, numbers in found.items():
            shown = numbers if isinstance(numbers, dict) else {"": numbers}
            print(
                f"{title + ', ' + kind:40}", "  ".join(f"{name} {number:.2f}".strip() for name, number in shown.items())
            )


if __name__ == "__main__":
    main()
