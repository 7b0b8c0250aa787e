"""A root directory of this machine, with writes that are whole or absent.

Here belongs how bytes reach a local disk. It knows nothing of objects, refs, versions. Paths are relative, with `/`.

A write is: temporary file in the same directory, write, fsync, rename (or link, which refuses to replace), fsync of the
directory. Whoever is killed on the way leaves at most a temporary file, which no reader looks at.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops_assets.stores.crashpoints import reach

TEMPORARY = ".tmp"


class LocalPlace:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `OSError` (`FileNotFoundError`) as the system does."""
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes, point: str) -> None:
        """Put a file in place whole, replacing what is there. `point` names its crash points. Raises `OSError`."""
        target = self.root / path
        with explained(path, len(data), self):
            with _Temporary(target, data, point) as temporary:
                temporary.replace(target)
                reach(f"{point}.renamed")
            _sync(target.parent)
        reach(f"{point}.kept")

    def create(self, path: str, data: bytes, point: str) -> bool:
        """Put a new file in place whole; False, and nothing done, when one is there. Raises `OSError`."""
        target = self.root / path
        with explained(path, len(data), self):
            with _Temporary(target, data, point) as temporary:
                try:
                    os.link(temporary, target)  # atomic, and unlike a rename it never replaces
                except FileExistsError:
                    return False
                reach(f"{point}.linked")
            _sync(target.parent)
        reach(f"{point}.kept")
        return True

    def link(self, source: Path, path: str) -> None:
        """Put another file's bytes in place as a hard link, replacing what is there. Raises `OSError`: none is made.

        It is for files that are never written in place.
        """
        target = self.root / path
        _make(target.parent)
        temporary = _beside(target)
        os.link(source, temporary)
        try:
            temporary.replace(target)
        finally:
            with suppress(OSError):  # a link onto another of the same file stays where it was
                temporary.unlink()

    def keep(self, path: str) -> None:
        """Make sure that a file which is in place stays there through a loss of power."""
        _sync((self.root / path).parent)

    def move(self, path: str, to: str) -> None:
        """Rename a file inside the root."""
        target = self.root / to
        _make(target.parent)
        (self.root / path).replace(target)
        _sync(target.parent)
        _sync((self.root / path).parent)

    def discard(self, folder: str, point: str) -> None:
        """Remove a folder and all it holds, if it is there. Whoever is killed on the way leaves some of it."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / folder)
        reach(f"{point}.discarded")

    def names(self, folder: str) -> list[str]:
        """What a folder holds, sorted; empty when there is no such folder."""
        try:
            return sorted(found.name for found in (self.root / folder).iterdir())
        except FileNotFoundError:
            return []

    def stamp(self, path: str) -> tuple[str, float] | None:
        """What changes whenever a file is written, and when it was last, s since 1970; None when there is none.

        It is the size and the time to the nanosecond, so that a copy that keeps its time is told to be the same.
        """
        try:
            found = (self.root / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return f"{found.st_size} {found.st_mtime_ns}", found.st_mtime

    def is_folder(self) -> bool:
        """True when the root is there and a folder."""
        return self.root.is_dir()

    def is_link(self, path: str) -> bool:
        """True for a symbolic link, whatever it leads to."""
        return (self.root / path).is_symlink()

    def files(self, folder: str) -> Iterator[str]:
        """Every file at any depth under a folder, as paths from the root, in sorted order of the folders.

        A symbolic link to a folder counts as a file: nothing behind it is listed.
        """
        for here, folders, names in self._walk(folder):
            links = [name for name in folders if (here / name).is_symlink()]
            yield from ((here / name).relative_to(self.root).as_posix() for name in sorted([*names, *links]))

    def folders(self, folder: str) -> Iterator[str]:
        """Every folder at any depth under a folder, empty ones too, as paths from the root."""
        for here, folders, _ in self._walk(folder):
            real = (here / name for name in folders if not (here / name).is_symlink())
            yield from (path.relative_to(self.root).as_posix() for path in real)

    def _walk(self, folder: str) -> Iterator[tuple[Path, list[str], list[str]]]:
        def fail(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # no folder yet: no files; anything else is not "no files"
                raise error

        for here, folders, names in os.walk(self.root / folder, onerror=fail):
            folders.sort()
            yield Path(here), folders, names


class _Temporary:
    """`with` it: a complete, fsynced temporary file beside its target, gone afterwards whatever happens."""

    def __init__(self, target: Path, data: bytes, point: str) -> None:
        self._data, self._point = data, point
        self._file = _beside(target)

    def __enter__(self) -> Path:
        _make(self._file.parent)
        try:
            self._fill()
        except OSError:
            self.__exit__()
            raise
        return self._file

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.unlink()

    def _fill(self) -> None:
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            reach(f"{self._point}.temp")
            half = len(self._data) // 2
            _write(handle, memoryview(self._data)[:half])
            reach(f"{self._point}.write")
            _write(handle, memoryview(self._data)[half:])
            reach(f"{self._point}.written")
            os.fsync(handle)
        finally:
            os.close(handle)
        reach(f"{self._point}.synced")


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}"


@contextmanager
def explained(path: str, size: int, root: object) -> Iterator[None]:
    """Give an `OSError` of a write its full sentence; number and class stay."""
    try:
        yield
    except OSError as failed:
        message = (
            f"could not write {path} ({size} bytes) in {root}: {failed.strerror or failed}; no half of it is visible "
            "and what was published before is untouched: make the place writable or free space, then run again"
        )
        raise (OSError(failed.errno, message) if failed.errno is not None else OSError(message)) from failed


def _write(handle: int, data: memoryview) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _make(folder: Path) -> None:
    """Create a directory and those above it, each kept on disk by an fsync of its parent."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a directory to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
