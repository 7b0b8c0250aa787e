"""A world in which four weeks have lived, made once and copied, and what a run did in it.

A copy shares the folder of the tracker's files, whose place the tracker's database names.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from mlops_assets.graph import (
    catalogue,
    drift_judging,
    features,
    ingest,
    judging,
    performance_judging,
    response,
    training,
)
from mlops_assets.stores.records import Records
from mlops_assets.stores.registry import Registry
from mlops_assets_tests.graph.world import WEEKS, World, land, opened, reason

WEEK = WEEKS[3]  # the newest that has lived
NAME = "thin_delays"
# the work that reuse saves: which function makes an artifact; what is online is brought there every time
MAKERS: dict[str, tuple[ModuleType, str]] = {
    "raw_data": (ingest, "make_raw"),
    "validated_dataset": (ingest, "make_validated"),
    "feature_table": (features, "make"),
    "trial": (training, "make_trial"),
    "trained_model": (training, "make"),
    "registry_entry": (judging, "judge_candidate"),
    "feature_catalogue": (catalogue, "make"),
    "drift_report": (drift_judging, "judge_week"),
    "performance_report": (performance_judging, "report_on"),
    "response": (response, "respond"),
}


def build(folder: Path) -> None:
    """Three weeks make a model (`three`), the fourth makes another (`four`); `artifacts` are the tracker's files."""
    with _stood(folder, "three") as world:
        for week in WEEKS[:2]:
            assert reason(world.run("data", week)) == ""
        assert reason(world.run("lifecycle", WEEKS[2])) == ""
    shutil.copytree(folder / "three", folder / "four")
    with _stood(folder, "four") as world:
        assert reason(world.run("lifecycle", WEEKS[3])) == ""


def artifacts(built: Path) -> str:
    """Where the tracker's files of all copies are."""
    return (built / "artifacts").as_uri()


def _stood(built: Path, name: str) -> AbstractContextManager[World]:
    if not (built / name).exists():
        land(built / name)
    return opened(built / name, artifacts=artifacts(built))


@contextmanager
def copied(built: Path, folder: Path, name: str = "four") -> Iterator[World]:
    """A copy that stands in `folder`."""
    shutil.copytree(built / name, folder, dirs_exist_ok=True)
    with opened(folder, artifacts=artifacts(built)) as world:
        yield world


def reused(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Artifact -> whether its result was taken from the store, of all that a run materialized."""
    return {
        event.asset_key.path[-1]: bool(event.step_materialization_data.materialization.metadata["reused"].value)
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }


def watch(put: Callable[[Any, str, Any], None], tell: Callable[[str], None]) -> None:
    """Have `tell` called before each piece of real work with the artifact's name, for a trial "trial.<its key>".

    `put` is setattr or a test's own.
    """
    for artifact, (module, name) in MAKERS.items():
        put(module, name, _watched(artifact, getattr(module, name), tell))


def _watched(artifact: str, make: Callable[..., Any], tell: Callable[[str], None]) -> Callable[..., Any]:
    @wraps(make)
    def watched(*given: Any, **named: Any) -> Any:
        tell(f"{artifact}.{given[2].key}" if artifact == "trial" else artifact)
        return make(*given, **named)

    return watched


def files(store: str) -> dict[str, str]:
    """The hash of every file of a store by its path."""
    return {
        str(p.relative_to(store)): blake2b(p.read_bytes()).hexdigest() for p in Path(store).rglob("*") if p.is_file()
    }


def tracked(world: World) -> list[tuple[str, str]]:
    """Status and id of every MLflow run, oldest first."""
    client = Registry(world.places.tracking_uri, world.places.artifacts).client
    experiment = client.get_experiment_by_name(world.use_case.name)
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]) if experiment else []
    return [(run.info.status, run.info.run_id) for run in found]


def versions(world: World) -> list[dict[str, Any]]:
    """The model versions of the tracker by number: which week, which model, which run."""
    found = Registry(world.places.tracking_uri, world.places.artifacts).find(world.use_case.name)
    return [{"version": v.version, "run": v.run_id, **{n: v.tags[n] for n in ("partition", "model_digest")}}
            for v in found]  # fmt: skip


def ledger(world: World) -> list[tuple[str, str]]:
    """Kind and subject of every entry of the ledger, in order."""
    with Records(world.places.records) as records:
        return [(entry.kind, entry.subject) for entry in records.ledger.entries(world.use_case.name)]
