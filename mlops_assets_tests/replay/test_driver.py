"""A history played through the real graph, gateway and sensors: once, again, killed, sabotaged."""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.account import Policy
from mlops_assets.declare import DataError
from mlops_assets.replay.history import prepare
from mlops_assets.replay.together import HISTORY, play_one, told_by
from mlops_assets.replay.world import World
from mlops_assets.stores.records import Records
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.graph.world import WEEKS
from mlops_assets_tests.replay.played import BEGIN, END, NAME, play, scenario

pytestmark = pytest.mark.slow
Root = Callable[[str], Path]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five weeks that have landed, with their data and a first model."""
    folder = tmp_path_factory.mktemp("history")
    prepare(scenario(folder), folder / HISTORY, lambda doing, done, of: None)
    return folder


@pytest.fixture
def root(history: Path, tmp_path: Path) -> Path:
    """A folder of its own with that history."""
    shutil.copytree(history, tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture(scope="module")
def once(history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Policy]:
    """It was played, undisturbed."""
    root = tmp_path_factory.mktemp("once") / "root"
    shutil.copytree(history, root)
    play(scenario(root), root)
    return root, told(root)


def told(root: Path) -> Policy:
    """What a replay told, without how long it took."""
    policy: Policy = msgspec.json.decode(told_by(root, NAME).read_bytes(), type=Policy)
    return replace(policy, costs=replace(policy.costs, seconds=0.0))


def ledger(root: Path) -> list[Any]:
    """Every entry of the ledger, whole."""
    with Records(World(root / NAME).places.records) as records:
        return list(records.ledger.entries())


def answers(root: Path) -> list[Any]:
    """Every answer of the prediction log, whole, with what the other arm said and what turned out."""
    with sqlite3.connect(root / NAME / "serving" / "thin_delays.predictions.db") as log:
        return [log.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608  three names of ours
                for table in ("prediction", "mirrored", "label")]  # fmt: skip


def events(root: Path) -> list[Any]:
    with Rollouts(World(root / NAME).places.serving, "thin_delays") as rollouts:
        return list(rollouts.events())


def test_a_model_reaches_users_by_proof_and_every_request_is_answered(once: tuple[Path, Policy]) -> None:
    _, policy = once
    stages = [(stage.stage, stage.share) for stage in policy.stages]

    assert [week.week for week in policy.weeks] == [BEGIN, END]
    assert all(week.asked == week.answered > 500 for week in policy.weeks)
    assert stages == [
        ("PREPARING", 0.0), ("SHADOW", 0.0), ("CANARY", 0.25), ("CANARY", 0.5), ("SOAK", 1.0), ("FINALIZED", 1.0)
    ]  # fmt: skip
    assert policy.versions[0].week == WEEKS[2] and policy.costs.failed == 0


def test_played_again_it_is_the_same_byte_for_byte(once: tuple[Path, Policy], root: Path) -> None:
    first, policy = once
    play(scenario(root), root)

    assert told(root) == policy
    assert (ledger(root), events(root), answers(root)) == (ledger(first), events(first), answers(first))


@pytest.mark.parametrize("most", [3, pytest.param(10, marks=pytest.mark.campaign)])
def test_killed_at_random_points_and_resumed_it_is_the_same(once: tuple[Path, Policy], root: Path, most: int) -> None:
    first, policy = once
    chance, kills = random.Random(2013), 0
    while not told_by(root, NAME).exists():
        with subprocess.Popen([sys.executable, "-m", "mlops_assets_tests.replay.played", str(root)]) as child:
            began, patience = time.monotonic(), chance.uniform(6.0, 40.0) if kills < most else 600.0
            while child.poll() is None and time.monotonic() - began < patience:
                time.sleep(0.05)
            if child.poll() is None:
                child.kill()
                kills += 1
            else:
                assert child.returncode == 0

    assert kills >= min(most, 3)
    assert told(root) == policy
    assert (ledger(root), events(root), answers(root)) == (ledger(first), events(first), answers(first))


def test_a_model_that_breaks_at_its_first_canary_is_rolled_back_and_harms_nobody(root: Path) -> None:
    play(scenario(root, f"{BEGIN}:broken_model"), root)
    policy = told(root)
    (done,) = policy.sabotage

    assert done.met.startswith("rolled back on")
    assert (policy.costs.rolled_back, policy.costs.failed, policy.costs.finalized) == (1, 0, 0)
    assert all(set(week.by_version) == {"0"} for week in policy.weeks)


def test_a_model_that_is_wrong_never_leaves_its_shadow(root: Path) -> None:
    play(scenario(root, f"{BEGIN}:wrong_model", f"{END}:label_delay"), root)
    policy = told(root)

    assert policy.sabotage[0].met.startswith("rolled back on")
    assert policy.costs.exposed == 0
    assert policy.sabotage[1].met.startswith("nothing was judged by it before 2013-02-27; then: ")


def test_gateways_that_are_killed_lose_no_answer_and_others_go_on(once: tuple[Path, Policy], root: Path) -> None:
    play(scenario(root, f"{BEGIN}:crash"), root)
    policy = told(root)

    assert [week.answered for week in policy.weeks] == [week.answered for week in once[1].weeks]
    assert policy.costs.failed == 0
    assert policy.sabotage[0].met == "others went on in their place"


def test_a_broken_feed_is_named_and_mended_a_week_later(root: Path) -> None:
    play(scenario(root, f"{BEGIN}:broken_feed"), root)
    week = told(root).weeks[0]

    assert told(root).sabotage[0].met
    assert week.faults == ()  # its file landed again


def test_a_file_that_changed_since_is_another_replay(once: tuple[Path, Policy], root: Path) -> None:
    shutil.copytree(once[0] / NAME, root / NAME)
    changed = root / "landing" / "thin_delays" / "weather" / f"{BEGIN}.parquet"
    rows = pq.read_table(changed)
    pq.write_table(rows.slice(0, rows.num_rows - 1), changed)

    with pytest.raises(DataError, match=f"the world of another replay: files of {BEGIN} is"):
        play_one(scenario(root), root, lambda said: None, sitting_weeks=1)
