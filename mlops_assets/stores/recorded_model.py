"""A registered model as it was recorded: which publication it is, and its training read back, every object verified.

Here belongs finding and reading. What is damaged or gone is told, not raised: the rest may still be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.reproduction import Result, Side
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.actions import action_of
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.provenance import KERNELS
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.tracing import Question
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.registry import Registry
from mlops_assets.stores.settings import Settings

_TAGS = ("partition", "trained_model", "model_digest")


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A registered version: `flight_delays@3`, the publication of its model, the digest it was registered with."""

    name: str
    ref: Ref
    digest: str

    @property
    def at(self) -> str:
        """`flight_delays/trained_model@2013-02-18`."""
        return f"{self.ref.asset}@{self.ref.partition}"

    @property
    def weeks(self) -> dict[str, str]:
        """Its feature tables: `asset@partition` -> data version."""
        tables = f"{self.ref.asset.partition('/')[0]}/feature_table@"
        return {at: version for at, version in self.ref.inputs.items() if at.startswith(tables)}

    @property
    def tried(self) -> dict[str, str]:
        """The results of its trials, likewise."""
        return {at: version for at, version in self.ref.inputs.items() if at not in self.weeks}


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """What was read: the training as one side of a comparison, and its feature tables (data version, rows) by week."""

    side: Side
    weeks: dict[str, tuple[str, pa.Table]] = field(default_factory=dict)


def registered(asked: Question, places: Settings) -> Registered:
    """The version that is asked for, by its number or the alias the ledger gives it (`tracing.question`).

    Its row in the records tells of it, else the tracker's tags. Raises DataError when there is none, or its model is
    not in the store, DamagedError when its ref is damaged.
    """
    use_case, number, row = asked.use_case, asked.version, None
    records = Records(places.records, create=False)
    if records.database.path.exists():
        with records:
            number = number or records.aliases(use_case).get(asked.stage, 0)
            row = records.lineage.get(use_case, number)
    if not number:
        raise DataError(f"no version of {use_case} is {asked.stage}: `mlops history` tells what was decided.")
    told = {name: getattr(row, name) for name in _TAGS} if row else _tags(places, use_case, number)
    at, version = f"{use_case}/trained_model@{told['partition']}", told["trained_model"]
    ref = _published(AssetStore(places.store), at, version, until=row.registered_at if row else "")
    if ref is None:
        raise DataError(
            f"{use_case}@{number} is {at} in its data version {version[:12]}, which is not in the store: bring it back "
            "from a copy."
        )
    return Registered(name=f"{use_case}@{number}", ref=ref, digest=told["model_digest"])


def read_back(store: AssetStore, model: Registered) -> Recorded:
    """The recorded training: result, actions, feature tables in the versions that were read then."""
    actions: dict[str, Action] = {}
    weeks: dict[str, tuple[str, pa.Table]] = {}
    results: list[Result] = []

    def act(at: str, ref: Ref) -> None:
        if (action := action_of(store, ref)) is None:
            raise DataError("it was made before it was recorded what made it: train it anew.")
        actions[at] = action

    def own(at: str, _: str) -> None:
        act(at, model.ref)
        results.append(result_of(store.load_ref(model.ref)))

    def table(at: str, version: str) -> None:
        artifact = store.load_ref(_there(store, at, version, ""))
        (rows,) = artifact.tables.values()
        if artifact.version != version:
            raise DamagedError(f"its content has the data version {artifact.version[:12]}, recorded is {version[:12]}.")
        weeks[at.partition("@")[2]] = version, rows

    def trial(at: str, version: str) -> None:
        act(at, _there(store, at, version, model.ref.created_at))

    amiss = [_amiss(own, model.at, model.ref.data_version)]
    amiss += [_amiss(table, at, version) for at, version in model.weeks.items()]
    amiss += [_amiss(trial, at, version) for at, version in model.tried.items()]
    kernels = model.ref.about.get(KERNELS)
    side = Side(
        actions=actions,
        kernels=None if kernels is None else tuple(kernels),
        result=results[0] if results else None,
        amiss=tuple(filter(None, amiss)),
    )
    return Recorded(side=side, weeks=weeks)


def result_of(trained: Artifact) -> Result:
    """The result of a training as it is compared."""
    return Result(
        digest=trained.blobs["model"].version,
        encoder=trained.blobs["encoder"].version,
        predictions=trained.tables["validation"],
        predictions_version=trained.part_versions["validation"],
    )


def _there(store: AssetStore, at: str, version: str, until: str) -> Ref:
    if (ref := _published(store, at, version, until)) is None:
        raise DataError(f"its data version {version[:12]} is not in the store: bring it back from a copy.")
    return ref


def _published(store: AssetStore, at: str, version: str, until: str) -> Ref | None:
    """The newest publication of a data version up to an instant (ISO 8601), else of any time; None when there is none.

    A later one has the same content, but may have been made by other code. Raises DamagedError as `AssetStore.find`.
    """
    asset, _, partition = at.partition("@")
    newest = store.find(asset, partition, data_version=version)
    if newest is None or newest.created_at <= until:
        return newest
    for generation in reversed(store.refs.generations(asset, partition)):
        ref = store.refs.read(asset, partition, generation)
        if ref.data_version == version and ref.created_at <= until:
            return ref
    return newest


def _amiss(read: Callable[[str, str], None], at: str, version: str) -> str:
    """Why something could not be read; empty when it could."""
    try:
        read(at, version)
    except DamagedError as damage:
        return f"{at} is damaged: {damage}"
    except DataError as gone:
        return f"{at} cannot be read: {gone}"
    return ""


def _tags(places: Settings, use_case: str, number: int) -> dict[str, str]:
    """The tracker's tags of a version that has no lineage. Raises DataError when it is not there, or not ours."""
    name, local = f"{use_case}@{number}", places.tracking_uri.removeprefix("sqlite:///")
    if local != places.tracking_uri and not Path(local).exists():  # asking would make it
        raise DataError(f"{name} is not registered: nothing is yet.")
    tags = Registry(places.tracking_uri, places.artifacts).get(use_case, number).tags
    if lacking := sorted(set(_TAGS) - set(tags)):
        raise DataError(f"{name} lacks the tags {lacking}: it was registered by other code.")
    return {tag: tags[tag] for tag in _TAGS}
