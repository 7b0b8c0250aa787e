"""The landing zone: where files from outside lie, one per partition.

Here belongs finding and reading the file of a partition, and refusing every path that leaves the root. It knows no use
case: the pattern comes from one.
"""

import hashlib
import os
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pyarrow as pa

from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.disk import LocalPlace
from mlops_assets.stores.files import parsed_table
from mlops_assets.stores.places import Place, place

PARTITION = "{partition}"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The bytes of one file as it lay there, not parsed yet."""

    path: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """64 hexadecimal characters, as `sha256sum` prints them."""
        return hashlib.sha256(self.data).hexdigest()

    def parsed(self, columns: Mapping[str, pa.DataType] | None = None) -> pa.Table:
        """Its table; `columns` gives the types of CSV columns. Raises `DataError` when it cannot be parsed."""
        return parsed_table(self.data, self.path, columns=columns)


@dataclass(frozen=True, kw_only=True)
class Landed:
    """One file as it lay there: its table, its path from the root, and hash and length of the very bytes parsed."""

    table: pa.Table
    path: str
    sha256: str
    bytes: int


class Landing:
    """The files under a local directory or an fsspec URL."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.place: Place = place(url)

    def read(self, pattern: str, partition: str, *, columns: Mapping[str, pa.DataType] | None = None) -> Landed:
        """Read the file of a partition once; hash and parse the same bytes.

        `pattern` is a relative path in which `{partition}` stands for the partition. `columns` gives the types of CSV
        columns. Raises `DataError` when the path leaves the root, is missing (the nearest partitions there are named)
        or cannot be parsed.
        """
        file = self.fetch(pattern, partition)
        return Landed(table=file.parsed(columns), path=file.path, sha256=file.sha256, bytes=len(file.data))

    def fetch(self, pattern: str, partition: str) -> Fetched:
        """The bytes of a partition's file. Raises `DataError` like `read`, but for what is in it."""
        path = self.path(pattern, partition)
        try:
            return Fetched(path=path, data=self.place.read(path))
        except FileNotFoundError as missing:
            raise DataError(
                f"file {path!r} is missing in {self.place}; {self._nearest(pattern, partition)}: "
                "put it there, or ask for a partition that has one."
            ) from missing
        except OSError as unreadable:
            raise DataError(
                f"file {path!r} in {self.place} cannot be read ({unreadable.strerror or unreadable}): check it."
            ) from unreadable

    def has(self, pattern: str, partition: str) -> bool:
        """True when the partition has a file. Raises `DataError` when its path leaves the root."""
        folder, _, name = self.path(pattern, partition).rpartition("/")
        return name in self.place.names(folder)

    def stamp(self, pattern: str, partition: str) -> tuple[str, float] | None:
        """What changes whenever a partition's file is written, and when that was, s since 1970; None without a file.

        Nothing is read: it tells that a file may be new, its hash alone whether it is. Raises `DataError` like `path`.
        """
        return self.place.stamp(self.path(pattern, partition))

    def path(self, pattern: str, partition: str) -> str:
        """The path of a partition's file from the root. Raises `DataError` when it would leave the root."""
        check_name("partition", partition, error=DataError)
        path = pattern.replace(PARTITION, partition)
        parts = PurePosixPath(path).parts
        outside = not parts or path.startswith("/") or "\\" in path or ":" in parts[0] or ".." in parts or "\0" in path
        if not outside and isinstance(self.place, LocalPlace):
            root = Path(os.path.realpath(self.place.root))
            outside = not Path(os.path.realpath(root / path)).is_relative_to(root)
        if outside:
            raise DataError(
                f"landing pattern == {pattern!r} leads to {path!r}, outside of {self.place}: "
                "write a relative path without '..' and without links that lead out."
            )
        return path

    def partitions(self, pattern: str) -> list[str]:
        """The partitions that have a file, in order of name."""
        folder, _, name = pattern.rpartition("/")
        if PARTITION in folder or PARTITION not in name:
            return []
        before, _, after = name.partition(PARTITION)
        form = re.compile(f"{re.escape(before)}([A-Za-z0-9][A-Za-z0-9._=-]*){re.escape(after)}")
        return sorted(met[1] for met in map(form.fullmatch, self.place.names(folder)) if met)

    def _nearest(self, pattern: str, partition: str) -> str:
        known = self.partitions(pattern)
        if not known:
            return "no partition has a file there"
        place = bisect_left(known, partition)
        near = known[max(place - 2, 0) : place + 2]
        return f"{len(known)} partitions have one, the nearest are {', '.join(near)}"
