"""Artifacts between steps: what a step reads from our own store, and an IO manager that publishes what it made.

Nothing passes through Dagster: a step reads the weeks it declares (`actions.Reads`) from the store and hands a `Made`
back. Which weeks must exist is declared there:

| load | meaning |
|---|---|
| exact | this week |
| every | all weeks of the window that lie on the axis |
| unbroken | the weeks up to the last one without a gap; earlier ones may be missing altogether |
| latest | the newest week of the window that exists, if any |
| existing | all weeks of the window that exist, maybe none |
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.declare import DataError
from mlops_assets.graph.clock import now
from mlops_assets.graph.steps import refusals
from mlops_assets.stores.actions import code_record, keep_recipe, known
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.lending import LENT
from mlops_assets.stores.provenance import provenance
from mlops_assets.stores.refs import Ref


@dataclass(frozen=True)
class Upstream:
    """Some weeks of one upstream asset, not read yet."""

    store: AssetStore
    asset: str
    keys: tuple[str, ...]
    load: str

    @cached_property
    def refs(self) -> dict[str, Ref]:
        """Partition -> ref of every week of this input, oldest first. Raises DataError where one is missing."""
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

    @property
    def versions(self) -> dict[str, str]:
        """`asset@partition` -> data version of every week, as an action names its inputs."""
        return {f"{ref.asset}@{ref.partition}": ref.data_version for ref in self.refs.values()}

    @property
    def data_versions(self) -> dict[str, str]:
        """Partition -> data version, oldest first."""
        return {key: ref.data_version for key, ref in self.refs.items()}

    def artifacts(self, parts: Collection[str] | None = None) -> dict[str, Artifact]:
        """Partition -> verified artifact (all parts or those named), oldest first."""
        return {key: self.store.load_ref(ref, parts=parts) for key, ref in self.refs.items()}

    def one(self) -> Artifact:
        """The artifact of an `exact` input."""
        (artifact,) = self.artifacts().values()
        return artifact


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) <= 3 else f"{keys[0]} .. {keys[-1]} ({len(keys)} weeks)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """What a step hands over: the artifact and the action it is the result of.

    `known` is the publication in which that action's result stood already, here or at the lender. `published` is called
    once it is stored; `stored` is where, when the step has published it itself.
    """

    artifact: Artifact
    action: Action
    known: Ref | None = None
    published: Callable[[], None] = lambda: None
    stored: Ref | None = None


class Store(dg.ConfigurableResource):
    """The store itself, the one it borrows from ("" none), and `root`, where the code lives."""

    url: str
    root: str
    lender: str = ""

    @property
    def assets(self) -> AssetStore:
        return AssetStore(self.url, self.lender)

    def publish(self, made: Made, run: str) -> Ref:
        """Store what was made, with where it comes from; what was known is published as it was made then.

        Work done again that gives the same keeps the code and the run of its first making; the log says when it does
        not give the same, since then it depends on something that its action does not name.
        """
        assets, action = self.assets, made.action
        if made.known is not None:
            keep_recipe(assets, action)
            return assets.publish_again(made.known, run=run, created_at=now())
        code, first = code_record(assets, action, provenance(Path(self.root))), known(assets, action)
        if first is not None and first.data_version == made.artifact.version:
            code, run = dict(first.code), first.run
        elif first is not None:
            dg.get_dagster_logger().warning(
                f"{action.asset}@{action.partition}: the same action gave {first.data_version[:12]} before and "
                f"{made.artifact.version[:12]} now: it depends on something that is not among its ingredients."
            )
        return assets.publish(
            action.asset, action.partition, made.artifact,
            inputs=action.inputs, code=code, run=run, action_key=action.key, created_at=now(),
        )  # fmt: skip


class StoreIO(dg.ConfigurableIOManager):
    """Publishes what a step made. What the next one reads, it reads itself."""

    url: str
    root: str

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        if obj is None:
            return
        if not isinstance(obj, Made):
            raise TypeError(f"{context.asset_key.to_user_string()} returned {type(obj).__name__}, must be Made")
        with refusals():
            ref = obj.stored or Store(url=self.url, root=self.root).publish(obj, context.run_id)
            obj.published()
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(ref.data_version))
        context.add_output_metadata(_shown(ref, reused=obj.known is not None))

    def load_input(self, context: dg.InputContext) -> Any:
        raise TypeError(f"{context.asset_key.to_user_string()} is read from the store by the step itself: see Reads")


def _shown(ref: Ref, *, reused: bool) -> dict[str, Any]:
    parts = [
        dg.TableRecord({"part": name, "kind": part.kind, "rows": part.rows or 0, "bytes": part.bytes,
                        "data version": part.version})
        for name, part in sorted(ref.parts.items())
    ]  # fmt: skip
    lent = ref.about.get(LENT)
    return {
        **({"lent by": str(lent["by"])} if isinstance(lent, Mapping) else {}),
        "data_version": ref.data_version,
        "action key": ref.action_key,
        "reused": reused,
        "made at": ref.created_at,
        "made by run": ref.run,
        "generation": ref.generation,
        "commit": str(ref.code.get("commit", "unknown")),
        "stored parts": dg.MetadataValue.table(parts) if parts else dg.MetadataValue.text("none"),
    }
