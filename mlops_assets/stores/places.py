"""A root that holds files: a local directory or any fsspec filesystem, with writes that are whole or absent.

Here belongs how bytes reach a disk. It knows nothing of objects, refs, versions. Paths are relative, with `/`.

Locally a write is: temporary file in the same directory, write, fsync, rename (or link, which refuses to replace),
fsync of the directory. Elsewhere it is one put, which object stores make visible whole.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mlops_assets.stores.crashpoints import reach

TEMPORARY = ".tmp"


def place(url: str | os.PathLike[str]) -> "LocalPlace | RemotePlace":
    """The root behind a path or an fsspec URL (`data/store`, `memory://x`, `s3://bucket/x`). Nothing is created."""
    fs, root = fsspec.core.url_to_fs(os.fspath(url))
    return LocalPlace(Path(root)) if isinstance(fs, LocalFileSystem) else RemotePlace(fs, str(root))


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
        with self._whole(path, data, point) as temporary:
            temporary.replace(target)
            reach(f"{point}.renamed")
        _sync(target.parent)
        reach(f"{point}.kept")

    def create(self, path: str, data: bytes, point: str) -> bool:
        """Put a new file in place whole; False, and nothing done, when one is there. Raises `OSError`."""
        target = self.root / path
        with self._whole(path, data, point) as temporary:
            try:
                os.link(temporary, target)  # atomic, and unlike a rename it never replaces
            except FileExistsError:
                return False
            reach(f"{point}.linked")
        _sync(target.parent)
        reach(f"{point}.kept")
        return True

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

    def names(self, folder: str) -> list[str]:
        """What a folder holds, sorted; empty when there is no such folder."""
        try:
            return sorted(found.name for found in (self.root / folder).iterdir())
        except FileNotFoundError:
            return []

    def files(self, folder: str) -> Iterator[str]:
        """Every file at any depth under a folder, as paths from the root, in sorted order."""
        for here, folders, names in os.walk(self.root / folder):
            folders.sort()
            for name in sorted(names):
                yield (Path(here) / name).relative_to(self.root).as_posix()

    def _whole(self, path: str, data: bytes, point: str) -> "_Temporary":
        return _Temporary(self, path, data, point)


class _Temporary:
    """`with` it: a complete, fsynced temporary file beside its target, gone afterwards whatever happens."""

    def __init__(self, within: LocalPlace, path: str, data: bytes, point: str) -> None:
        self._within, self._path, self._data, self._point = within, path, data, point
        target = within.root / path
        self._file = target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}"

    def __enter__(self) -> Path:
        try:
            _make(self._file.parent)
            self._fill()
        except OSError as failed:
            self.__exit__()
            raise _explained(failed, self._path, len(self._data), str(self._within)) from failed
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


class RemotePlace:
    """A root in an fsspec filesystem whose single put is atomic (memory, S3, GCS)."""

    def __init__(self, fs: Any, root: str) -> None:
        self.fs, self.root = fs, root.rstrip("/")

    def __str__(self) -> str:
        return str(self.fs.unstrip_protocol(self.root))

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `FileNotFoundError`."""
        return bytes(self.fs.cat_file(f"{self.root}/{path}"))

    def write(self, path: str, data: bytes, point: str) -> None:
        """Put a file in place whole, replacing what is there."""
        try:
            self.fs.pipe_file(f"{self.root}/{path}", data)
        except OSError as failed:
            raise _explained(failed, path, len(data), str(self)) from failed
        reach(f"{point}.kept")

    def create(self, path: str, data: bytes, point: str) -> bool:
        """Put a new file in place; False when one is there. As exclusive as the filesystem's own `create` mode is."""
        try:
            if self.fs.exists(f"{self.root}/{path}"):
                return False
            self.fs.pipe_file(f"{self.root}/{path}", data, mode="create")
        except FileExistsError:
            return False
        except OSError as failed:
            raise _explained(failed, path, len(data), str(self)) from failed
        reach(f"{point}.kept")
        return True

    def keep(self, path: str) -> None:
        """Nothing to do: what a put made visible is on disk."""

    def move(self, path: str, to: str) -> None:
        """Rename a file inside the root."""
        self.fs.mv(f"{self.root}/{path}", f"{self.root}/{to}")

    def names(self, folder: str) -> list[str]:
        """What a folder holds, sorted; empty when there is no such folder."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(f"{self.root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)

    def files(self, folder: str) -> Iterator[str]:
        """Every file at any depth under a folder, as paths from the root, in sorted order."""
        self.fs.invalidate_cache()
        for name in sorted(self.fs.find(f"{self.root}/{folder}")):
            yield str(name).removeprefix(f"{self.root}/")


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


def _explained(failed: OSError, path: str, size: int, root: str) -> OSError:
    message = (
        f"could not write {path} ({size} bytes) in {root}: {failed.strerror or failed}; nothing of it is visible and "
        "what was published before is untouched: make the place writable or free space, then run again"
    )
    return OSError(failed.errno, message) if failed.errno is not None else OSError(message)
