"""The asset store: artifacts written down and read back, every byte verified, every past version still there.

Here belongs how an artifact becomes objects and a ref. It knows no Dagster, no use case and no clock. Objects are
written first, then the ref: whoever sees a ref can read all of it, and whoever is killed has published nothing.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.versions import JSON, canonical_json
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores import parquet
from mlops_assets.stores.objects import ObjectStore
from mlops_assets.stores.ref import Part, Ref, check_asset
from mlops_assets.stores.refs import RefStore, ref_folder

RECORD_SUFFIX = ".json"


class AssetStore:
    """Artifacts by asset and partition under a local path or an fsspec URL.

    >>> import pyarrow as pa
    >>> store = AssetStore("memory://doc-assets")
    >>> made = Artifact(tables={"flights": pa.table({"delay_min": [64, None]})})
    >>> ref = store.publish("flight_delays/raw_data", "2013-07-08", made, inputs={}, code={"dirty": False}, run="r1",
    ...                     action_key="k1", created_at="2013-07-15T00:00:00Z")
    >>> ref.at, ref.data_version == made.version
    ('flight_delays/raw_data@2013-07-08#1', True)
    >>> store.load("flight_delays/raw_data", "2013-07-08").tables["flights"].to_pydict()
    {'delay_min': [64, None]}
    """

    def __init__(self, url: str | os.PathLike[str], lender: str = "") -> None:
        self.objects = ObjectStore(url)
        self.refs = RefStore(self.objects.place)
        self.lender = AssetStore(lender) if lender else None  # read where an action is not known here (`lending.py`)

    def publish(
        self,
        asset: str,
        partition: str,
        artifact: Artifact,
        *,
        inputs: Mapping[str, str],
        code: Mapping[str, JSON],
        run: str,
        action_key: str,
        created_at: str,
    ) -> Ref:
        """Write an artifact and make it the newest of its partition; return its ref (`RefStore.publish`).

        `inputs` maps `asset@partition` to the data version read, `created_at` is an ISO 8601 instant. Raises
        `DataError` for names and values that cannot be stored, `OSError` when the place is full or read-only; then the
        newest publication stays what it was.
        """
        ref_folder(asset, partition)  # a bad name or value is refused before a byte is written
        canonical_json([dict(inputs), dict(code), run, action_key, created_at])
        draft = Ref(
            asset=asset,
            partition=partition,
            data_version=artifact.version,
            parts={name: _unstored(artifact, name) for name in artifact.part_versions},
            action_key=action_key,
            inputs=dict(inputs),
            code=dict(code),
            run=run,
            about=dict(artifact.about),
            created_at=created_at,
        )
        newest = self.refs.newest_intact(asset, partition)
        if newest is not None and newest.means_the_same_as(draft) and self._is_whole(newest):
            return self.refs.settled(newest)  # also where a format writes other bytes for the same content every time
        return self.refs.publish(
            replace(draft, parts={n: self._stored(artifact, n, p) for n, p in draft.parts.items()})
        )

    def load(
        self,
        asset: str,
        partition: str,
        *,
        generation: int | None = None,
        data_version: str | None = None,
        parts: Collection[str] | None = None,
    ) -> Artifact:
        """Read an artifact back: the newest, or the one of a generation or data version; all parts or those named.

        Raises `DataError` when there is no such publication or part, `DamagedError` when stored bytes changed.
        """
        return self.load_ref(self._chosen(asset, partition, generation, data_version), parts=parts)

    def load_ref(self, ref: Ref, *, parts: Collection[str] | None = None) -> Artifact:
        """The artifact that a ref points to, all parts or those named. Raises like `load`."""
        absent = sorted(set(parts or ()) - set(ref.parts))
        if absent:
            raise DataError(
                f"{ref.at} has no part {absent[0]!r}, must be one of {sorted(ref.parts)}: ask for one of them."
            )
        found: dict[str, dict[str, Any]] = {"tables": {}, "records": {}, "blobs": {}}
        for name in ref.parts if parts is None else parts:
            part = ref.parts[name]
            found[part.kind][name] = self._read(ref, name, part)
        return Artifact(**found, about=ref.about)

    def latest(self, asset: str, partition: str) -> Ref | None:
        """The newest ref; None when the partition was never published. Raises `DamagedError`, never falls back."""
        return self.refs.latest(asset, partition)

    def require(self, asset: str, partition: str) -> Ref:
        """The newest ref. Raises `DataError` that says what there is instead when the partition was never published."""
        ref = self.latest(asset, partition)
        if ref is None:
            known = self.refs.partitions(asset)
            there = f"{len(known)} partitions from {known[0]} to {known[-1]}" if known else "no partition"
            raise DataError(
                f"{asset}@{partition} was never published in {self.objects.place}; {there} of the asset are there: "
                f"materialize {asset} for partition {partition} first."
            )
        return ref

    def history(self, asset: str, partition: str) -> list[Ref]:
        """Every ref of a partition, oldest first. Raises `DamagedError` at the first that is not intact."""
        return self.refs.history(asset, partition)

    def find(
        self, asset: str, partition: str, *, data_version: str | None = None, action_key: str | None = None
    ) -> Ref | None:
        """The newest ref of a partition with this data version and this action key (None asks for any).

        Raises `DamagedError` when it is not found and a ref of the partition is damaged: it may be that one.
        """
        damage: DamagedError | None = None
        for generation in reversed(self.refs.generations(asset, partition)):
            try:
                ref = self.refs.read(asset, partition, generation)
            except DamagedError as met:
                damage = damage or met
                continue
            if data_version in (None, ref.data_version) and action_key in (None, ref.action_key):
                return ref
        if damage is not None:
            raise damage
        return None

    def restore(self, asset: str, partition: str, data_version: str, *, run: str, created_at: str) -> Ref:
        """Make an old version the newest again, as a new generation; nothing is copied or removed.

        All its parts are read and verified first. Raises `DataError` when the partition never had this version.
        """
        old = self._chosen(asset, partition, None, data_version)
        self.load_ref(old)
        about = {**old.about, "restored_generation": old.generation}
        return self.refs.publish(replace(old, generation=0, run=run, created_at=created_at, about=about))

    def publish_again(self, ref: Ref, *, run: str, created_at: str) -> Ref:
        """Make a publication the newest of its partition again, with all that it says of how it was made.

        Nothing is written when it is the newest already. Else it gets a new generation, whose `about` names the `run`
        that asked. One that another store lent (generation 0) says so itself. Raises `OSError`.
        """
        if not ref.generation:
            return self.refs.publish(ref)
        newest = self.refs.newest_intact(ref.asset, ref.partition)
        if newest is not None and newest.generation == ref.generation:
            return self.refs.settled(newest)
        about = {**ref.about, "reused": {"generation": ref.generation, "run": run}}
        return self.refs.publish(replace(ref, generation=0, created_at=created_at, about=about))

    def keep_record(self, record: JSON) -> str:
        """Write a JSON value as an object that no part of a ref holds; its address."""
        return self.objects.put(canonical_json(record), RECORD_SUFFIX)

    def record(self, address: str) -> Any:
        """The value that `keep_record` wrote. Raises `DamagedError`."""
        return json.loads(self.objects.get(address, RECORD_SUFFIX))

    def _chosen(self, asset: str, partition: str, generation: int | None, data_version: str | None) -> Ref:
        if data_version is not None:
            ref = self.find(asset, partition, data_version=data_version)
            if ref is None or generation not in (None, ref.generation):
                raise DataError(
                    f"{asset}@{partition} has no data version {data_version:.90}: "
                    f"`mlops why {asset} {partition}` lists those it has."
                )
            return ref
        if generation is None:
            return self.require(asset, partition)
        known = self.refs.generations(asset, partition)
        if generation not in known:
            raise DataError(f"{check_asset(asset)}@{partition} has no generation {generation}, must be one of {known}.")
        return self.refs.read(asset, partition, generation)

    def _stored(self, artifact: Artifact, name: str, part: Part) -> Part:
        """Write one part; the same part, saying where its bytes are."""
        if part.kind == "tables":
            data = parquet.parquet_bytes(artifact.tables[name])
        else:
            data = artifact.blobs[name].data if part.kind == "blobs" else canonical_json(artifact.records[name])
        return replace(part, address=self.objects.put(data, part.suffix), bytes=len(data))

    def _is_whole(self, ref: Ref) -> bool:
        try:
            for part in ref.parts.values():
                self.objects.get(part.address, part.suffix)
        except DamagedError:
            return False
        return True

    def _read(self, ref: Ref, name: str, part: Part) -> Any:
        where = f"{ref.at} part {name!r}"
        try:
            data = self.objects.get(part.address, part.suffix)
        except DamagedError as damage:
            raise DamagedError(f"{where}: {damage}") from damage
        if part.kind == "tables":
            return parquet.parquet_table(data, where)
        if part.kind == "records":
            return json.loads(data)
        return Blob(data=data, version=part.version, suffix=part.suffix)


def _unstored(artifact: Artifact, name: str) -> Part:
    """What a part is, before it has bytes anywhere."""
    kind, version = artifact.part_kinds[name], artifact.part_versions[name]
    if kind != "tables":
        suffix = artifact.blobs[name].suffix if kind == "blobs" else RECORD_SUFFIX
        return Part(kind=kind, version=version, address="", suffix=suffix, bytes=0)
    table = artifact.tables[name]
    columns = tuple((field.name, str(field.type)) for field in table.schema)
    rows = table.num_rows
    return Part(kind=kind, version=version, address="", suffix=parquet.SUFFIX, bytes=0, rows=rows, columns=columns)
