"""Store and records copied aside: whatever is broken there is not broken here.

Here belongs what a registered model needs to be made, judged and served somewhere else. Files of the store are never
written in place, so they are hard links where the disk has them.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.settings import Settings


def copied(places: Settings, to: Settings) -> None:
    """Copy store and records of `places` to the empty places `to`, while others write.

    What refers to something is copied before it: the head of the ledger, the records, refs, objects. Raises DataError
    for a store that is no local folder, or when there is no room.
    """
    if "://" in places.store:
        raise DataError(f"store {places.store} is no local folder: only such a one is copied.")
    records, aside = Database(places.records).path, Database(to.records).path
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        head = records.with_name(f"{records.name}.head")
        if head.exists():
            shutil.copyfile(head, aside.with_name(f"{aside.name}.head"))
        with (
            closing(sqlite3.connect(f"file:{records}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(aside)) as new,
        ):
            live.backup(new)
        for part in ("refs", "objects"):
            shutil.copytree(Path(places.store) / part, Path(to.store) / part, copy_function=_linked)
    except (OSError, sqlite3.Error, shutil.Error) as failed:
        raise DataError(f"{places.store} and {records} could not be copied aside: {failed}.") from failed


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
    return target
