"""A process that runs jobs of the small world's real graph, which can be killed at any instant.

Run as a program it reads orders from stdin, one JSON line each, forks a child that runs the job, has it killed when
ordered, and answers with the child's exit status. Forking from a process that has imported everything, and never
started a thread, saves the seconds of imports for each kill.

| order | what |
|---|---|
| `folder`, `artifacts`, `job`, `week` | where the world stands, what is run |
| `crash_at` | as MLOPS_CRASH_AT: "object.written:3" |
| `event` | [event type, step key, "before" or "after" it is recorded] |
| `call` | ["module:Class.method", "before" or "after", which call] |
| `kill_after_s` | seconds from the fork |
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.graph.jobs import job_name
from mlops_assets.stores.settings import Settings, settings
from mlops_assets_tests.forking import serve
from mlops_assets_tests.graph.lived import NAME, watch
from mlops_assets_tests.graph.world import World, reason, small_use_case

MODEL = small_use_case().model
CASE = replace(small_use_case(), model=replace(MODEL, checkpoint_every=3))  # two checkpoints in a fit
WORK = "work.log"  # one line for each piece of work that was begun
SHIPPED = Path(__file__).parents[2] / "data" / "dagster" / "dagster.yaml"
# what steps print would be kept by processes of their own, which outlive a kill
QUIET = "compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}\n"


@contextmanager
def standing(folder: Path, artifacts: str) -> Iterator[World]:
    """The world that stands in a folder, with a Dagster instance on disk, set up as the shipped one but for logs."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(SHIPPED.read_text() + QUIET)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield World.of(folder, CASE, _places(folder, artifacts), instance)


def job_of(folder: str, artifacts: str, job: str) -> dg.JobDefinition:
    """A job of that world, as a process that re-executes a run finds it."""
    instance: Any = None  # whoever executes brings it
    return World.of(Path(folder), CASE, _places(Path(folder), artifacts), instance).defs.resolve_job_def(
        job_name(NAME, job)
    )


def _places(folder: Path, artifacts: str) -> Settings:
    return replace(settings({"MLOPS_DATA": str(folder)}), artifacts=artifacts)


def run(order: dict[str, Any]) -> str:
    """The job, as ordered; why it failed, or nothing."""
    folder = Path(order["folder"])

    def begun(work: str) -> None:
        with (folder / WORK).open("a") as log:
            log.write(f"{work}\n")

    watch(setattr, begun)
    if "event" in order:
        _die_at_event(*order["event"])
    if "call" in order:
        _die_at_call(*order["call"])
    with standing(folder, order["artifacts"]) as world:
        return reason(world.run(order["job"], order["week"]))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_event(kind: str, step: str, when: str) -> None:
    def meant(_: object, entry: Any, *__: object, **___: object) -> bool:
        event = entry.dagster_event
        return event is not None and event.event_type_value == kind and str(event.step_key).endswith(step)

    _wrap(dg.DagsterInstance, "handle_new_event", when, meant)


def _die_at_call(named: str, when: str, turn: int) -> None:
    module, _, path = named.partition(":")
    owner, _, method = path.rpartition(".")
    calls: list[None] = []

    def meant(*_: object, **__: object) -> bool:
        calls.append(None)
        return len(calls) == turn

    _wrap(getattr(import_module(module), owner) if owner else import_module(module), method, when, meant)


def _wrap(owner: Any, method: str, when: str, meant: Callable[..., bool]) -> None:
    plain = getattr(owner, method)

    @wraps(plain)
    def wrapped(*given: Any, **named: Any) -> Any:
        dies = meant(*given, **named)
        if dies and when == "before":
            _die()
        answer = plain(*given, **named)
        if dies:
            _die()
        return answer

    setattr(owner, method, wrapped)


def _warm(order: dict[str, Any]) -> None:
    """What a child would import and parse, once for all of them."""
    for name in ("mlflow.tracking", "mlflow.sklearn", "dagster_mlflow.resources", "duckdb", "ibis", "skops.io",
                 "matplotlib.backends.backend_svg", "pandera.pandas", "sklearn.ensemble",
                 "alembic.command"):  # fmt: skip
        import_module(name)
    job_of(order["folder"], order["artifacts"], order["job"])
    assert threading.active_count() == 1


if __name__ == "__main__":
    serve(run, _warm)
