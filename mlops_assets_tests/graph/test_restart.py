"""Killed with -9 anywhere in the real graph and run again, a week ends as if nothing had happened; no work is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.core.search import trials
from mlops_assets.declare import DataError
from mlops_assets.graph import training
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.crashpoints import CHECKPOINT_POINTS, ONLINE_POINTS, POINTS
from mlops_assets.stores.fsck import fsck
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.ledger import CRASH_POINTS
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.killed import CASE, WORK, standing
from mlops_assets_tests.graph.lived import NAME, WEEK
from mlops_assets_tests.graph.world import QUIET, World, reason

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
TRIALS = [trial.key for trial in trials(CASE.model)]
STEPS = (
    "raw_data", "validated_dataset", "feature_table", "online_features", "feature_table_served_equals_trained",
    "plan_trials", *(f"trial[{key}]" for key in TRIALS), "fit", "registry_entry", "rollout", "predictions",
    "drift_report", "performance_report", "response", "feature_catalogue",
)  # fmt: skip
REGISTRY = "mlops_assets.stores.registry:Registry"
RECORDS = "mlops_assets.stores.records:Records"
Kill = dict[str, object]
Run = Callable[..., int]


def boundary(step: str, when: str = "before") -> Kill:
    """Dead when a step has stored its result and Dagster does not know yet ("before"), or just does ("after")."""
    return {"event": ["STEP_SUCCESS", step, when]}


def call(named: str, when: str = "after") -> Kill:
    """Dead before or after the first call of that method."""
    return {"call": [named, when, 1]}


@pytest.fixture(scope="module")
def run(built: Path) -> Iterator[Run]:
    """Give the process an order, get its child's exit status."""
    quiet = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_assets_tests.graph.killed"],
        cwd=ROOT, env=os.environ | quiet, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    def ordered(folder: Path, **kill: object) -> int:
        order = {"folder": str(folder), "artifacts": lived.artifacts(built), "job": "lifecycle", "week": WEEK, **kill}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield ordered
    process.stdin.close()
    process.wait(timeout=60)


def begun(folder: Path) -> list[str]:
    """The work that was begun in a folder, in order."""
    log = folder / WORK
    return log.read_text().split() if log.exists() else []


def state(world: World) -> dict[str, Any]:
    """All that must be the same however a week came about: nothing of instants, runs and addresses."""
    refs = world.store.refs
    newest = [refs.latest(asset, key) for asset in refs.assets() for key in refs.partitions(asset)]
    passing = ("registered_at", "dagster_run", "mlflow_run", "mlflow_url", "dagster_url")
    with Records(world.places.records) as records:
        # the events of a rollout say when they were decided, and by which run
        entries = [(e.kind, e.subject, e.why, e.evidence if "event_hash" not in e.facts else "") for e in
                   records.ledger.entries()]  # fmt: skip
        rows = [asdict(row) for row in (records.lineage.get(NAME, n) for n in (1, 2, 3)) if row is not None]
        aliases, wrong = records.aliases(NAME), records.ledger.verify()
    return {
        "store": {
            f"{r.asset}@{r.partition}": (r.data_version, r.action_key, r.inputs)
            for r in newest
            if r and not r.asset.endswith("/rollout")
        },
        "ledger": entries,
        "ledger is wrong": wrong,
        "lineage": [{name: value for name, value in row.items() if name not in passing} for row in rows],
        "aliases": aliases,
        "versions": [{n: v for n, v in one.items() if n != "run"} for one in lived.versions(world)],
        "runs of versions": [dict(map(reversed, lived.tracked(world)))[one["run"]] for one in lived.versions(world)],
        "checkpoints": [str(path) for path in Path(world.places.store).glob("checkpoints/*/*")],
        "sound": fsck(world.store).is_sound,
    }


@pytest.fixture(scope="module")
def undisturbed(run: Run, built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state after the same run in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(built / "three", folder, dirs_exist_ok=True)
    assert run(folder) == 0
    work = begun(folder)
    assert len(work) == len(set(work)) == 12  # ten assets, with three trials for the one of trials
    with standing(folder, lived.artifacts(built)) as world:
        return state(world)


def finished(store: AssetStore, keys: dict[str, str]) -> set[str]:
    """The work whose result is published, as `begun` names it."""
    found = set()
    for at, key in keys.items():
        asset, _, partition = at.partition("@")
        if any(ref.action_key == key for ref in store.history(asset, partition)):
            artifact = asset.partition("/")[2]
            found.add(f"trial.{partition.partition('.')[2]}" if artifact == "trial" else artifact)
    return found


def killed_and_finished(run: Run, built: Path, folder: Path, kills: list[Kill], undisturbed: dict[str, Any]) -> int:
    """Kill the week as planned, then let it end. How many of the kills met it alive."""
    shutil.copytree(built / "three", folder, dirs_exist_ok=True)
    keys = {at: key for at, (_, key, _) in undisturbed["store"].items() if at.partition("@")[2].startswith(WEEK)}
    store = AssetStore(folder / "store")
    met = 0
    for kill in [*kills, {}]:
        before, done = begun(folder), finished(store, keys)
        status = run(folder, **kill)
        work = begun(folder)[len(before) :]
        assert status in ((0, KILLED) if kill else (0,)), kill
        assert not done & set(work), (kill, done, work)
        assert len(work) == len(set(work)), (kill, work)
        met += status == KILLED
    with standing(folder, lived.artifacts(built)) as world:
        found = state(world)
    for what, expected in undisturbed.items():
        assert found[what] == expected, (kills, what)
    return met


def test_a_few_kills_one_after_the_other_leave_what_an_undisturbed_run_leaves(
    run: Run, built: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    kills = [
        {"crash_at": "object.renamed:2"},
        boundary("validated_dataset"),
        boundary(f"trial[{TRIALS[0]}]", "after"),
        {"crash_at": "checkpoint.renamed:2"},
        call(f"{REGISTRY}.register"),
        {"crash_at": "record.committed:3"},
    ]

    assert killed_and_finished(run, built, tmp_path, kills, undisturbed) == len(kills)


def reexecuted(world: World, artifacts: str, failed: str) -> dg.JobExecutionResult:
    """What `Re-execute` > `From failure` does in the UI."""
    given = (str(world.folder), artifacts, "lifecycle")
    return dg.execute_job(
        dg.build_reconstructable_job("mlops_assets_tests.graph.killed", "job_of", given),
        world.instance,
        reexecution_options=dg.ReexecutionOptions.from_failure(failed, world.instance),
        run_config=QUIET,
        tags={"dagster/partition": WEEK},
    )


def test_a_run_that_failed_in_a_trial_goes_on_there_when_it_is_re_executed(
    built: Path, tmp_path: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built / "three", tmp_path, dirs_exist_ok=True)
    work: list[str] = []
    make_trial = training.make_trial

    @wraps(make_trial)
    def refused(case: Any, weeks: Any, trial: Any, checkpoints: Any) -> Any:
        if trial.key == TRIALS[1]:
            raise DataError("refused")
        return make_trial(case, weeks, trial, checkpoints)

    with standing(tmp_path, lived.artifacts(built)) as world:
        with monkeypatch.context() as broken:
            broken.setattr(training, "make_trial", refused)
            failed = world.run("lifecycle", WEEK)
        assert reason(failed) == f"{NAME}__trained_model.trial[{TRIALS[1]}]: refused"
        lived.watch(monkeypatch.setattr, work.append)
        with reexecuted(world, lived.artifacts(built), failed.run_id) as again:
            assert again.success
            began = [str(e.step_key) for e in again.all_events if e.event_type_value == "STEP_START"]

        first, *others = [step.partition("__")[2] for step in began]
        assert first == f"trained_model.trial[{TRIALS[1]}]"
        assert others[:2] == ["trained_model.fit", "registry_entry"]
        reports = {"drift_report", "performance_report", "response"}
        assert set(others[2:]) == {"feature_catalogue", "rollout", "predictions", *reports}
        assert work[:3] == [f"trial.{TRIALS[1]}", "trained_model", "registry_entry"]
        assert set(work[3:]) == {"feature_catalogue", *reports}
        assert state(world) == undisturbed


def killed_and_reexecuted(run: Run, built: Path, folder: Path, step: str, watch: Callable[[list[str]], None]) -> Any:
    """Kill a week in a step, then re-execute that run from its failure; the state afterwards."""
    shutil.copytree(built / "three", folder, dirs_exist_ok=True)
    assert run(folder, event=["STEP_START", step, "after"]) == KILLED
    before, work = set(begun(folder)), list[str]()
    with standing(folder, lived.artifacts(built)) as world:
        (killed,) = world.instance.get_runs()
        world.instance.report_run_failed(killed)  # as run monitoring does for a process that is gone
        watch(work)
        with reexecuted(world, lived.artifacts(built), killed.run_id) as again:
            assert again.success, step
        assert not before & set(work), step
        assert len(before) + len(work) == 12, step
        return state(world)


# a trial is a dynamic step: of those, Dagster's own re-execution forgets the ones that had not begun
@pytest.mark.parametrize(
    "step",
    [pytest.param(s, marks=() if s == f"trial[{TRIALS[1]}]" else pytest.mark.slow) for s in STEPS],
)
def test_a_run_that_was_killed_in_a_step_goes_on_there_when_it_is_re_executed(
    run: Run, built: Path, tmp_path: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def watch(work: list[str]) -> None:
        lived.watch(monkeypatch.setattr, work.append)

    assert killed_and_reexecuted(run, built, tmp_path, step, watch) == undisturbed


@pytest.mark.slow
def test_killed_at_every_step_boundary(run: Run, built: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    for start in (0, 1):
        kills = [boundary(step) for step in STEPS[start::2]]
        assert killed_and_finished(run, built, tmp_path / str(start), kills, undisturbed) == len(kills)


@pytest.mark.slow
def test_killed_around_each_word_to_the_tracker_and_to_the_records(
    run: Run, built: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    told = [call(f"{REGISTRY}.{word}", when) for word in ("log_training", "log_model", "register")
            for when in ("before", "after")]  # fmt: skip
    told += [call(f"{RECORDS}.register", when) for when in ("before", "after")]

    assert killed_and_finished(run, built, tmp_path, told, undisturbed) == len(told)


@pytest.mark.slow
@pytest.mark.parametrize("kills_in_all", [10, pytest.param(40, marks=pytest.mark.campaign)])
def test_seeded_kills_in_writes_and_at_any_instant(
    run: Run, built: Path, tmp_path: Path, undisturbed: dict[str, Any], kills_in_all: int
) -> None:
    draw, met, number = random.Random(2013), 0, 0
    points = [*POINTS, *ONLINE_POINTS, *CHECKPOINT_POINTS, *CRASH_POINTS]
    draw.shuffle(points)
    while met < kills_in_all:
        kills: list[Kill] = [
            {"crash_at": f"{points.pop()}:{draw.randint(1, 4)}"}
            if points and draw.random() < 0.6
            else {"kill_after_s": draw.uniform(0.5, 7)}
            for _ in range(draw.randint(4, 7))
        ]
        met += killed_and_finished(run, built, tmp_path / str(number), kills, undisturbed)
        number += 1
    assert number < 30
