"""An artifact in memory: what one step of the lifecycle hands to the next, and what it is called by content.

Here belongs the bundle of tables, records and blobs with its version. It is pure and knows no store: `stores/assets.py`
writes one down and reads it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import pyarrow as pa

from mlops_assets.core.versions import (
    JSON,
    blob_version,
    canonical,
    canonical_json,
    record_version,
    version_of_canonical,
)
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes that are neither table nor record, with the version they are known by.

    `version` is the logical one (a model's digest), because a library may write other bytes for the same content; two
    blobs of one version are one thing. `suffix` ends the file name, `".skops"`.
    """

    data: bytes
    version: str
    suffix: str = ".bin"

    def __post_init__(self) -> None:
        check_name("blob version", self.version, error=DataError)
        check_name("blob suffix", f"x{self.suffix}", error=DataError)
        if not self.suffix.startswith("."):
            raise DataError(f"blob suffix == {self.suffix!r}, must begin with a dot: write '.{self.suffix}'.")

    @classmethod
    def picture(cls, svg: bytes, name: str, drawn_from: JSON) -> "Blob":
        """A plot, known by the record it was drawn from: another release of the drawing library is no new data."""
        return cls(data=svg, version=record_version({"picture": name, "drawn_from": drawn_from}), suffix=".svg")

    @classmethod
    def of(cls, data: bytes, suffix: str = ".bin") -> "Blob":
        """A blob known by its bytes, for formats that write the same bytes every time."""
        return cls(data=data, version=blob_version(data), suffix=suffix)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Named tables, records and blobs, and `about`: facts that are not part of the version (run ids, URLs).

    Tables are kept in canonical form (`versions.canonical`), so an artifact just made and the same one read back are
    equal. A name belongs to one part only. Raises `DataError` for a bad or doubled name and for a part without version.

    >>> made = Artifact(tables={"flights": pa.table({"delay_min": [64, None]})}, records={"profile": {"rows": 2}})
    >>> sorted(made.part_versions)
    ['flights', 'profile']
    >>> made.version == Artifact(tables=made.tables, records=made.records, about={"run": "a1"}).version
    True
    """

    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    records: Mapping[str, JSON] = field(default_factory=dict)
    blobs: Mapping[str, Blob] = field(default_factory=dict)
    about: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*self.tables, *self.records, *self.blobs]
        for name in names:
            check_name("artifact part", name, error=DataError)
            if names.count(name) > 1:
                raise DataError(
                    f"artifact part {name!r} is named in two kinds, must belong to one: rename one of them."
                )
        canonical_json(dict(self.about))
        tables = {name: _canonical(name, table) for name, table in self.tables.items()}
        for name, frozen in (
            ("tables", tables),
            ("records", self.records),
            ("blobs", self.blobs),
            ("about", self.about),
        ):
            object.__setattr__(self, name, MappingProxyType(dict(frozen)))

    @cached_property
    def part_versions(self) -> Mapping[str, str]:
        """Part name -> data version, 64 hexadecimal characters (a blob's is the one it carries)."""
        return MappingProxyType(
            {name: version_of_canonical(table) for name, table in self.tables.items()}
            | {name: record_version(record) for name, record in self.records.items()}
            | {name: blob.version for name, blob in self.blobs.items()}
        )

    @property
    def part_kinds(self) -> Mapping[str, str]:
        """Part name -> `"tables"`, `"records"` or `"blobs"`."""
        return {
            n: k for k, ns in (("tables", self.tables), ("records", self.records), ("blobs", self.blobs)) for n in ns
        }

    @cached_property
    def version(self) -> str:
        """The data version of the whole: 64 hexadecimal characters over kind, name and version of every part."""
        return artifact_version(self.part_kinds, self.part_versions)


def artifact_version(kinds: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """The version of an artifact from its parts' kinds and versions, both by part name."""
    return record_version({f"{kinds[name]}/{name}": version for name, version in versions.items()})


def _canonical(name: str, table: object) -> pa.Table:
    if not isinstance(table, pa.Table):
        raise DataError(f"artifact part {name!r} is a {type(table).__name__}, must be a pyarrow.Table: convert it.")
    try:
        return canonical(table)
    except DataError as refused:
        raise DataError(f"artifact part {name!r}: {refused}") from refused
