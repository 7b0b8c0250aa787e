"""A fit that is killed and taken up again, as often as one likes, learns what an undisturbed one learns, bit for bit.

The row "resume after SIGKILL" of the determinism table; the others are in `test_determinism.py`.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_assets.core.checkpoints import NO_CHECKPOINTS
from mlops_assets.stores.crashpoints import CHECKPOINT_POINTS
from mlops_assets_tests.stores.killed_fits import KINDS, fit

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
Run = Callable[..., int]


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    """The digest of each kind, fitted in one go on one thread."""
    return {kind: fit(kind, 1, NO_CHECKPOINTS, checkpoint_every=1_000) for kind in KINDS}


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Give the process an order, get its child's exit status."""
    quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_assets_tests.stores.killed_fits"],
        cwd=ROOT, env=quiet, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    def ordered(**order: object) -> int:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield ordered
    process.stdin.close()
    process.wait(timeout=60)


def finished(run: Run, store: Path, order: dict[str, object], kills: list[dict[str, object]]) -> int:
    """Kill the fit as planned, then let it end; how many of the kills met it alive."""
    met = 0
    for kill in kills:
        status = run(store=str(store), **order, **kill)
        assert status in (0, KILLED)
        met += status == KILLED
    assert run(store=str(store), **order) == 0
    return met


def test_a_fit_killed_at_every_place_of_a_checkpoint_goes_on_to_the_same_model(
    run: Run, plain: dict[str, str], tmp_path: Path
) -> None:
    kills: list[dict[str, object]] = [{"crash_at": f"{point}:2"} for point in CHECKPOINT_POINTS[:-1]]
    order: dict[str, object] = {"kind": "histogram", "threads": 1, "key": "killed"}
    met = finished(run, tmp_path, order, kills)
    told = (tmp_path / "killed.told").read_text().splitlines()

    assert met == len(kills) == 6
    assert (tmp_path / "killed").read_text() == plain["histogram"]
    # each child wrote one checkpoint whole and died in its second; from "renamed" on the second was there too
    assert [int(line.split()[6].rstrip(",")) for line in told] == [5, 10, 15, 20, 30, 40]
    assert not (tmp_path / "checkpoints" / "killed").exists()


def test_a_process_killed_after_its_checkpoints_are_gone_has_published(
    run: Run, plain: dict[str, str], tmp_path: Path
) -> None:
    status = run(store=str(tmp_path), kind="forest", threads=1, key="late", crash_at="checkpoint.discarded")

    assert status == KILLED
    assert (tmp_path / "late").read_text() == plain["forest"]
    assert not (tmp_path / "checkpoints" / "late").exists()


@pytest.mark.slow
def test_200_seeded_kills_leave_200_times_the_same_digests(run: Run, plain: dict[str, str], tmp_path: Path) -> None:
    draw, met, number, taken_up = random.Random(4242), 0, 0, 0
    while met < 200:
        kind, threads, key = list(KINDS)[number % len(KINDS)], 1 + number // len(KINDS) % 2, f"fit{number}"
        kills: list[dict[str, object]] = [
            {"crash_at": f"{draw.choice(CHECKPOINT_POINTS[:-1])}:{draw.randint(1, 3)}"}
            if draw.random() < 0.4
            else {"kill_after_s": draw.uniform(0.05, 0.7)}
            for _ in range(draw.randint(2, 6))
        ]
        met += finished(run, tmp_path, {"kind": kind, "threads": threads, "key": key}, kills)
        told = tmp_path / f"{key}.told"
        lines = told.read_text().splitlines() if told.exists() else []
        taken_up += len(lines)
        number += 1

        assert (tmp_path / key).read_text() == plain[kind], (kind, threads, kills)
        assert all(line.startswith("The fit goes on after iteration") for line in lines), lines
    assert taken_up >= 100
    assert not list((tmp_path / "checkpoints").iterdir())
