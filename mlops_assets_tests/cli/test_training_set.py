"""`mlops training-set`: what a week's model was trained on, by week or by name, and its bytes in a file."""

from pathlib import Path

import pytest

from mlops_assets import definitions
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.frames import to_table
from mlops_assets.core.training_set import RECORD, Reference, TrainingSet, reference
from mlops_assets.core.training_window import training_window
from mlops_assets.core.versions import table_version
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.files import read_table
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.core import tiny

LAST = tiny.WEEKS[-1]


def publish(store: AssetStore, artifact: str, week: str, content: Artifact) -> str:
    facts = {"inputs": {}, "code": {}, "run": "r", "action_key": "k", "created_at": "2024-03-01T00:00:00Z"}
    return store.publish(f"parcels/{artifact}", week, content, **facts).data_version


def trained(folder: Path, seed: int = 0) -> Reference:
    """The records of a model on five weeks of parcels, in a store below `folder`; `seed` makes other weeks."""
    store, frames = AssetStore(folder / "store"), tiny.weeks(seed=seed)
    weeks = {
        week: publish(store, "feature_table", week, Artifact(tables={"features": to_table(frame)}))
        for week, frame in frames.items()
    }
    train, validation, _ = training_window(tiny.use_case(), frames)
    made = reference(TrainingSet.of(tiny.use_case(), weeks), train, validation)
    publish(store, "trained_model", LAST, Artifact(records={RECORD: made.to_json()}))
    return made


@pytest.fixture
def told(mlops: Mlops, monkeypatch: pytest.MonkeyPatch) -> Mlops:
    monkeypatch.setattr(definitions, "USE_CASES", (tiny.use_case(),))
    return mlops


def test_it_prints_name_version_rows_rule_and_a_line_for_each_week(told: Mlops, tmp_path: Path) -> None:
    made = trained(tmp_path)
    answer = told("training-set", "parcels", LAST)

    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["training", "set", made.name]
    assert lines[1].split() == ["data", "version", made.data_version]
    assert f"{made.train_rows:,} train, {made.validation_rows:,} judge" in lines[2]
    assert "known_at <= asked" in answer.out
    assert [line.split()[:2] for line in lines[-5:]] == [
        [week, "train" if place < 3 else "validation"] for place, week in enumerate(tiny.WEEKS)
    ]


def test_out_writes_a_file_of_that_data_version_and_twice_the_same_bytes(told: Mlops, tmp_path: Path) -> None:
    made = trained(tmp_path)
    one, other = tmp_path / "one.parquet", tmp_path / "new" / "other.parquet"

    assert told("training-set", "parcels", LAST, "--out", str(one)).code == 0
    assert told("training-set", "parcels", "--name", made.name, "--out", str(other)).code == 0
    assert one.read_bytes() == other.read_bytes()
    assert table_version(read_table(one)) == made.data_version
    assert [path.name for path in other.parent.iterdir()] == ["other.parquet"]


def test_a_name_is_found_after_the_week_was_trained_anew_on_other_versions(told: Mlops, tmp_path: Path) -> None:
    first, second = trained(tmp_path), trained(tmp_path, seed=1)
    by_week = told("training-set", "parcels", LAST, "--json").json
    by_name = told("training-set", "parcels", "--name", first.name.split("/")[1], "--json").json

    assert (by_week["name"], by_week["data_version"]) == (second.name, second.data_version)
    assert (by_name["name"], by_name["data_version"]) == (first.name, first.data_version)


def test_json_has_the_whole_record(told: Mlops, tmp_path: Path) -> None:
    made = trained(tmp_path)
    said = told("training-set", "parcels", LAST, "--json").json

    assert [week["feature_table"] for week in said["weeks"]] == list(made.training_set.weeks.values())
    assert sum(week["rows"] for week in said["weeks"]) == said["train_rows"] + said["validation_rows"]
    assert said["selection"] == made.training_set.selection.to_json()
    assert said["features_digest"] == made.training_set.features_digest


def test_rows_that_are_not_the_recorded_ones_are_refused_and_nothing_is_written(told: Mlops, tmp_path: Path) -> None:
    made = trained(tmp_path)
    forged = made.to_json() | {"data_version": "0" * 64}
    publish(AssetStore(tmp_path / "store"), "trained_model", LAST, Artifact(records={RECORD: forged}))
    answer = told("training-set", "parcels", LAST, "--out", str(tmp_path / "rows.parquet"))

    assert answer.code == 1
    assert "comes out as data version" in answer.said
    assert not (tmp_path / "rows.parquet").exists()


def test_a_week_without_a_model_and_an_unknown_name_are_refused_in_one_line(told: Mlops, tmp_path: Path) -> None:
    trained(tmp_path)
    for args in ((tiny.WEEKS[0],), ("--name", "ts-0")):
        answer = told("training-set", "parcels", *args)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("refused: ")
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize("args", [(), (LAST, "--name", "ts-0"), (LAST, "--out", "rows.csv"), ("2024-01-30",)])
def test_what_cannot_be_meant_is_a_usage_error(told: Mlops, args: tuple[str, ...]) -> None:
    assert told("training-set", "parcels", *args).code == 2


def test_a_file_that_cannot_be_written_is_refused(told: Mlops, tmp_path: Path) -> None:
    trained(tmp_path)
    answer = told("training-set", "parcels", LAST, "--out", "/proc/rows.parquet")

    assert answer.code == 1
    assert "refused: --out /proc/rows.parquet: could not write" in answer.said
