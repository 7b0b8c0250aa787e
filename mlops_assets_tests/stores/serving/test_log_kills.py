"""An answered request is never missing from the log: not after kill -9 of the writer, nor of the database's server."""

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import DAY, ROLLOUT
from mlops_assets_tests.stores.serving.postgres import running_postgres

ROOT = Path(__file__).parents[3]
Run = Callable[..., list[str]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Give the process an order, get the ids its child told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_assets_tests.stores.serving.killed_log"],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    def ordered(**order: Any) -> list[str]:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return [str(id) for id in json.loads(process.stdout.readline())]

    yield ordered
    process.stdin.close()
    process.wait(timeout=60)


def settled(where: str) -> None:
    """Wait for what a server still does for a client that was killed: its last commit may come after the kill."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until = time.monotonic() + 30
    while "://" in where and rows(where, others) != [(0,)]:
        assert time.monotonic() < until
        time.sleep(0.05)


def check(where: str, told: list[str]) -> None:
    """Every id that was told is in each table once, with its number in one order; and so says the reader."""
    settled(where)
    counts: dict[str, Counter[str]] = {}
    numbers: list[int] = []
    for table in ("prediction", "mirrored", "label"):
        found = rows(where, f"SELECT id, n FROM {table}")  # noqa: S608  ours
        counts[table] = Counter(id for id, _ in found)
        numbers += [n for _, n in found]
        assert all(counts[table][id] == 1 for id in told)
    assert counts["prediction"] == counts["mirrored"] == counts["label"]  # no commit is there in parts
    assert len(numbers) == len(set(numbers))
    with closing(PredictionLog(where, FLIGHT_DELAYS, create=False)) as log:
        batch = log.since(0, 10**6, rollout=ROLLOUT, block=DAY)
        assert len(batch.pairs) == len(counts["label"]) and batch.rows == len(numbers)


def rows(where: str, sql: str) -> list[Any]:
    if "://" not in where:
        with closing(sqlite3.connect(Path(where) / "flight_delays.predictions.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return db.execute(sql).fetchall()
    with closing(psycopg2.connect(where.replace("+psycopg2", ""))) as server:
        cursor = server.cursor()
        cursor.execute("SET search_path TO predictions_flight_delays")
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_whatever_was_told_before_a_kill_is_in_the_log_once(run: Run, serving: str, kills: int) -> None:
    draw, told = random.Random(20130703), []
    for number in range(kills):
        told += run(where=serving, name=f"k{number}", rows=10**6, kill_after_s=draw.uniform(0.01, 0.3))

    assert len(set(told)) == len(told) > 20 * kills
    check(serving, told)


@pytest.mark.slow
def test_whatever_was_told_before_the_server_was_killed_is_in_the_log_once(run: Run) -> None:
    with running_postgres() as server:
        done = threading.Event()
        killed = []

        def killer() -> None:
            draw = random.Random(1)
            while len(killed) < 6 and not done.is_set():
                time.sleep(draw.uniform(0.3, 1.0))
                server.kill()
                killed.append(time.monotonic())
                time.sleep(draw.uniform(0.0, 0.5))
                server.start()

        thread = threading.Thread(target=killer)
        thread.start()
        told = []
        for number in range(20):
            told += run(where=server.url, name=f"s{number}", rows=3_200, kill_after_s=0)
            if len(killed) == 6:
                break
        done.set()
        thread.join()

        assert len(killed) == 6 and len(set(told)) == len(told)
        check(server.url, told)


@pytest.mark.slow
def test_a_file_that_another_holds_for_eight_seconds_loses_and_doubles_nothing(run: Run, tmp_path: Path) -> None:
    run(where=str(tmp_path), name="before", rows=160, kill_after_s=0)
    other = sqlite3.connect(tmp_path / "flight_delays.predictions.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(8, lambda: other.execute("ROLLBACK"))
    release.start()
    told = run(where=str(tmp_path), name="held", rows=1_600, kill_after_s=0)
    release.join()
    other.close()

    assert len(told) == 1_600 // 16 * 16 * 10 // 4  # 1, 2, 3, 4 rows in turn
    check(str(tmp_path), told)
