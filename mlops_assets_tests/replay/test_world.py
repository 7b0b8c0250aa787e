"""A world goes back to its checkpoint, whole, whenever it was killed; and nobody else's folder is touched."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.declare import DataError
from mlops_assets.replay.world import MARK, World
from mlops_assets.stores import snapshots
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.crashpoints import SNAPSHOT_POINTS
from mlops_assets.stores.fsck import fsck
from mlops_assets_tests.replay.worlds import REQUEST, live, seen, turns

KILLED = -9
TAKING = SNAPSHOT_POINTS[:-1]
Play = Callable[..., int]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World.fresh(tmp_path / "played", REQUEST)
    live(made, 1)
    return made


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Orders a checkpoint or a restore in a process of its own; answers with its exit status."""
    program = (sys.executable, "-m", "mlops_assets_tests.replay.worlds")
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        told, heard = process.stdin, process.stdout

        def order(world: World, what: str, **how: Any) -> int:
            told.write(json.dumps({"folder": str(world.folder), "what": what, **how}) + "\n")
            told.flush()
            return int(heard.readline())

        yield order
        told.close()


def beside(world: World) -> set[str]:
    """What lies beside a world."""
    return {path.name for path in world.folder.parent.iterdir()} - {world.folder.name}


# --- back to what it was


def test_a_world_goes_back_to_its_checkpoint_exactly(world: World) -> None:
    world.checkpoint({"week": "2013-03-04"})
    before, objects = seen(world), len(list((world.folder / "store/objects").rglob("*.*")))
    for turn in (2, 3):
        live(world, turn)
    assert seen(world) != before

    assert world.restore() == {"week": "2013-03-04"}
    assert seen(world) == before
    assert turns(world) == [1]
    assert len(list((world.folder / "store/objects").rglob("*.*"))) > objects  # they are named by their content
    assert fsck(AssetStore(world.places.store)).is_sound


def test_a_world_goes_back_to_the_last_of_its_checkpoints_again_and_again(world: World) -> None:
    world.checkpoint(1)
    live(world, 2)
    world.checkpoint(2)
    before = seen(world)
    for turn in (3, 4):
        live(world, turn)
        assert world.restore() == 2
        assert seen(world) == before
    assert beside(world) == {"played.checkpoint"}


def test_a_world_without_a_checkpoint_becomes_empty(world: World) -> None:
    assert world.restore() is None

    assert {path.name for path in world.folder.iterdir()} == {MARK, "dagster", "store"}
    assert (world.folder / "dagster" / "dagster.yaml").is_file()
    assert AssetStore(world.places.store).refs.assets() == []
    world.fits(REQUEST)


def test_what_a_killed_writer_left_in_a_log_is_part_of_the_checkpoint(world: World) -> None:
    file, stored = world.folder / "records/records.db", world.folder.parent / "aside"
    with closing(sqlite3.connect(file)) as database:
        database.execute("INSERT INTO told VALUES (2)")
        database.commit()
        shutil.copytree(file.parent, stored)
    shutil.rmtree(file.parent)
    stored.rename(file.parent)  # the database and its log as a kill leaves them
    assert file.with_name("records.db-wal").stat().st_size

    world.checkpoint(None)
    world.restore()
    assert turns(world) == [1, 2]


def test_a_database_that_stays_in_use_is_not_copied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_PATIENCE_S", 0.2)
    world.checkpoint(1)
    with closing(sqlite3.connect(world.folder / "records/records.db", isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("SELECT * FROM told").fetchall()
        with closing(sqlite3.connect(world.folder / "records/records.db")) as other:
            other.execute("INSERT INTO told VALUES (2)")
            other.commit()
            with pytest.raises(DataError, match=r"records\.db cannot be copied.*close whatever has it open"):
                world.checkpoint(2)
    assert world.restore() == 1


def test_a_change_in_the_world_never_reaches_the_checkpoint(world: World) -> None:
    world.checkpoint(1)
    before = seen(world)
    for path in world.folder.rglob("*"):
        if path.is_file() and "store" not in path.parts and path.name != MARK:
            with path.open("r+b") as file:  # in place
                file.write(b"!")
    world.restore()

    assert seen(world) == before


# --- killed


@pytest.mark.parametrize("point", TAKING)
def test_killed_in_a_checkpoint_the_old_one_or_the_new_one_is_there(world: World, play: Play, point: str) -> None:
    world.checkpoint({"turn": 1})
    states = {1: seen(world)}
    live(world, 2)
    states[2] = seen(world)

    assert play(world, "checkpoint", turn=2, crash_at=point) == KILLED
    live(world, 3)
    there = 1 if TAKING.index(point) < TAKING.index("snapshot.kept") else 2
    assert world.restore() == {"turn": there}
    assert seen(world) == states[there]
    world.checkpoint({"turn": 4})
    assert world.restore() == {"turn": 4} and beside(world) == {"played.checkpoint"}


def test_killed_at_any_file_of_a_checkpoint_the_old_one_is_there(world: World, play: Play) -> None:
    world.checkpoint({"turn": 1})
    before, file = seen(world), 1
    while play(world, "checkpoint", turn=2, crash_at=f"snapshot.copied:{file}") == KILLED:
        live(world, 2)
        assert world.restore() == {"turn": 1}
        assert seen(world) == before
        file += 1

    assert file > 10
    assert world.restore() == {"turn": 2}


@pytest.mark.parametrize("point", ["snapshot.removed:1", "snapshot.removed:4", "snapshot.emptied:1",
                                   "snapshot.copied:1", "snapshot.copied:9"])  # fmt: skip
def test_killed_while_it_goes_back_it_goes_back_the_next_time(world: World, play: Play, point: str) -> None:
    world.checkpoint(1)
    before = seen(world)
    live(world, 2)

    assert play(world, "restore", crash_at=point) == KILLED
    assert world.restore() == 1
    assert seen(world) == before


# --- whose it is


@pytest.mark.parametrize("found", ["a file in it", "a folder in it", "a file"])
@pytest.mark.parametrize("act", ["fresh", "restore", "checkpoint", "discard"])
def test_a_folder_that_is_no_world_is_never_touched(tmp_path: Path, act: str, found: str) -> None:
    folder = tmp_path / "mine"
    if found == "a file":
        folder.write_text("dear")
    else:
        folder.mkdir()
        (folder / "thesis").write_text("dear") if found == "a file in it" else (folder / "photos").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        World.fresh(folder, REQUEST) if act == "fresh" else getattr(World(folder), act)(*[1] * (act == "checkpoint"))

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("act", ["checkpoint", "restore", "discard"])
def test_a_folder_beside_it_that_is_not_its_checkpoint_is_never_touched(world: World, act: str) -> None:
    mine = world.folder.with_name("played.checkpoint.part")
    mine.mkdir()
    (mine / "thesis").write_text("dear")
    with pytest.raises(DataError, match="is not ours"):
        getattr(world, act)(*[1] * (act == "checkpoint"))

    assert (mine / "thesis").read_text() == "dear"
    assert turns(world) == [1]


@pytest.mark.parametrize("act", ["checkpoint", "restore", "discard"])
def test_a_link_that_stands_for_its_checkpoint_is_not_followed(world: World, act: str, tmp_path: Path) -> None:
    other = World.fresh(tmp_path / "other" / "played", REQUEST)
    live(other, 1)
    before = seen(other)
    world.folder.with_name("played.checkpoint.part").symlink_to(other.folder)
    with pytest.raises(DataError, match="is not ours"):
        getattr(world, act)(*[1] * (act == "checkpoint"))

    assert seen(other) == before and turns(world) == [1]


def test_links_are_kept_as_links_and_not_followed(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "dear.txt").write_text("dear")
    (world.folder / "link").symlink_to(outside)
    (world.folder / "file").symlink_to(outside / "dear.txt")
    world.checkpoint(1)
    assert (tmp_path / "played.checkpoint/files/link").is_symlink()
    world.restore()
    assert (world.folder / "link").readlink() == outside
    world.discard()

    assert (outside / "dear.txt").read_text() == "dear"
    assert beside(world) == {"outside"} and not world.folder.exists()


def test_a_world_knows_what_it_is_a_replay_of(world: World) -> None:
    world.fits(dict(reversed(REQUEST.items())))

    with pytest.raises(DataError) as refused:
        world.fits({**REQUEST, "seed": 8, "sabotage": [["2013-06-03", "wrong_model"]]})
    assert "sabotage is [], asked is [['2013-06-03', 'wrong_model']]; seed is 7, asked is 8" in str(refused.value)
    assert "--anew" in str(refused.value) and "--out" in str(refused.value)


def test_a_mark_that_cannot_be_read_fits_nothing(world: World) -> None:
    (world.folder / MARK).write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        world.fits(REQUEST)


def test_a_fresh_world_has_the_shipped_instance_and_nothing_of_one_before(world: World) -> None:
    world.checkpoint(1)
    with pytest.raises(DataError, match="already"):
        World.fresh(world.folder, REQUEST)
    shutil.rmtree(world.folder)

    again = World.fresh(world.folder, {**REQUEST, "seed": 8})
    assert again.restore() is None
    assert again.places.dagster_home == again.folder / "dagster"
    assert again.places.root == Path(__file__).parents[2]


def test_one_process_at_a_time_has_a_world(world: World) -> None:
    ask = f"from mlops_assets.replay.world import World\nwith World({str(world.folder)!r}).held(): print('had')"
    other = [sys.executable, "-c", ask]
    with world.held():
        refused = subprocess.run(other, capture_output=True, text=True, check=False)
        with pytest.raises(DataError), world.held():
            pass
    assert str(os.getpid()) in refused.stderr and "run again when it has ended" in refused.stderr

    assert subprocess.run(other, capture_output=True, text=True, check=True).stdout == "had\n"


def test_a_world_borrows_from_its_lender(tmp_path: Path) -> None:
    places = World.fresh(tmp_path / "own", REQUEST, lender=str(tmp_path / "lender")).places

    assert places.lender == str(tmp_path / "lender")
    assert places.store == str(tmp_path / "own" / "store")
