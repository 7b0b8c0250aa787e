"""Model versions as they are registered: rows of a lineage, and a store in which they were trained."""

from typing import Any

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.training_set import RECORD, Reference, TrainingSet
from mlops_assets.core.versions import record_version
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.ref import Ref
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

USE_CASE = FLIGHT_DELAYS.name
FILES = {"flights": "flights/{}.parquet", "planes": "planes.parquet"}  # landed, by table
WEEKS = FLIGHT_DELAYS.partitions.keys()[:8]


def version_of(*names: object) -> str:
    """A data version: 64 hexadecimal characters, the same for the same names."""
    return record_version([str(name) for name in names])


def model(version: int, weeks: int = 2, use_case: str = USE_CASE, **changes: Any) -> ModelVersion:
    """A row that is made from the first weeks; version 1 and 2 differ in everything that is their own."""
    own = {name: version_of(use_case, name, version) for name in ("model_digest", "trained_model", "data_version")}
    made = {
        "partition": WEEKS[weeks - 1], "registered_at": "2013-07-01T00:00:00.000000+00:00",
        "training_set": f"{use_case}/ts-{version:012x}", "training_set_data_version": version_of("rows", version),
        "commit": version_of("commit", version)[:40], "dirty": "false",
        "dagster_run": f"0f1ac84e-b734-45f1-8aa5-{version:012x}", "mlflow_run": version_of("run", version)[:32],
        "mlflow_url": "", "dagster_url": "", "seed": 7, "verdict": "PASS", "sentence": "PASS: better.",
        "metrics": {"validation_log_loss": 0.5}, "libraries": {"numpy": "2.4.6"},
        "weeks": tuple(
            {"partition": week, "role": "train"} | {n: version_of(use_case, n, week)
             for n in ("feature_table", "validated_dataset", "raw_data")}
            for week in WEEKS[:weeks]
        ),
        "files": tuple(
            {"partition": week, "table": table, "path": path.format(week), "sha256": version_of(path.format(week))}
            for week in WEEKS[:weeks] for table, path in FILES.items()
        ),
    }  # fmt: skip
    return ModelVersion(**{"use_case": use_case, "version": version, **own, **made, **changes})


def publish(store: AssetStore, artifact: str, week: str, content: Any, at: str = "10", **more: Any) -> Ref:
    """A publication of an artifact of a week, made from the refs `inputs`, at a minute of a day."""
    inputs = {f"{ref.asset}@{ref.partition}": ref.data_version for ref in more.pop("inputs", ())}
    made = Artifact(records={"content": content, **more.pop("records", {})}, **more)
    return store.publish(
        f"{USE_CASE}/{artifact}", week, made, inputs=inputs, code={}, run="r", action_key="k",
        created_at=f"2013-07-01T10:{at}:00+00:00",
    )  # fmt: skip


def raw(store: AssetStore, week: str, content: str = "", at: str = "10") -> Ref:
    """The landed files of a week."""
    files = {
        table: {"file": path, "sha256": version_of(path, content), "rows": 1, "bytes": 1}
        for table, path in ((table, form.format(week)) for table, form in FILES.items())
    }
    return publish(store, "raw_data", week, [week, content], at, about={"files": files})


def trained(store: AssetStore, features: list[Ref], at: str = "10") -> Ref:
    """A model trained on these feature tables."""
    used = TrainingSet.of(FLIGHT_DELAYS, {ref.partition: ref.data_version for ref in features})
    reference = Reference(training_set=used, data_version=version_of("rows"), train_rows=9, validation_rows=1)
    return publish(
        store, "trained_model", features[-1].partition, "model", at, inputs=features,
        records={RECORD: reference.to_json()},
    )  # fmt: skip
