"""A slot is a process of its own: what it may take, how it ends, and that another takes its place."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare import Kind, Task, UseCase
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.nursery import Line, Nursery
from mlops_assets.gateway.slots import SlotError, Slots, Why
from mlops_assets.stores.serving.models import Loaded
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world

Array = npt.NDArray[np.float64]
ENCODER = Encoder(features=("x",), kinds=(Kind.FLOAT,), categories={})


def says(answer: Callable[[Array], Any]) -> Loaded:
    return Loaded(scorer=Scorer(estimator=None, encoder=ENCODER, task=Task.REGRESSION), digest="d", answer=answer)


def _files(rows: Array) -> Array:
    """Open files, and both limits of a core file."""
    return np.array([float(len(list(Path("/proc/self/fd").iterdir()))), *resource.getrlimit(resource.RLIMIT_CORE)])


def _secrets(rows: Array) -> Array:
    return np.array([float("MLOPS_OPERATOR_TOKEN" in os.environ), float("MLOPS_FEED_TOKEN" in os.environ)])


def _throw(rows: Array) -> Array:
    raise KeyError("a fault of the test")


def _eat(rows: Array) -> Array:
    return np.ones(1 << 33)  # 64 GiB


def load(use_case: UseCase, version: int, places: Settings, baseline_of: int) -> Loaded:
    """The models of these tests, by number."""
    if version == 9:
        raise DataError("damaged: restore it")
    if version == 8:
        raise OSError("the store is away")
    models: dict[int, Callable[[Array], Any]] = {
        0: lambda rows: np.full(len(rows), float(baseline_of)),
        1: lambda rows: rows[:, 0] * 2,
        2: lambda rows: time.sleep(60),
        3: lambda rows: os.kill(os.getpid(), signal.SIGSEGV),
        4: lambda rows: np.zeros(len(rows) + 1),
        5: _throw,
        6: _files,
        7: _secrets,
        10: _eat,
    }
    return says(models[version])


def with_slots(work: Callable[[Slots], Coroutine[Any, Any, Any]], *versions: int, baseline_of: int = 0) -> Any:
    """What `work` returns with these versions kept in slots of a real nursery."""
    _, line = Nursery(use_case=world.use_case(), places=cast(Settings, None), load=load).fork()

    async def run() -> Any:
        lost: list[int] = []
        slots = Slots(Line(line, lambda: lost.append(1)), lambda _: True)
        slots.keep(versions, baseline_of)
        try:
            return await work(slots)
        finally:
            await slots.close()
            line.close()

    return asyncio.run(run())


def scored(version: int, rows: int = 3, seconds: float = 10) -> Callable[[Slots], Coroutine[Any, Any, Any]]:
    async def work(slots: Slots) -> Any:
        assert await slots.wait(version, 10), slots.states
        return await slots.score(version, np.arange(float(rows)).reshape(rows, 1), seconds)

    return work


def test_a_slot_scores_rows() -> None:
    assert with_slots(scored(1), 1, 2).tolist() == [0.0, 2.0, 4.0]


def test_the_baseline_is_that_of_the_version_it_was_trained_beside() -> None:
    assert with_slots(scored(0, rows=1), 0, baseline_of=7).tolist() == [7.0]


@pytest.mark.parametrize(
    ("version", "why"), [(2, Why.LATE), (3, Why.DIED), (4, Why.INVALID), (5, Why.ERROR), (10, Why.ERROR)]
)
def test_what_is_wrong_with_a_call_is_told_as_what_it_is(version: int, why: Why) -> None:
    with pytest.raises(SlotError) as raised:
        with_slots(scored(version, seconds=0.5), version)

    assert raised.value.why is why


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_slot_that_hung_died_or_spoke_nonsense_is_forked_anew(version: int) -> None:
    async def work(slots: Slots) -> bool:
        assert await slots.wait(version, 10)
        with pytest.raises(SlotError):
            await slots.score(version, np.zeros((1, 1)), 0.2)
        assert not slots.is_ready(version)
        return await slots.wait(version, 10) and slots.has_failed(version)

    assert with_slots(work, version)


def test_a_model_that_raises_keeps_its_process() -> None:
    async def work(slots: Slots) -> bool:
        assert await slots.wait(5, 10)
        with pytest.raises(SlotError):
            await slots.score(5, np.zeros((1, 1)), 5)
        return slots.is_ready(5)

    assert with_slots(work, 5)


def test_a_slot_shares_no_file_no_secret_and_no_core_with_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_OPERATOR_TOKEN", "secret")
    monkeypatch.setenv("MLOPS_FEED_TOKEN", "secret")
    files, *core = with_slots(scored(6), 6).tolist()

    assert files <= 5  # stdio, the socket, the folder that is being listed
    assert core == [0.0, 0.0]
    assert with_slots(scored(7, rows=2), 7).tolist() == [0.0, 0.0]


def test_a_version_that_is_refused_says_why_and_one_whose_store_is_away_is_still_loading() -> None:
    async def work(slots: Slots) -> dict[int, str]:
        await asyncio.sleep(1)
        return slots.states

    states = with_slots(work, 8, 9)

    assert states[9] == "refused: damaged: restore it"
    assert states[8].startswith("loading: OSError")


def test_a_version_that_is_not_kept_any_more_ends() -> None:
    async def work(slots: Slots) -> set[int]:
        assert await slots.wait(1, 10) and await slots.wait(5, 10)
        slots.keep([1], 0)
        await asyncio.sleep(0.2)
        with pytest.raises(SlotError):
            await slots.score(5, np.zeros((1, 1)), 5)
        return set(slots.states)

    assert with_slots(work, 1, 5) == {1}


def test_when_the_worker_is_gone_so_are_nursery_and_slots() -> None:
    pid, line = Nursery(use_case=world.use_case(), places=cast(Settings, None), load=load).fork()

    async def run() -> list[int]:
        slots = Slots(Line(line, lambda: None), lambda _: True)
        slots.keep([1, 2], 0)
        assert await slots.wait(1, 10) and await slots.wait(2, 10)
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    children = asyncio.run(run())
    line.close()
    os.waitpid(pid, 0)

    assert len(children) == 2
    world.until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
