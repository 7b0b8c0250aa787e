"""A little world of a replay with a database, refs and objects; and a process that plays in it and can be killed.

Run as a program it carries out orders (`forking.py`): a `checkpoint` of a turn, or to `restore`.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from mlops_assets.replay.world import World
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.forking import Order, serve
from mlops_assets_tests.stores.publishing import publish

REQUEST = {"use_case": "flight_delays", "seed": 7, "sabotage": []}


def live(world: World, turn: int) -> None:
    """All that a week may leave: a row of a database, a publication, a file that is new, changed, removed, linked."""
    publish(AssetStore(world.places.store), turn)
    (world.folder / "records").mkdir(exist_ok=True)
    with closing(sqlite3.connect(world.folder / "records" / "records.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE IF NOT EXISTS told(turn INTEGER)")
        database.execute("INSERT INTO told VALUES (?)", (turn,))
        database.commit()
    landing = world.folder / "landing" / "flight_delays"
    landing.mkdir(parents=True, exist_ok=True)
    (landing / f"{turn}.csv").write_text(f"turn {turn}")
    (landing / "newest.csv").write_text(f"turn {turn}")
    os.utime(landing / f"{turn}.csv", ns=(turn, turn))
    (landing / f"{turn - 1}.csv").unlink(missing_ok=True)
    (world.folder / f"empty{turn}").mkdir()


def seen(world: World) -> dict[str, tuple[bytes, int, int]]:
    """Path -> bytes, file time and mode of every file of a world; and its folders. Objects of the store stay out."""
    found = {}
    for path in sorted(world.folder.rglob("*")):
        name = path.relative_to(world.folder).as_posix()
        if name.startswith("store/objects/"):
            continue
        told = path.lstat()
        file = path.is_file() and not path.is_symlink()
        found[name] = (path.read_bytes(), told.st_mtime_ns, told.st_mode) if file else (b"", 0, 0)
    return found


def turns(world: World) -> list[int]:
    """What the database of a world tells."""
    with closing(sqlite3.connect(world.folder / "records" / "records.db")) as database:
        return [turn for (turn,) in database.execute("SELECT turn FROM told ORDER BY turn")]


def _ordered(order: Order) -> None:
    world = World(Path(order["folder"]))
    if order["what"] == "restore":
        world.restore()
    else:
        world.checkpoint({"turn": order["turn"]})


if __name__ == "__main__":
    serve(_ordered)
