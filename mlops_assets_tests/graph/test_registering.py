"""Who leads and who is nominated after which registrations: entry and ledger say one thing."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.declare import UseCase
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import NOMINATED
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.lived import NAME, WEEK
from mlops_assets_tests.graph.world import World, reason


def with_seed(use_case: UseCase, seed: int) -> UseCase:
    return replace(use_case, model=replace(use_case.model, seed=seed))


def with_margin(use_case: UseCase, margin: float) -> UseCase:
    return replace(use_case, promotion=replace(use_case.promotion, margin=margin))


def entry(world: World) -> dict[str, Any]:
    return world.store.load(f"{NAME}/registry_entry", WEEK).records["entry"]


def nominated(world: World) -> list[str]:
    """Who was nominated, by the ledger, oldest first; the newest entry's candidate is, unless it falls short."""
    with Records(world.places.records) as records:
        told = [e.subject for e in records.ledger.entries(NAME) if e.kind == NOMINATED]
    found = entry(world)
    if found["judgement"]["verdict"] != "FAIL":
        assert told[-1:] == [found["candidate"]]
    return told


def leader(world: World) -> int | None:
    """Who leads, by the entry."""
    nominated(world)
    found = entry(world)["leader"]
    return found["version"] if found else None


def train(world: World, use_case: UseCase) -> None:
    assert reason(world.declaring(use_case).run("train", WEEK)) == ""


def test_a_week_trained_again_must_beat_the_leader_it_had_made(world: World) -> None:
    always = with_margin(world.use_case, 0.0)
    before = leader(world)
    train(world, with_seed(always, 8))
    after = entry(world)

    if after["judgement"]["verdict"] != "PASS":
        assert leader(world) == before
    if before is not None and after["leader"]["partition"] == WEEK:
        assert after["against"] == f"{NAME}@{before}"


@pytest.mark.parametrize("seeds", [(8,), (8, 9)])
def test_entry_and_ledger_nominate_one_model_when_a_change_is_taken_back(world: World, seeds: tuple[int, ...]) -> None:
    first = entry(world)["candidate_digest"]
    for seed in seeds:
        train(world, with_seed(world.use_case, seed))
        nominated(world)
    train(world, world.use_case)

    assert entry(world)["candidate_digest"] == first
    nominated(world)
    before = lived.ledger(world)
    train(world, world.use_case)
    assert lived.ledger(world) == before


def test_two_trainings_of_one_week_at_once_are_one_version(world: World) -> None:
    before = len(lived.versions(world))
    code = "from mlops_assets_tests.graph.registering import train; train({!r}, {!r}, {!r})"
    given = (str(world.folder), world.places.artifacts, 8)
    children = [subprocess.Popen([sys.executable, "-c", code.format(*given)]) for _ in range(2)]

    assert [child.wait(timeout=240) for child in children] == [0, 0]
    assert len(lived.versions(world)) == before + 1
    nominated(world)
