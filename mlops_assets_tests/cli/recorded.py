"""A project with two registered models: store, tracker and records, as they are after two weekly runs."""

from pathlib import Path

from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.lineage import Prediction
from mlops_assets.stores.records.registered import lineage_of
from mlops_assets.stores.registry import CHALLENGER, CHAMPION, Registry
from mlops_assets.stores.settings import Settings, settings
from mlops_assets_tests.stores.records.clerk import alias
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, model, publish, raw, trained

ANSWER = "0f1ac84e-0000-45f1-8aa5-a11fb6ad6b9c"  # id of a prediction of version 1


def places(folder: Path) -> Settings:
    """Everything below one folder."""
    return settings({"MLOPS_DATA": str(folder)})


def registry(folder: Path) -> Registry:
    return Registry(places(folder).tracking_uri, places(folder).artifacts)


def build(folder: Path) -> None:
    """Version 1 is champion, version 2 waits as challenger; the tracker agrees."""
    store, tracker = AssetStore(places(folder).store), registry(folder)
    tracker.client.create_registered_model(USE_CASE)
    tracker.client.create_registered_model("somebody_elses")
    tracker.client.create_model_version("somebody_elses", source=(folder / "elsewhere").as_uri())
    with Records(places(folder).records) as records:
        for version in (1, 2):
            tables = []
            for week in WEEKS[: version + 1]:
                clean = publish(store, "validated_dataset", week, ["valid", week], inputs=[raw(store, week)])
                tables.append(publish(store, "feature_table", week, ["features", week], inputs=[clean]))
            ref = trained(store, tables)
            told = model(version, version + 1)
            tags = {name: str(getattr(told, name)) for name in (
                "use_case", "partition", "model_digest", "data_version", "training_set", "training_set_data_version",
                "commit", "dirty", "dagster_run", "seed",
            )}  # fmt: skip
            tags |= {"trained_model": ref.data_version, "gate": "PASS", "gate_sentence": "PASS: better by 0.1."}
            tags |= {"metric/validation_log_loss": "0.5", "library/numpy": "2.4.6"}
            tracker.client.create_model_version(USE_CASE, source=(folder / str(version)).as_uri(), tags=tags)
            found = tracker.get(USE_CASE, version)
            records.ledger.append(
                at="2013-07-01T09:00:00Z", use_case=USE_CASE, kind="registered", subject=f"{USE_CASE}@{version}",
                who="run r", why=f"trained on {version + 1} weeks", evidence={}, once=f"registered/{version}",
            )  # fmt: skip
            records.register(lineage_of(store, found, registered_at="2013-07-01T09:00:00Z"))
        alias(records, CHAMPION, 1, 2)
        alias(records, CHALLENGER, 2, 4)
        answered = {"arm": CHAMPION, "as_of": "2013-07-03T08:00:00Z", "answered_at": "2013-07-03T08:00:01Z"}
        records.lineage.add_predictions([Prediction(id=ANSWER, use_case=USE_CASE, version=1, **answered)])
    tracker.set_alias(CHAMPION, tracker.get(USE_CASE, 1))
    tracker.set_alias(CHALLENGER, tracker.get(USE_CASE, 2))
