"""What the result of a step depends on, and doing it once: a known action's result is taken from the store.

A `Step` names the functions that make the artifact (their code counts as far as it reaches), the part of the
declaration they may read (anything else is refused when read), and the weeks of other assets they are given. From that
follow the action key, Dagster's `code_version`, and what `mlops why` explains.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.declared import config, entries_of
from mlops_assets.core.versions import JSON
from mlops_assets.declare import DamagedError, UseCase
from mlops_assets.declare.visible import visible
from mlops_assets.graph.clock import now
from mlops_assets.graph.storage import Made, Upstream
from mlops_assets.stores.actions import known
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.code import libraries, package_code
from mlops_assets.stores.lending import lent
from mlops_assets.stores.refs import Ref

ANEW = "mlops/anew"  # run tag: "true" does the work again, whatever is known


@dataclass(frozen=True, kw_only=True)
class Reads:
    """The weeks k+start .. k+end of another asset of the use case; `load` says which must exist (see `storage`).

    Dagster is told of week k alone. A window as its partition mapping makes a backfill of two weeks in the UI run the
    five weeks after them too, since they look back at those two (docs/decisions/0010).
    """

    artifact: str
    start: int = 0
    end: int = 0
    load: str = "exact"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a use case's lifecycle, as far as its result depends on it.

    `makes`: the functions whose result is stored. `sees`: the fields of the declaration they may read. `docs`: whether
    texts for people are part of the result.
    """

    use_case: UseCase
    artifact: str
    makes: tuple[Callable[..., object], ...]
    sees: tuple[str, ...]
    reads: Mapping[str, Reads] = field(default_factory=dict)
    docs: bool = False

    @property
    def asset(self) -> str:
        """`flight_delays/feature_table`."""
        return f"{self.use_case.name}/{self.artifact}"

    @cached_property
    def seen(self) -> UseCase:
        """The declaration as the step may read it."""
        return visible(self.use_case, self.sees)

    @cached_property
    def config(self) -> dict[str, JSON]:
        return config(self.seen, docs=self.docs)

    @cached_property
    def _reached(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The code by definition, and the versions of the libraries it uses."""
        ours = [f"{make.__module__}.{make.__qualname__}" for make in self.makes]
        declared = entries_of(self.seen)
        code = package_code(*sorted({entry.partition(".")[0] for entry in (*ours, *declared)}))
        reached = code.reached([*ours, *declared])
        return reached.definitions, libraries(reached.libraries)

    def action(self, partition: str, inputs: Mapping[str, str], more: Mapping[str, JSON] | None = None) -> Action:
        """The action of one partition from these inputs; `more` is configuration beside the declaration."""
        code, versions = self._reached
        return Action(
            asset=self.asset,
            partition=partition,
            code=code,
            config={**self.config, **(more or {})},
            libraries=versions,
            inputs=dict(inputs),
        )

    @cached_property
    def code_version(self) -> str:
        """Dagster's: of code, configuration and libraries, whatever the partition and its inputs."""
        return self.action("", {}).code_version

    def upstream(self, store: AssetStore, partition: str) -> dict[str, Upstream]:
        """Handles on everything the step reads."""
        return {
            name: Upstream(
                store=store,
                asset=f"{self.use_case.name}/{read.artifact}",
                keys=self.use_case.partitions.window(partition, read.start, read.end),
                load=read.load,
            )
            for name, read in self.reads.items()
        }

    @property
    def deps(self) -> list[dg.AssetKey]:
        """The assets upstream, as Dagster draws them: what is read of the same week; it knows nothing of others."""
        names = dict.fromkeys(
            read.artifact for read in self.reads.values() if read.artifact != self.artifact and read.end >= 0
        )
        return [dg.AssetKey([self.use_case.name, name]) for name in names]


def inputs_of(upstream: Mapping[str, Upstream]) -> dict[str, str]:
    """The inputs of an action: `asset@partition` -> data version of all that is read. Raises DataError for a gap."""
    return {at: version for read in upstream.values() for at, version in read.versions.items()}


def once(
    context: dg.OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    store: AssetStore,
    action: Action,
    make: Callable[[], Artifact],
    beside: Collection[Action] = (),
    valid: Callable[[Artifact], bool] = lambda _: True,
    borrow: bool = True,
) -> Made:
    """The result of an action: the stored one where the action is known and its bytes are whole, else made now.

    `beside` are actions whose results the same work stores: all are there and become the newest, or all is done again.
    `valid` says of a stored result whether what it did elsewhere stands. What is not known in the store is asked of its
    lender, unless not to `borrow`: work that does something elsewhere, too, has not been done here.
    """
    if context.run.tags.get(ANEW, "") == "true":
        return Made(artifact=make(), action=action)
    asked = (stored, lent) if borrow else (stored,)
    found = [
        next((met for ask in asked if (met := ask(store, one, context.log.warning))), None) for one in (*beside, action)
    ]
    whole = [one for one in found if one is not None]
    if len(whole) < len(found) or not valid(whole[-1][1]):
        return Made(artifact=make(), action=action)
    for ref, _ in whole[:-1]:
        store.publish_again(ref, run=context.run.run_id, created_at=now())
    return Made(artifact=whole[-1][1], action=action, known=whole[-1][0])


def stored(
    store: AssetStore, action: Action, warn: Callable[[str], None] = lambda _: None
) -> tuple[Ref, Artifact] | None:
    """The publication that this action made, with its verified artifact; None where it is unknown or damaged."""
    ref = known(store, action)
    if ref is None:
        return None
    try:
        return ref, store.load_ref(ref)
    except DamagedError as damage:
        warn(f"the stored result of this action is made anew. {damage}")
        return None
