"""Training sets in the store: found by the model or by name, and their rows made again, byte for byte.

Here belongs the way from a reference to the versions it points to. What a set is lies in `core/training_set.py`.
"""

import pyarrow as pa

from mlops_assets.core.training_set import RECORD, Reference
from mlops_assets.core.versions import version_of_canonical
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import Ref


def of_model(store: AssetStore, use_case: str, partition: str) -> Reference:
    """The training set of the week's newest model. Raises `DataError` when none was trained, `DamagedError`."""
    return _recorded(store, store.require(_models(use_case), partition))


def named(store: AssetStore, use_case: str, name: str) -> Reference:
    """The training set of that name (`ts-...`, with or without the use case), of any model ever trained.

    Raises `DataError` when no model has it, `DamagedError` when it is not found and a model's record is damaged.
    """
    asked = f"{use_case}/{name.removeprefix(f'{use_case}/')}"
    damage: DamagedError | None = None
    seen = 0
    for partition in reversed(store.refs.partitions(_models(use_case))):
        for generation in reversed(store.refs.generations(_models(use_case), partition)):
            try:
                ref = store.refs.read(_models(use_case), partition, generation)
                if RECORD not in ref.parts:
                    continue  # made before training sets were recorded
                seen += 1
                if (found := _recorded(store, ref)).name == asked:
                    return found
            except DamagedError as met:
                damage = damage or met
    if damage is not None:
        raise damage
    raise DataError(
        f"no model of {use_case} was trained on {asked} ({seen} models looked at): "
        f"`mlops training-set {use_case} WEEK` prints the name of a week's set."
    )


def table(store: AssetStore, reference: Reference) -> pa.Table:
    """The set's rows, canonical, from the very versions it names, whatever has been made since.

    Raises `DataError` or `DamagedError` when one of them is not in the store or not whole, and `DataError` when the
    rows are not those of the recorded data version.
    """
    asset = f"{reference.training_set.selection.use_case}/feature_table"
    weeks = {}
    for partition, version in reference.training_set.weeks.items():
        try:
            (weeks[partition],) = store.load(asset, partition, data_version=version).tables.values()
        except DataError as lost:
            raise type(lost)(
                f"{reference.name} needs {asset}@{partition} in its data version {version[:12]}, which is "
                f"{'damaged' if isinstance(lost, DamagedError) else 'gone'} ({lost}) Bring it back from a copy of the "
                "store, or make the week anew: from the same input it gets the same version."
            ) from lost
    rows = reference.training_set.table(weeks)
    if (met := version_of_canonical(rows)) != reference.data_version:
        raise DataError(
            f"{reference.name} comes out as data version {met[:12]}, recorded is {reference.data_version[:12]}: "
            "this code selects other rows than the code that trained; use the commit the model names."
        )
    return rows


def _models(use_case: str) -> str:
    return f"{use_case}/trained_model"


def _recorded(store: AssetStore, ref: Ref) -> Reference:
    there = (RECORD,) if RECORD in ref.parts else ()
    return Reference.recorded(store.load_ref(ref, parts=there).records, ref.at)
