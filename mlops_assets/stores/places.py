"""A root that holds files: a local directory or any fsspec filesystem.

Here belongs the choice between them, and the one that is not local, where a write is one put, which object stores make
visible whole. It knows nothing of objects, refs, versions. Paths are relative, with `/`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.disk import LocalPlace, explained


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
        with explained(path, len(data), self):
            self.fs.pipe_file(f"{self.root}/{path}", data)
        reach(f"{point}.kept")

    def create(self, path: str, data: bytes, point: str) -> bool:
        """Put a new file in place; False when one is there. As exclusive as the filesystem's own `create` mode is."""
        with explained(path, len(data), self):
            try:
                if self.fs.exists(f"{self.root}/{path}"):
                    return False
                self.fs.pipe_file(f"{self.root}/{path}", data, mode="create")
            except FileExistsError:
                return False
        reach(f"{point}.kept")
        return True

    def keep(self, path: str) -> None:
        """Nothing to do: what a put made visible is on disk."""

    def move(self, path: str, to: str) -> None:
        """Rename a file inside the root."""
        self.fs.mv(f"{self.root}/{path}", f"{self.root}/{to}")

    def discard(self, folder: str, point: str) -> None:
        """Remove all files under a folder, if there are any."""
        self.fs.invalidate_cache()
        if self.fs.exists(f"{self.root}/{folder}"):
            self.fs.rm(f"{self.root}/{folder}", recursive=True)
        reach(f"{point}.discarded")

    def names(self, folder: str) -> list[str]:
        """What a folder holds, sorted; empty when there is no such folder."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(f"{self.root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)

    def stamp(self, path: str) -> tuple[str, float] | None:
        """What changes whenever a file is written; a put is seen whole, so it was written long ago. None: no file."""
        self.fs.invalidate_cache()
        try:
            told = self.fs.info(f"{self.root}/{path}")
        except FileNotFoundError:
            return None
        named = ("size", "ETag", "etag", "LastModified", "last_modified", "created", "mtime")
        return " ".join(str(told[name]) for name in named if told.get(name) is not None), 0.0

    def is_folder(self) -> bool:
        """True when something lies under the root."""
        self.fs.invalidate_cache()
        return bool(self.fs.isdir(self.root))

    def is_link(self, path: str) -> bool:
        """False: there are no symbolic links."""
        return False

    def folders(self, folder: str) -> Iterator[str]:
        """None: a folder is only the beginning of the names of files."""
        yield from ()

    def files(self, folder: str) -> Iterator[str]:
        """Every file at any depth under a folder, as paths from the root, in sorted order."""
        self.fs.invalidate_cache()
        for name in sorted(self.fs.find(f"{self.root}/{folder}")):
            yield str(name).removeprefix(f"{self.root}/")


Place: TypeAlias = LocalPlace | RemotePlace


def place(url: str | os.PathLike[str]) -> Place:
    """The root behind a path or an fsspec URL (`data/store`, `memory://x`, `s3://bucket/x`). Nothing is created."""
    try:
        fs, root = fsspec.core.url_to_fs(os.fspath(url))
    except (ImportError, ValueError) as lacking:
        raise DataError(
            f"place {os.fspath(url)!r} cannot be opened ({lacking}): install its driver or correct the URL."
        ) from lacking
    return LocalPlace(Path(root)) if isinstance(fs, LocalFileSystem) else RemotePlace(fs, str(root))
