"""Copy a data folder while everything runs: `python docs/deploy/backup.py data backups/2013-03-11`.

SQLite files by SQLite's own backup, the rest file by file. The order makes the copy whole although the original goes
on: what refers to something is copied before what it refers to, so whatever the copy names is in the copy. Immutable
objects that are in a former copy (third argument) are linked, not copied.
"""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

ORDER = (
    "records/records.db.head",  # never leads its database
    "records/*.db",  # the ledger follows the rollouts: what it tells is there
    "serving/*.db",
    "serving/*.token",
    "mlflow/mlflow.db",
    "mlflow/artifacts/**/*",
    "dagster/dagster.yaml",
    "dagster/**/*.db",
    "online/*.db",
    "store/refs/**/*",
    "store/objects/**/*",  # written before the ref that names them
    "landing/**/*",
    "online/*.journal.db",  # once more: the store has events of it by now, and the online store catches up from it
)


def backup(data: Path, to: Path, former: Path | None = None) -> int:
    """Copy everything below `data` that is not made anew by itself; the number of files. `to` must not exist."""
    to.mkdir(parents=True)
    copied = set()
    for pattern in ORDER:
        for path in sorted(filter(Path.is_file, data.glob(pattern))):
            _copy(path, data, to, former)
            copied.add(path)
    return len(copied)


def _copy(path: Path, data: Path, to: Path, former: Path | None) -> None:
    copy = to / path.relative_to(data)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".db":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as live, closing(sqlite3.connect(copy)) as into:
            live.backup(into)
    elif former and path.is_relative_to(data / "store" / "objects") and (former / copy.relative_to(to)).is_file():
        os.link(former / copy.relative_to(to), copy)
    else:
        shutil.copy2(path, copy)


if __name__ == "__main__":
    sys.stdout.write(f"{backup(*map(Path, sys.argv[1:]))} files\n")
