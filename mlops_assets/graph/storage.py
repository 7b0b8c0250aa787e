"""Artifacts between steps: an IO manager over our own store, which hashes, verifies and records lineage.

An input is a handle: nothing is read until the step asks, and what it reads is written down as the output's inputs.
Which weeks must exist is declared on the AssetIn:

| load | meaning |
|---|---|
| exact | this week |
| every | all weeks of the window that lie on the axis |
| unbroken | the weeks up to the last one without a gap; earlier ones may be missing altogether |
| latest | the newest week of the window that exists, if any |
| existing | all weeks of the window that exist, maybe none |
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.versions import record_version
from mlops_assets.declare import DataError, Weekly
from mlops_assets.graph.steps import refusals
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.provenance import provenance
from mlops_assets.stores.refs import Ref


@dataclass(frozen=True)
class Upstream:
    """Some weeks of one upstream asset, not read yet."""

    store: AssetStore
    asset: str
    keys: tuple[str, ...]
    load: str
    note: Callable[[Ref], None]

    def refs(self) -> dict[str, Ref]:
        """Partition -> ref of every week this input consists of. Raises DataError where one is missing."""
        found = {key: ref for key in self.keys if (ref := self.store.latest(self.asset, key)) is not None}
        missing = [key for key in self.keys if key not in found]
        if self.load == "latest":
            return dict(list(found.items())[-1:])
        if self.load == "existing":
            return found
        if self.load == "unbroken" and found:
            first = min(found)
            missing = [key for key in missing if key > first]
        if missing:
            raise DataError(
                f"{self.asset} is not materialized for {_listed(missing)}, which this step needs. "
                f"Materialize it first, e.g. `mlops backfill {self.asset.split('/')[0]} "
                f"--from {missing[0]} --to {missing[-1]}`."
            )
        return found

    def read(self, parts: Collection[str] | None = None) -> list[tuple[Ref, Artifact]]:
        """Every week's ref and verified artifact (all parts or those named), oldest first; noted as read."""
        loaded = []
        for ref in self.refs().values():
            loaded.append((ref, self.store.load_ref(ref, parts=parts)))
            self.note(ref)
        return loaded

    def artifacts(self, parts: Collection[str] | None = None) -> dict[str, Artifact]:
        """Partition -> artifact, oldest first."""
        return {ref.partition: artifact for ref, artifact in self.read(parts)}

    def beside(self, asset: str, keys: tuple[str, ...], load: str) -> "Upstream":
        """A handle on another asset for the same step: for what Dagster cannot draw, an asset's own earlier weeks."""
        return replace(self, asset=asset, keys=keys, load=load)

    def one(self) -> Artifact:
        """The artifact of an `exact` input."""
        (artifact,) = self.artifacts().values()
        return artifact


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) <= 3 else f"{keys[0]} .. {keys[-1]} ({len(keys)} weeks)"


class Store(dg.ConfigurableResource):
    """The store itself, for a step that keeps something beside its asset."""

    url: str

    @property
    def assets(self) -> AssetStore:
        return AssetStore(self.url)


class StoreIO(dg.ConfigurableIOManager):
    """Publishes what a step returns and gives the next one a handle on it. `root` is where the code lives."""

    url: str
    root: str

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._read: dict[str, dict[str, str]] = {}
        made = provenance(Path(self.root)).to_json()
        self._code = {
            "commit": made["commit"]["sha"],
            "dirty": made["commit"]["dirty"],
            "libraries": made["libraries"],
            "python": made["python"],
        }

    @property
    def store(self) -> AssetStore:
        return AssetStore(self.url)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        if obj is None:
            return
        if not isinstance(obj, Artifact):
            raise TypeError(f"{context.asset_key.to_user_string()} returned {type(obj).__name__}, must be an Artifact")
        with refusals():
            ref = self._publish(context, obj)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(ref.data_version))
        context.add_output_metadata(_shown(ref))

    def _publish(self, context: dg.OutputContext, artifact: Artifact) -> Ref:
        inputs = self._read.pop(f"{context.run_id}/{context.step_key}", {})
        (partition,) = context.asset_partition_keys
        asset = "/".join(context.asset_key.path)
        return self.store.publish(
            asset, partition, artifact,
            inputs=inputs,
            code=self._code,
            run=context.run_id,
            action_key=record_version({"asset": asset, "partition": partition, "inputs": inputs, "code": self._code}),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip

    def load_input(self, context: dg.InputContext) -> Upstream:
        metadata: Mapping[str, Any] = context.definition_metadata or {}
        consumer = f"{context.step_context.run_id}/{context.step_context.step.key}"
        read = self._read.setdefault(consumer, {})

        def note(ref: Ref) -> None:
            read[f"{ref.asset}@{ref.partition}"] = ref.data_version

        (week,) = context.asset_partition_keys
        keys: tuple[str, ...] = (week,)
        if "axis" in metadata:
            keys = Weekly(start=metadata["axis"]).window(week, metadata["start"], metadata["end"])
        return Upstream(
            store=self.store,
            asset="/".join(context.asset_key.path),
            keys=keys,
            load=str(metadata.get("load", "exact")),
            note=note,
        )


def _shown(ref: Ref) -> dict[str, Any]:
    parts = [
        dg.TableRecord({"part": name, "kind": part.kind, "rows": part.rows or 0, "bytes": part.bytes,
                        "data version": part.version})
        for name, part in sorted(ref.parts.items())
    ]  # fmt: skip
    return {
        "data_version": ref.data_version,
        "generation": ref.generation,
        "commit": str(ref.code.get("commit", "unknown")),
        "stored parts": dg.MetadataValue.table(parts) if parts else dg.MetadataValue.text("none"),
    }
