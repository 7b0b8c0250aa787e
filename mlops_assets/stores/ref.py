"""The ref: one publication of one partition of one asset, as a record that checks itself.

Here belongs what a ref says and its JSON. It knows no disk: `refs.py` keeps refs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlops_assets.core.artifact import artifact_version
from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name

FORMAT = 1
RECIPE = "recipe"  # in `code`: the address of the object that holds code, configuration and libraries of the action


@dataclass(frozen=True, kw_only=True)
class Part:
    """One stored part of an artifact: what it is (`kind`, `version`) and where its bytes are (`address`, `suffix`)."""

    kind: str  # "tables", "records" or "blobs"
    version: str
    address: str
    suffix: str
    bytes: int
    rows: int | None = None  # of a table
    columns: tuple[tuple[str, str], ...] | None = None  # of a table: (name, type), in order


@dataclass(frozen=True, kw_only=True)
class Ref:
    """One publication: which data version a partition of an asset has, from what, by which code, in which run.

    `inputs` maps `asset@partition` to the data version that was read, `file <path>` to the sha256 of a landed file.
    `created_at` is an ISO 8601 instant. `generation` counts the publications of the partition from 1; 0 is a ref not
    yet stored.
    """

    asset: str
    partition: str
    generation: int = 0
    data_version: str
    parts: Mapping[str, Part]
    action_key: str
    inputs: Mapping[str, str]
    code: Mapping[str, JSON]
    run: str
    about: Mapping[str, JSON]
    created_at: str

    def __post_init__(self) -> None:
        check_asset(self.asset)
        check_name("partition", self.partition, error=DataError)
        kinds = {name: part.kind for name, part in self.parts.items()}
        versions = {name: part.version for name, part in self.parts.items()}
        if self.data_version != artifact_version(kinds, versions):
            raise DataError(f"{self.at}: data_version == {self.data_version}, must be the version of its parts.")

    @property
    def at(self) -> str:
        """`use_case/artifact@partition#generation`."""
        return f"{self.asset}@{self.partition}#{self.generation}"

    @property
    def publications(self) -> dict[str, str]:
        """Of the inputs those that are publications of the store: `asset@partition` -> data version; no files."""
        return {at: version for at, version in self.inputs.items() if " " not in at}

    def means_the_same_as(self, other: "Ref") -> bool:
        """True when both differ at most in generation, run, instant, and where the bytes are."""
        mine, its = self.record(), other.record()
        told = ("asset", "partition", "data_version", "action_key", "inputs", "code", "about")
        return all(mine[name] == its[name] for name in told)

    def says_the_same_as(self, other: "Ref") -> bool:
        """True when both differ at most in generation, run and instant."""
        return self.means_the_same_as(other) and self.record()["parts"] == other.record()["parts"]

    def record(self) -> dict[str, Any]:
        """The ref as JSON values."""
        parts = {name: asdict(part) for name, part in self.parts.items()}
        for part in parts.values():
            if part["columns"] is not None:
                part["columns"] = [list(column) for column in part["columns"]]
        plain = {
            name: getattr(self, name) for name in ("asset", "partition", "generation", "data_version", "action_key")
        }
        maps = {name: dict(getattr(self, name)) for name in ("inputs", "code", "about")}
        return plain | maps | {"format": FORMAT, "parts": parts, "run": self.run, "created_at": self.created_at}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Ref":
        """The ref that `record` wrote down. Raises `DataError` for a format this version does not know."""
        fields = dict(record)
        if fields.pop("format", None) != FORMAT:
            raise DataError(
                f"ref format == {record.get('format')!r}, must be {FORMAT}: read it with the version that wrote it."
            )
        parts = {}
        for name, part in fields.pop("parts").items():
            columns = part["columns"]
            pairs = None if columns is None else tuple((column, kind) for column, kind in columns)
            parts[name] = Part(**{**part, "columns": pairs})
        return cls(parts=parts, **fields)


def check_asset(asset: str) -> str:
    """An asset is named `use_case/artifact`, both safe names. Raises `DataError`."""
    use_case, slash, artifact = asset.partition("/") if isinstance(asset, str) else ("", "", "")
    if not slash:
        raise DataError(f"asset == {asset!r:.90}, must be 'use_case/artifact': name both.")
    check_name("asset's use case", use_case, error=DataError)
    check_name("asset's artifact", artifact, error=DataError)
    return asset
