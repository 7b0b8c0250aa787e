"""Who is champion after which registrations: entry and ledger say one thing, and none falls without being beaten."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.declare import UseCase
from mlops_assets.stores.records import Records
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.lived import NAME, WEEK
from mlops_assets_tests.graph.world import World, reason


def with_seed(use_case: UseCase, seed: int) -> UseCase:
    return replace(use_case, model=replace(use_case.model, seed=seed))


def with_margin(use_case: UseCase, margin: float) -> UseCase:
    return replace(use_case, promotion=replace(use_case.promotion, margin=margin))


def entry(world: World) -> dict[str, Any]:
    return world.store.load(f"{NAME}/registry_entry", WEEK).records["entry"]


def champion(world: World) -> int | None:
    """Who is champion by the ledger; the entry must say the same, and who waits by it must wait."""
    with Records(world.places.records) as records:
        decided = records.aliases(NAME)
    found = entry(world)
    assert (found["champion"]["version"] if found["champion"] else None) == decided.get("champion")
    if found["judgement"]["verdict"] == "INCONCLUSIVE":
        assert found["candidate"] == f"{NAME}@{decided['challenger']}"
    return decided.get("champion")


def train(world: World, use_case: UseCase) -> None:
    assert reason(world.declaring(use_case).run("train", WEEK)) == ""


def test_a_week_trained_again_must_beat_the_champion_it_had_made(world: World) -> None:
    always = with_margin(world.use_case, 0.0)
    before = champion(world)
    train(world, with_seed(always, 8))
    after = entry(world)

    if after["judgement"]["verdict"] != "PASS":
        assert champion(world) == before
    if before is not None and after["champion"]["partition"] == WEEK:
        assert after["against"] == f"{NAME}@{before}"


@pytest.mark.parametrize("seeds", [(8,), (8, 9)])
def test_entry_and_ledger_name_one_champion_when_a_change_is_taken_back(world: World, seeds: tuple[int, ...]) -> None:
    first = entry(world)["candidate_digest"]
    for seed in seeds:
        train(world, with_seed(world.use_case, seed))
        champion(world)
    train(world, world.use_case)

    assert entry(world)["candidate_digest"] == first
    champion(world)
    before = lived.ledger(world)
    train(world, world.use_case)
    assert lived.ledger(world) == before


def test_an_alias_that_the_ledger_has_elsewhere_is_decided_again(world: World) -> None:
    named = entry(world)["champion"]["version"]
    with Records(world.places.records) as records:
        records.set_alias("champion", use_case=NAME, version=named + 1, at="2030-01-01T00:00:00Z", who="a test",
                          why="to have it elsewhere", once="elsewhere")  # fmt: skip
    train(world, world.use_case)

    assert champion(world) == named


def test_two_trainings_of_one_week_at_once_are_one_version(world: World) -> None:
    before = len(lived.versions(world))
    code = "from mlops_assets_tests.graph.registering import train; train({!r}, {!r}, {!r})"
    given = (str(world.folder), world.places.artifacts, 8)
    children = [subprocess.Popen([sys.executable, "-c", code.format(*given)]) for _ in range(2)]

    assert [child.wait(timeout=240) for child in children] == [0, 0]
    assert len(lived.versions(world)) == before + 1
    champion(world)
