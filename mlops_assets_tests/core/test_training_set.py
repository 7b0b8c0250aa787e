"""A training set by reference: what names it, and that its rows are the model's rows, whatever is declared by then."""

import json
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.row_selection import Selection
from mlops_assets.core.training_set import Reference, TrainingSet, reference, rows_by_week
from mlops_assets.core.training_window import training_window
from mlops_assets.core.versions import table_version
from mlops_assets.declare import DataError, Task
from mlops_assets_tests.core import tiny

VERSIONS = {week: f"{place:064x}" for place, week in enumerate(tiny.WEEKS)}


def tables(**how: int) -> dict[str, pa.Table]:
    return {week: to_table(frame) for week, frame in tiny.weeks(**how).items()}


@pytest.fixture(scope="module")
def named() -> TrainingSet:
    return TrainingSet.of(tiny.use_case(), VERSIONS)


@pytest.mark.parametrize(
    "other",
    [
        TrainingSet.of(tiny.use_case(), VERSIONS | {tiny.WEEKS[0]: "f" * 64}),
        TrainingSet.of(tiny.use_case(), {week: VERSIONS[week] for week in tiny.WEEKS[1:]}),
        TrainingSet.of(tiny.use_case(max_rows=400), VERSIONS),
        TrainingSet.of(tiny.use_case(validation_weeks=1), VERSIONS),
        TrainingSet.of(tiny.use_case(excluded=("fragile",)), VERSIONS),
        TrainingSet.of(tiny.use_case(task=Task.REGRESSION), VERSIONS),
    ],
    ids=["a version", "the weeks", "max_rows", "validation_weeks", "the features", "the label"],
)
def test_each_thing_that_decides_the_rows_gives_another_name(named: TrainingSet, other: TrainingSet) -> None:
    assert other.name != named.name


def test_a_name_is_the_same_in_whatever_order_the_weeks_came_and_says_whose_it_is(named: TrainingSet) -> None:
    backwards = TrainingSet.of(tiny.use_case(), dict(reversed(VERSIONS.items())))

    assert backwards.name == named.name
    assert named.name.startswith("parcels/ts-")


def test_what_only_words_a_feature_gives_no_other_name(named: TrainingSet) -> None:
    case = tiny.use_case()
    worded = replace(case, features=tuple(replace(f, doc="in other words", unit="kg") for f in case.features))

    assert TrainingSet.of(worded, VERSIONS).name == named.name


def test_a_reference_survives_json_and_a_forged_one_is_refused(named: TrainingSet) -> None:
    made = Reference(training_set=named, data_version="a" * 64, train_rows=3, validation_rows=2)
    record = json.loads(json.dumps(made.to_json()))
    record["set"]["weeks"][tiny.WEEKS[0]] = "f" * 64

    assert Reference.from_json(made.to_json()) == made
    with pytest.raises(DataError, match="is recorded with the content of"):
        Reference.from_json(record)
    with pytest.raises(DataError, match="before training sets were recorded"):
        Reference.recorded({}, "parcels/trained_model@2024-01-29#1")


@pytest.mark.parametrize("max_rows", [10_000, 400])
@pytest.mark.parametrize("task", list(Task))
def test_the_rows_of_the_set_are_the_rows_the_model_saw(task: Task, max_rows: int) -> None:
    case = tiny.use_case(task=task, max_rows=max_rows)
    trained = fit(case, tiny.weeks())
    train, validation, account = training_window(case, tiny.weeks())
    rows = to_frame(TrainingSet.of(case, VERSIONS).table(tables()))

    assert rows["_role"].value_counts().to_dict() == {
        "train": account.train_rows,
        "validation": account.validation_rows,
    }
    for role, side in (("train", train), ("validation", validation)):
        mine = rows[rows["_role"] == role]
        assert mine["parcel"].tolist() == side.frame["parcel"].tolist()
        assert mine[case.label.column].astype(float).tolist() == side.label.tolist()
    again = fit(replace(case, model=replace(case.model, min_weeks=3)), dict(iter(rows.groupby("_week"))))
    assert model_digest(again.estimator) == model_digest(trained.estimator)


def test_the_reference_made_while_training_is_the_version_of_the_table_made_from_the_record(
    named: TrainingSet,
) -> None:
    train, validation, _ = training_window(tiny.use_case(), tiny.weeks())
    made = reference(named, train, validation)
    table = named.table(tables())

    assert made.data_version == table_version(table)
    assert (made.train_rows, made.validation_rows) == (len(train.label), len(validation.label))
    assert sum(rows_by_week(table).values()) == made.train_rows + made.validation_rows


def test_rows_lie_in_the_order_of_training_and_hold_the_proof_of_both_rules(named: TrainingSet) -> None:
    table = named.table(tables())
    rows = to_frame(table)

    assert table.column_names == [
        "asked", "parcel", "depot", "weight", "stops", "fragile", "late", "label_known_at", "_week", "_role",
    ]  # fmt: skip
    assert rows["asked"].is_monotonic_increasing
    cutoffs = rows["_week"].map({week: pd.Timestamp(named.selection.label_cutoff(week)) for week in tiny.WEEKS})
    assert (rows["label_known_at"] <= cutoffs).all()


def test_the_order_of_a_weeks_rows_changes_no_byte(named: TrainingSet) -> None:
    shuffled = {week: to_table(frame.sample(frac=1, random_state=3)) for week, frame in tiny.weeks().items()}

    assert named.table(shuffled).equals(named.table(tables()))


def test_a_set_needs_no_declaration_to_be_made_again() -> None:
    before = TrainingSet.of(tiny.use_case(max_rows=400), VERSIONS)
    read_back = TrainingSet.from_json(json.loads(json.dumps(before.to_json())))

    assert read_back == before
    assert read_back.table(tables()).equals(before.table(tables()))


def test_other_weeks_than_it_names_are_refused(named: TrainingSet) -> None:
    with pytest.raises(DataError, match="names the weeks"):
        named.table({week: table for week, table in tables().items() if week != tiny.WEEKS[0]})


def test_the_rules_are_told_in_words(named: TrainingSet) -> None:
    assert named.as_of_rule == (
        "Asked at asked: a feature saw what was known by then (known_at <= asked); a label (late) counts when known "
        "by 2 days after its week's end."
    )
    assert "The last 2 weeks judge, of the earlier ones the newest 10,000 rows train" in named.left_side
    assert Selection.declared(tiny.use_case()) == named.selection
