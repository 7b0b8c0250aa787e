"""A store that is given a lender takes from there what is known, and does anew what the lender cannot give."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.graph.actions import ANEW
from mlops_assets.stores.fsck import fsck
from mlops_assets.stores.objects import object_path
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.lived import NAME, copied, watch
from mlops_assets_tests.graph.world import WEEKS, World, land, opened, reason

TRAINED = WEEKS[2]
# what does something in the tracker and the records too is done in every world; what tells its instants differs
OWN, OF_ITS_TIME = {"registry_entry"}, "rollout"
Work = list[str]


@pytest.fixture
def lender(built: Path, tmp_path: Path) -> Iterator[World]:
    """A world in which four weeks have lived."""
    with copied(built, tmp_path / "lender") as made:
        yield made


@pytest.fixture
def world(lender: World, tmp_path: Path) -> Iterator[World]:
    """A world in which nothing has run, whose weeks have landed and to which the other one lends."""
    land(tmp_path / "own")
    with opened(tmp_path / "own", lender=lender.places.store) as made:
        yield made


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """The artifacts that were made anew."""
    done: Work = []
    watch(monkeypatch.setattr, done.append)
    return done


def live(world: World, *later: str) -> None:
    """The trained week, those before it, and `later` ones, as they were lived by the lender."""
    for week in WEEKS[:2]:
        assert reason(world.run("data", week)) == ""
    for week in (TRAINED, *later):
        assert reason(world.run("lifecycle", week)) == ""


def damage(lender: World, artifact: str, part: str) -> None:
    """Flip a bit of a part of the trained week's artifact."""
    asset = f"{NAME}/{artifact}"
    partition = next(p for p in lender.store.refs.partitions(asset) if p.startswith(TRAINED))
    stored = lender.store.require(asset, partition).parts[part]
    path = Path(lender.places.store) / object_path(stored.address, stored.suffix)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lasting(world: World) -> dict[str, str]:
    return {at: version for at, version in world.versions().items() if OF_ITS_TIME not in at}


def test_a_life_that_was_lived_elsewhere_is_no_work(world: World, lender: World, work: Work) -> None:
    before = lived.files(lender.places.store)

    live(world, WEEKS[3])

    assert set(work) == OWN
    assert lasting(world) == lasting(lender)
    assert not fsck(world.store).findings
    assert lived.files(lender.places.store) == before

    work.clear()
    with opened(world.folder, lender=str(world.folder / "gone")) as alone:
        assert reason(alone.run("data", TRAINED)) == reason(alone.run("train", TRAINED)) == ""
    assert work == []


def test_what_is_lent_says_who_made_it_and_who_lent_it(world: World, lender: World) -> None:
    result = world.run("data", WEEKS[0])

    shown = {
        event.asset_key.path[-1]: event.step_materialization_data.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }
    for artifact in ("raw_data", "validated_dataset", "feature_table"):
        ref, told = lender.store.require(f"{NAME}/{artifact}", WEEKS[0]), shown[artifact]
        assert told["reused"].value is True
        assert told["lent by"].value == lender.places.store
        assert (told["made by run"].value, told["made at"].value) == (ref.run, ref.created_at)
        assert (told["action key"].value, told["commit"].value) == (ref.action_key, ref.code["commit"])


def test_what_is_damaged_at_the_lender_is_made_anew_and_nothing_else(world: World, lender: World, work: Work) -> None:
    damaged = {"raw_data": "flights", "trial": "trial", "trained_model": "model"}
    for artifact, part in damaged.items():
        damage(lender, artifact, part)
    before = lived.files(lender.places.store)

    live(world)

    assert {made.partition(".")[0] for made in work} == OWN | set(damaged)
    own = lasting(world)
    assert {at: version for at, version in lasting(lender).items() if at in own} == own
    assert not fsck(world.store).findings
    assert lived.files(lender.places.store) == before


def test_a_run_that_is_told_to_work_anew_borrows_nothing(world: World, work: Work) -> None:
    assert reason(world.run("data", WEEKS[0], tags={ANEW: "true"})) == ""

    assert {"raw_data", "validated_dataset", "feature_table"} <= set(work)
