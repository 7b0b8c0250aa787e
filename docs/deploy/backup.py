"""Copy a data folder while everything runs: `python docs/deploy/backup.py data backups/2013-03-11`.

SQLite files by SQLite's own backup, the rest file by file. The order makes the copy whole although the original goes
on: what refers to something is copied before what it refers to, so whatever the copy names is in the copy. Immutable
objects that are the same in a former copy (third argument) are linked, not copied. A copy has its name when it is
whole: one that was cut short is called `<name>.part`.
"""

import filecmp
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

ORDER = (
    "replay.json",  # of a replay's world
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
    """Copy everything below `data` that is not made anew by itself; the number of files.

    Raises ValueError for folders that cannot be right: `data` without a store, `to` that exists, one in the other.
    """
    _check(data, to, former)
    part, copied = to.with_name(f"{to.name}.part"), set()
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for pattern in ORDER:
        for path in sorted(filter(Path.is_file, data.glob(pattern))):
            _copy(path, part / path.relative_to(data), former and former / path.relative_to(data))
            copied.add(path)
    part.rename(to)
    return len(copied)


def _check(data: Path, to: Path, former: Path | None) -> None:
    if not (data / "store" / "refs").is_dir():
        raise ValueError(f"{data} holds no store: name the data folder, which MLOPS_DATA names.")
    if to.exists():
        raise ValueError(f"{to} is there already: name a new folder.")
    if to.resolve().is_relative_to(data.resolve()) or (former and former.resolve() == data.resolve()):
        raise ValueError(f"{to} and {former} must lie outside of {data}: a copy shares nothing with what it is of.")
    if former and not (former / "store").is_dir():
        raise ValueError(f"{former} is no former copy: leave it out, or name one.")


def _copy(path: Path, copy: Path, former: Path | None) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".db":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as live, closing(sqlite3.connect(copy)) as into:
            live.backup(into)
    elif former and "objects" in path.parts and former.is_file() and filecmp.cmp(path, former, shallow=False):
        os.link(former, copy)
    else:
        shutil.copy2(path, copy)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("backup.py DATA TO [FORMER]: the data folder, a new folder for its copy, a former copy to link to.")
    try:
        sys.stdout.write(f"{backup(*map(Path, sys.argv[1:]))} files\n")
    except (ValueError, OSError) as refused:
        sys.exit(f"refused: {refused}")
