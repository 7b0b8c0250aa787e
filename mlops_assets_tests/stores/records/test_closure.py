"""A model is closed over everything it was made from, as it was read then."""

from pathlib import Path

import pytest

from mlops_assets.declare import DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records.closure import closure
from mlops_assets.stores.ref import Ref
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, publish, raw, trained, version_of


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(tmp_path / "store")


def validated(store: AssetStore, week: str) -> Ref:
    return publish(store, "validated_dataset", week, ["valid", week], inputs=[raw(store, week)])


def features(store: AssetStore, weeks: list[Ref]) -> Ref:
    return publish(store, "feature_table", weeks[-1].partition, ["features", weeks[-1].partition], inputs=weeks)


def a_model(store: AssetStore) -> tuple[list[Ref], list[Ref], Ref]:
    """Six validated weeks; features of the last five, each looking back a week; a model on those."""
    clean = [validated(store, week) for week in WEEKS[:6]]
    tables = [features(store, clean[n - 1 : n + 1]) for n in range(1, 6)]
    return clean, tables, trained(store, tables)


def test_every_week_is_told_with_its_role_and_the_versions_it_had(store: AssetStore) -> None:
    clean, tables, model = a_model(store)

    found = closure(store, model)

    judging = FLIGHT_DELAYS.model.validation_weeks
    roles = ["lookback", *["train"] * (5 - judging), *["validation"] * judging]
    assert [(week["partition"], week["role"]) for week in found.weeks] == list(zip(WEEKS[:6], roles, strict=True))
    assert [week["feature_table"] for week in found.weeks] == ["", *(ref.data_version for ref in tables)]
    assert [week["validated_dataset"] for week in found.weeks] == [ref.data_version for ref in clean]
    assert [week["raw_data"] for week in found.weeks] == [raw(store, week).data_version for week in WEEKS[:6]]
    assert found.other_inputs == ()


def test_every_landed_file_is_told_with_its_hash(store: AssetStore) -> None:
    _, _, model = a_model(store)

    found = closure(store, model).files

    assert len(found) == 12 and list(found) == sorted(found, key=lambda file: tuple(file.values()))
    first = {"partition": WEEKS[0], "table": "flights", "path": f"flights/{WEEKS[0]}.parquet"}
    assert found[0] == first | {"sha256": version_of(first["path"], "")}


def test_each_ref_is_read_once(store: AssetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, model = a_model(store)
    read: list[tuple[str, str, int]] = []
    really = type(store.refs).read
    monkeypatch.setattr(type(store.refs), "read", lambda *asked: read.append(asked[1:]) or really(*asked))

    closure(store, model)

    assert len(read) == len(set(read)) == 6 + 6 + 5


def test_a_week_that_came_out_the_same_from_other_files_is_told_as_it_was_read(store: AssetStore) -> None:
    week = WEEKS[0]
    first = publish(store, "validated_dataset", week, "same", "10", inputs=[raw(store, week, "one", "10")])
    table = publish(store, "feature_table", week, "features", "20", inputs=[first])
    model = trained(store, [table], "20")
    again = publish(store, "validated_dataset", week, "same", "30", inputs=[raw(store, week, "two", "30")])
    assert (again.data_version, again.generation) == (first.data_version, 2)

    (line,) = closure(store, model).weeks

    assert line["raw_data"] == store.history(f"{USE_CASE}/raw_data", week)[0].data_version
    assert {file["sha256"] for file in closure(store, model).files} >= {version_of(f"flights/{week}.parquet", "one")}


def test_weeks_made_anew_since_change_nothing(store: AssetStore) -> None:
    _, _, model = a_model(store)
    before = closure(store, model)
    raw(store, WEEKS[2], "corrected", "50")
    publish(store, "validated_dataset", WEEKS[2], "corrected", "50")
    publish(store, "feature_table", WEEKS[2], "corrected", "50")

    assert closure(store, model) == before


def test_two_versions_of_one_week_are_both_told(store: AssetStore) -> None:
    old = validated(store, WEEKS[0])
    one = features(store, [old])
    new = publish(store, "validated_dataset", WEEKS[0], "corrected", "20", inputs=[raw(store, WEEKS[0], "new", "20")])
    two = publish(store, "feature_table", WEEKS[1], "x", "30", inputs=[new, validated(store, WEEKS[1])])

    found = closure(store, trained(store, [one, two], "40")).weeks

    assert [(w["partition"], w["role"], w["validated_dataset"]) for w in found if w["partition"] == WEEKS[0]] == [
        (WEEKS[0], "lookback", new.data_version), (WEEKS[0], "validation", old.data_version)
    ]  # fmt: skip


def test_whatever_else_was_read_is_told_too(store: AssetStore) -> None:
    clean, tables, _ = a_model(store)
    trial = publish(store, "trial", WEEKS[5], "trial", inputs=tables)
    records = store.load_ref(trained(store, tables), parts=["training_set"]).records
    model = publish(store, "trained_model", WEEKS[5], "chosen", inputs=[*tables, trial], records=dict(records))

    found = closure(store, model)

    assert found.other_inputs == ({"asset": trial.asset, "partition": WEEKS[5], "data_version": trial.data_version},)
    assert len(found.weeks) == len(clean)


def test_an_input_that_is_gone_or_damaged_is_named(store: AssetStore) -> None:
    clean, _, model = a_model(store)
    path = Path(str(store.refs.place)) / "refs" / clean[2].asset / WEEKS[2] / "00000001.json"
    whole = path.read_bytes()

    path.write_bytes(whole[:-5])
    with pytest.raises(DataError, match=rf"feature_table@.* was made from {clean[2].asset}@{WEEKS[2]} .* is damaged"):
        closure(store, model)
    path.unlink()
    with pytest.raises(DataError, match=rf"was made from {clean[2].asset}@{WEEKS[2]} .* which is gone: bring it back"):
        closure(store, model)


def test_a_model_without_a_training_set_is_refused(store: AssetStore) -> None:
    old = publish(store, "trained_model", WEEKS[0], "old")

    with pytest.raises(DataError, match="before training sets were recorded"):
        closure(store, old)
