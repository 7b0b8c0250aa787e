"""A change is seen whole or not at all: by readers elsewhere, beside other writers, and after any kill."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlops_assets.core.online import MemoryStore, OnlineStore
from mlops_assets.stores.crashpoints import ONLINE_POINTS, VARIABLE
from mlops_assets_tests.stores.online.world import counted, turn

ROUNDS = 40
Writers = Callable[..., subprocess.Popen[str]]


def after_rounds(*rounds: int) -> set[tuple[int, int]]:
    return {(len(rounds), sum(rounds))}


@pytest.fixture
def writer(url: str) -> Iterator[Writers]:
    """Starts a process that applies rounds to the store; those that still run are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(name: int, first: int, end: int, crash_at: str = "") -> subprocess.Popen[str]:
        program = [sys.executable, "-m", "mlops_assets_tests.stores.online.world", url, *map(str, (name, first, end))]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=os.environ | {VARIABLE: crash_at})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_reader_in_another_process_sees_every_change_whole(store: OnlineStore, writer: Writers) -> None:
    process, seen = writer(0, 0, ROUNDS), set()
    while process.poll() is None:
        (one,) = counted(store)
        seen.add(one)

    assert process.returncode == 0
    assert counted(store) == after_rounds(*range(ROUNDS))
    assert seen <= {one for n in range(ROUNDS + 1) for one in after_rounds(*range(n))}


def test_readers_in_other_threads_see_every_change_whole(store: OnlineStore) -> None:
    writing = True

    def read() -> int:
        reads = 0
        while writing:
            (_one,) = counted(store)
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as readers:
        counts = [readers.submit(read) for _ in range(3)]
        for number in range(ROUNDS):
            store.apply(turn(number))
        writing = False

        assert all(count.result() for count in counts)
    assert counted(store) == after_rounds(*range(ROUNDS))


def test_two_writers_in_two_processes_lose_nothing(store: OnlineStore, writer: Writers) -> None:
    both = [writer(name, 0, ROUNDS) for name in (1, 2)]

    assert [process.wait() for process in both] == [0, 0]
    assert counted(store) == after_rounds(*range(ROUNDS), *range(ROUNDS))
    assert store.entries() == 2 * ROUNDS * 100
    assert (store.note("writer 1"), store.note("writer 2")) == (str(ROUNDS - 1),) * 2


@pytest.mark.parametrize("point", ONLINE_POINTS)
def test_killed_at_a_named_point_the_change_is_whole_or_absent_and_a_rerun_completes_it(
    store: OnlineStore, writer: Writers, point: str
) -> None:
    assert writer(0, 0, 2, crash_at=f"{point}:2").wait() == -signal.SIGKILL
    kept = point == "online.committed"

    assert counted(store) == after_rounds(*range(2 if kept else 1))
    assert store.note("writer 0") == str(int(kept))
    assert writer(0, 1, 2).wait() == 0
    assert counted(store) == after_rounds(0, 1)
    assert store.note("writer 0") == "1"


def test_killed_at_random_moments_nothing_is_ever_half(store: OnlineStore, writer: Writers) -> None:
    draw, done = random.Random(20130710), 0
    for _ in range(6):
        process = writer(0, done, 10_000)
        process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        time.sleep(draw.uniform(0.0, 0.2))
        process.kill()
        process.wait()

        ((n, s),) = counted(store)
        assert done < n
        assert {(n, s)} == after_rounds(*range(n))
        assert store.note("writer 0") == str(n - 1)
        done = n

    twin = MemoryStore()
    for number in range(done):
        twin.apply(turn(number))
    assert store.entries() == twin.entries()
    assert counted(store) == counted(twin)
