"""A folder copied aside as it is, and put back: the last whole copy is there whenever anybody is killed.

Here belongs how the files of a folder are copied and replaced; it knows nothing of what they are. Of `<folder>` the
copy is `<folder>.checkpoint`; it is built as `<folder>.checkpoint.part`, and the one before it stands aside as
`<folder>.checkpoint.old` for as long as both are renamed. A folder is emptied or removed only if it bears the mark
(a file of that name), which goes last; symbolic links are copied as links, nothing behind them is touched.
"""

import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.crashpoints import reach

_PATIENCE_S = 30.0  # for somebody who reads a database that is to be copied
_NOTE, _FILES = "state.json", "files"


class Snapshot:
    """The copy of a folder that bears `mark`.

    Of the paths in it (relative, with `/`) those in `left` are neither copied nor put back, and files below `linked`
    are never written in place: they are hard links.
    """

    def __init__(self, folder: Path, mark: str, *, left: Collection[str], linked: Collection[str]) -> None:
        self.folder, self._mark = folder, mark
        self._left, self._linked = {mark, *left}, tuple(f"{name}/" for name in linked)
        self._kept = folder.with_name(f"{folder.name}.checkpoint")
        self._part = folder.with_name(f"{folder.name}.checkpoint.part")
        self._old = folder.with_name(f"{folder.name}.checkpoint.old")

    def mark(self, told: bytes) -> None:
        """Make the folder, unless it is there, and put the mark on it, whole or not at all. Raises `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _put(self.folder, self._mark, told)

    def is_marked(self) -> bool:
        """False for a folder that is not there or empty. Raises DataError for one that holds files and no mark."""
        return _is_marked(self.folder, self._mark)

    def take(self, note: bytes) -> None:
        """Copy the folder and `note` aside, in place of the last copy. No database in it may be open.

        Raises DataError for a folder without the mark and for a database in use, `OSError` when there is no room.
        """
        self._tidy()
        for log in list(_logs(self.folder, self._left)):
            _fold(log)
        self._part.mkdir(0o700)
        _put(self._part, self._mark, (self.folder / self._mark).read_bytes())
        self._copy(self.folder, self._part / _FILES)
        (self._part / _NOTE).write_bytes(note)
        reach("snapshot.whole")
        if self._kept.exists():
            self._kept.rename(self._old)
            reach("snapshot.aside")
        self._part.rename(self._kept)
        reach("snapshot.kept")
        self._remove(self._old)

    def put_back(self) -> bytes | None:
        """Make the folder what it was when the last copy was taken, and return its note.

        Where there is no copy the folder is emptied, and None returned. Raises DataError for a folder without the mark,
        and for the copy of another folder.
        """
        self._tidy()
        kept = _is_marked(self._kept, self._mark)
        if kept and (self._kept / self._mark).read_bytes() != (self.folder / self._mark).read_bytes():
            raise DataError(f"{self._kept} is the copy of another folder than {self.folder}: move it away.")
        _empty(self.folder, self._left)
        reach("snapshot.emptied")
        if not kept:
            return None
        self._copy(self._kept / _FILES, self.folder)
        return (self._kept / _NOTE).read_bytes()

    def discard(self) -> None:
        """Remove the folder and its copies. Raises DataError, and removes nothing more, at one without the mark."""
        for folder in (self._part, self._old, self._kept, self.folder):
            self._remove(folder)

    def _tidy(self) -> None:
        """Finish what a killed process began: the copy is the new one, or the one before it."""
        if not self.is_marked():
            raise DataError(f"{self.folder} has no {self._mark}: it is no folder to be copied or put back.")
        if not self._kept.exists() and _is_marked(self._old, self._mark):
            self._old.rename(self._kept)
        self._remove(self._old)
        self._remove(self._part)

    def _remove(self, folder: Path) -> None:
        if _is_marked(folder, self._mark):
            _empty(folder, {self._mark})
            (folder / self._mark).unlink()
        if folder.exists():
            folder.rmdir()

    def _copy(self, source: Path, target: Path, below: str = "") -> None:
        target.mkdir(exist_ok=True)
        for entry in sorted(source.iterdir()):
            path, to = f"{below}{entry.name}", target / entry.name
            if path in self._left:
                continue
            if entry.is_symlink():
                to.symlink_to(entry.readlink())
            elif entry.is_dir():
                self._copy(entry, to, f"{path}/")
            elif path.startswith(self._linked):
                to.hardlink_to(entry)
            elif entry.is_file():  # a socket or a pipe holds nothing
                shutil.copy2(entry, to)
            reach("snapshot.copied")


def _is_marked(folder: Path, mark: str) -> bool:
    if not folder.is_symlink() and (folder / mark).is_file():
        return True
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise DataError(f"{folder} is not ours, it has no {mark}: name another place, or move it away.")
    return False


def _put(folder: Path, mark: str, told: bytes) -> None:
    """By a rename from outside, so that a folder that holds anything bears a whole mark."""
    aside = folder.with_name(f".{folder.name}.{mark}.tmp")
    aside.write_bytes(told)
    aside.rename(folder / mark)


def _empty(folder: Path, left: Collection[str], below: str = "") -> None:
    """Remove all that a folder holds but the paths `left`."""
    for entry in sorted(folder.iterdir()):
        path = f"{below}{entry.name}"
        if path in left:
            continue
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink()
        elif any(one.startswith(f"{path}/") for one in left):
            _empty(entry, left, f"{path}/")
        else:
            shutil.rmtree(entry)
        reach("snapshot.removed")


def _logs(folder: Path, left: Collection[str], below: str = "") -> Iterator[Path]:
    """The write-ahead logs of SQLite at any depth that hold anything."""
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() or f"{below}{entry.name}" in left:
            continue
        if entry.is_dir():
            yield from _logs(entry, left, f"{below}{entry.name}/")
        elif entry.name.endswith("-wal") and entry.stat().st_size:
            yield entry


def _fold(log: Path) -> None:
    """Bring what a killed process left in a log into its database. Raises DataError when that is in use."""
    file = log.with_name(log.name.removesuffix("-wal"))
    if not file.is_file():
        return
    try:
        with closing(sqlite3.connect(file, timeout=_PATIENCE_S)) as database:
            (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.DatabaseError as refused:
        raise DataError(f"{file} cannot be copied ({refused}): close whatever has it open.") from refused
    if busy:
        raise DataError(f"{file} cannot be copied, it is in use: close whatever has it open.")
