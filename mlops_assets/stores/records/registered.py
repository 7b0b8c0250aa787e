"""The lineage row of a registered version: from what the registry's tags say of it, and the closure of its model.

Here belongs which tag is which field. It asks no tracker: the version is given.
"""

from typing import Any

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records.closure import closure
from mlops_assets.stores.records.entry import instant
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.registry import RegisteredVersion

_LIBRARY = "library/"  # + distribution: the tag that holds its version


def lineage_of(
    store: AssetStore,
    version: RegisteredVersion,
    *,
    registered_at: str,
    trained: Ref | None = None,
    mlflow_url: str = "",
    dagster_url: str = "",
) -> ModelVersion:
    """The row of a registered version, closed over what its model was made from.

    `trained` is the model's ref, looked up by the version's tags when it is not given. `registered_at` is an ISO 8601
    instant. Raises DataError naming a tag that lacks, and like `closure`.
    """
    name, tags = f"{version.name}@{version.version}", version.tags
    lacking = sorted({*_TAGS.values(), "seed"} - set(tags))
    if lacking:
        raise DataError(f"{name} lacks the tags {lacking}: it was registered by other code, its lineage is unknown.")
    if trained is None:
        asset = f"{version.name}/trained_model"
        trained = store.find(asset, tags["partition"], data_version=tags["trained_model"])
    if trained is None or trained.data_version != tags["trained_model"]:
        raise DataError(
            f"{name} was registered from {version.name}/trained_model@{tags['partition']} in its data version "
            f"{tags['trained_model'][:12]}, which is not in the store: bring it back from a copy."
        )
    made = closure(store, trained)
    told: dict[str, Any] = {field: tags[tag] for field, tag in _TAGS.items()}
    return ModelVersion(
        use_case=version.name,
        version=version.version,
        registered_at=instant(registered_at),
        seed=int(tags["seed"]),
        mlflow_run=version.run_id,
        mlflow_url=mlflow_url,
        dagster_url=dagster_url,
        metrics=dict(sorted(version.metrics.items())),
        libraries={tag.removeprefix(_LIBRARY): tags[tag] for tag in sorted(tags) if tag.startswith(_LIBRARY)},
        weeks=made.weeks,
        files=made.files,
        other_inputs=made.other_inputs,
        **told,
    )


_TAGS = {
    "verdict": "gate",
    "sentence": "gate_sentence",
    **{
        name: name
        for name in (
            "partition", "model_digest", "trained_model", "data_version", "training_set", "training_set_data_version",
            "commit", "dirty", "dagster_run",
        )
    },
}  # fmt: skip
