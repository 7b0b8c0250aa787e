"""The metric slice by slice: every row once, the naive loop's numbers, and a name only for what is beyond chance."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlops_assets.core.frames import to_frame
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.slice_labels import slice_labels
from mlops_assets.core.slices import SliceReport, slices
from mlops_assets.declare import DataError, DeclarationError, Promotion, Task
from mlops_assets.declare.promotion import METRICS_OF

GATE = Promotion(metric="brier", margin=0.001, slices=("depot", "weight"), min_slice_rows=50)


def world(seed=0, days=14, per_day=60, shift=0.0):
    """Challenger, champion, features: parcels of four depots (one rare, some null) and a weight; equally good models.

    Each day moves both models' answers its own way, as a storm would. `shift` spoils the challenger in the south.
    """
    random = np.random.default_rng(seed)
    count = days * per_day
    day = np.arange(count) // per_day
    label = random.random(count) < 0.4
    depot = random.choice(
        np.array(["east", "north", "south", "west", None], dtype=object), count, p=[0.3, 0.3, 0.3, 0.02, 0.08]
    )
    storm = random.normal(0, 0.06, days)[day]
    plain = np.where(label, 0.55, 0.3) + random.normal(0, 0.08, count)
    requests = pd.DataFrame(
        {
            "parcel": np.arange(count),
            "as_of": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(day, unit="D"),
            "block": [f"2024-01-{1 + n:02}" for n in day],
            "label": label,
        }
    )
    mine = plain + storm - shift * (depot == "south") * np.where(label, 1, -1)
    features = pd.DataFrame(
        {"parcel": np.arange(count), "depot": depot, "weight": random.normal(10, 3, count).round(1)}
    )
    return *(requests.assign(prediction=np.clip(p, 0.01, 0.99)) for p in (mine, plain - storm)), features


def naive(challenger, champion, features, feature, holds, metric, alpha):
    """One slice in the most obvious words."""
    wanted = {row["parcel"] for _, row in features.iterrows() if holds(row[feature])}
    ours, theirs = (side[[n in wanted for n in side["parcel"]]] for side in (challenger, champion))

    def gain(kept):
        return METRIC[metric].gain(
            *(METRIC[metric].of(s["label"][kept], s["prediction"][kept]) for s in (ours, theirs))
        )

    days = sorted(set(ours["block"]))
    without = [gain((ours["block"] != day).to_numpy()) for day in days]
    mean = sum(without) / len(days)
    error = math.sqrt((len(days) - 1) / len(days) * sum((value - mean) ** 2 for value in without))
    reach = stats.t.ppf(1 - alpha, len(days) - 1) * error
    gained = gain(np.ones(len(ours), dtype=bool))
    return len(ours), len(days), gained, error, gained - reach, gained + reach


@pytest.mark.parametrize(("task", "metric"), [(task, name) for task, names in METRICS_OF.items() for name in names])
def test_every_slice_equals_the_naive_loop(task, metric):
    challenger, champion, features = world()
    if task is Task.REGRESSION:
        challenger, champion = (side.astype({"label": float}) for side in (challenger, champion))
    report = slices(replace(GATE, metric=metric), challenger, champion, features, task)

    low, mid, high = np.quantile(features["weight"], [0.25, 0.5, 0.75], method="inverted_cdf")
    cuts = {
        "depot = east": ("depot", lambda value: value == "east"),
        "depot = north": ("depot", lambda value: value == "north"),
        "depot = south": ("depot", lambda value: value == "south"),
        "depot is other (west)": ("depot", lambda value: value == "west"),
        "depot is null": ("depot", lambda value: value is None),
        f"weight <= {low}": ("weight", lambda value: value <= low),
        f"{low} < weight <= {mid}": ("weight", lambda value: low < value <= mid),
        f"{mid} < weight <= {high}": ("weight", lambda value: mid < value <= high),
        f"weight > {high}": ("weight", lambda value: value > high),
    }
    assert [one.label for one in report.slices] == list(cuts) and report.told == 8
    for one in report.slices:
        if one.label == "depot is other (west)":
            assert one.untold == f"{one.rows} rows, 50 are the least that tell" and one.upper is None
            assert one.improvement is not None
            continue
        wanted = naive(challenger, champion, features, *cuts[one.label], metric, GATE.alpha / 8)
        found = (one.rows, one.blocks, one.improvement, one.standard_error, one.lower, one.upper)
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12), one.label


VALUES = st.one_of(
    st.lists(st.sampled_from(["a", "b", "other", "null", "is null", None]), min_size=1, max_size=80),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=80),
    st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300)), min_size=1, max_size=80),
    st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=80),
)
DTYPES = {str: "string[pyarrow]", int: "Int64", float: "float64", bool: "boolean"}


@given(VALUES, st.integers(1, 10), st.randoms(use_true_random=False))
def test_slices_partition_the_rows_whatever_their_order(values, least, random):
    kind = next((type(value) for value in values if value is not None), str)
    column = pd.Series(values, dtype=DTYPES[kind])
    shuffled = list(range(len(values)))
    random.shuffle(shuffled)

    labels, others = slice_labels("x", column, least), slice_labels("x", column.iloc[shuffled], least)

    assert sorted(set(labels.of_row)) == sorted(labels.order) and len(set(labels.order)) == len(labels.order)
    assert others.order == labels.order and list(others.of_row) == [labels.of_row[n] for n in shuffled]
    assert [text == "x is null" for text in labels.of_row] == [value is None for value in values]
    for one, text in zip(values, labels.of_row, strict=True):  # rows of one value stay together
        assert all(labels.of_row[n] == text for n, other in enumerate(values) if other == one and one is not None)


def test_values_called_other_and_null_are_told_from_the_fold_and_from_null():
    column = pd.Series(["other"] * 5 + ["null"] * 5 + ["rare"] + [None] * 5)

    assert slice_labels("x", column, 3).order == ("x = null", "x = other", "x is other (rare)", "x is null")


def test_many_rare_values_are_counted_and_few_numbers_stand_alone():
    tails = slice_labels("tail", pd.Series([f"N{n}" for n in range(40)]), 2)
    weekdays = slice_labels("weekday", pd.Series(list(range(7)) * 3, dtype="Int64"), 2)

    assert tails.order == ("tail is other (40 values)",)
    assert weekdays.order == tuple(f"weekday = {n}" for n in range(7))


def test_ties_leave_fewer_than_four_parts():
    assert slice_labels("rain", pd.Series([0.0] * 80 + [n / 10 for n in range(1, 21)]), 1).order == (
        "rain <= 0.0",
        "rain > 0.0",
    )


@settings(max_examples=10)
@given(st.permutations(["east", "north", "south", "west"]), st.integers(0, 10))
def test_renaming_the_values_or_shuffling_the_rows_changes_no_number(names, seed):
    challenger, champion, features = world()
    new = dict(zip(["east", "north", "south", "west"], names, strict=True))
    renamed = features.assign(depot=features["depot"].map(new, na_action="ignore")).sample(frac=1, random_state=seed)

    plain = slices(GATE, challenger, champion, features, Task.CLASSIFICATION)
    other = slices(GATE, challenger.sample(frac=1, random_state=seed), champion, renamed, Task.CLASSIFICATION)

    def numbers(report):
        return sorted(
            (one.feature, one.rows, one.says, repr(one.improvement), repr(one.upper)) for one in report.slices
        )

    assert [row[:3] for row in numbers(plain) if "least" not in row[2]] and len(plain.slices) == len(other.slices)
    assert numbers(plain) == numbers(other)
    for feature in GATE.slices:
        assert sum(one.rows for one in plain.slices if one.feature == feature) == plain.rows == len(challenger)


def test_a_slice_that_is_worse_beyond_chance_is_named_with_its_numbers():
    depots = replace(GATE, slices=("depot",))
    report = slices(depots, *world(shift=0.15), Task.CLASSIFICATION)
    (south,) = (one for one in report.slices if one.label == "depot = south")

    assert south.says == "worse beyond chance"
    assert report.sentence == (
        f"Worse for depot = south beyond chance: brier {south.challenger:.4f} against {south.champion:.4f}, "
        f"{south.improvement:+.4f} (at most {south.upper:+.2g}, {south.rows} rows); "
        "alpha 0.05 split over 4 slices (Bonferroni), 1 more untold."
    )
    assert "depot = south" not in slices(depots, *world(shift=-0.15), Task.CLASSIFICATION).sentence


def test_without_a_difference_a_slice_is_seldom_named():
    """Equally good models under storms: the sentence names any slice in about alpha of the trials or fewer."""
    named = sum("Worse" in slices(GATE, *world(seed=seed), Task.CLASSIFICATION).sentence for seed in range(100))

    assert named <= 10  # 100 x .05 = 5, and 10 is two standard errors more; met: 3


def test_too_few_days_or_broken_answers_are_untold():
    challenger, champion, features = world(days=4)
    few = slices(GATE, challenger, champion, features, Task.CLASSIFICATION)
    challenger, champion, features = world()
    challenger.loc[features["depot"] == "south", "prediction"] = np.nan
    broken = slices(GATE, challenger, champion, features, Task.CLASSIFICATION)
    south = next(one for one in broken.slices if one.label == "depot = south")

    assert few.told == 0 and few.slices[0].untold == "4 days, 5 are the least that tell"
    assert few.sentence == (
        "No slice of depot, weight can be told, all 9 lack bounds: depot = east, 4 days, 5 are the least that tell."
    )
    assert south.improvement is None and south.untold.startswith("the challenger's answer to 2")


def test_an_auc_of_one_class_is_untold():
    challenger, champion, features = world()
    features["depot"] = np.where(challenger["label"], "late", "punctual")

    report = slices(replace(GATE, metric="auc", slices=("depot",)), challenger, champion, features, Task.CLASSIFICATION)

    assert [one.untold for one in report.slices] == ["auc needs both classes"] * 2


def test_a_report_survives_json_and_becomes_a_table():
    report = slices(GATE, *world(), Task.CLASSIFICATION)

    record = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert SliceReport.from_json(record) == report and record["sentence"] == report.sentence
    assert [row["slice"] for row in report.table()] == [one.label for one in report.slices]
    assert report.table()[0]["says"] == "no difference beyond chance"


def test_without_declared_slices_nothing_is_reported():
    report = slices(replace(GATE, slices=()), *world(), Task.CLASSIFICATION)

    assert report.slices == () and report.sentence == "No slices are declared."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda features: features.iloc[1:], r"request \{'parcel': 0\} has no features \(1 of 840 judged rows\)"),
        (lambda features: pd.concat([features, features.iloc[:1]]), "stands more than once in the features"),
        (lambda features: features.drop(columns="weight"), r"have no column \['weight'\]"),
        (lambda features: features.drop(columns="parcel"), r"have no column \['parcel'\]"),
    ],
)
def test_features_that_do_not_match_the_judged_rows_are_refused(change, said):
    challenger, champion, features = world()

    with pytest.raises(DataError, match=said):
        slices(GATE, challenger, champion, change(features), Task.CLASSIFICATION)


def test_features_of_rows_that_were_not_judged_change_nothing():
    challenger, champion, features = world()
    more = pd.concat([features, features.assign(parcel=features["parcel"] + 10_000, depot="elsewhere")])

    assert slices(GATE, challenger, champion, more, Task.CLASSIFICATION) == slices(
        GATE, challenger, champion, features, Task.CLASSIFICATION
    )


def test_rows_read_from_the_store_give_the_same_report():
    sides = world()
    stored = [to_frame(pa.Table.from_pandas(side, preserve_index=False)) for side in sides]

    assert slices(GATE, *stored, Task.CLASSIFICATION) == slices(GATE, *sides, Task.CLASSIFICATION)


def test_a_slice_may_be_a_column_of_the_key():
    challenger, champion, features = world()
    named = [side.assign(depot=features["depot"].fillna("none")) for side in (challenger, champion)]
    keyed = features.assign(depot=features["depot"].fillna("none"))

    report = slices(GATE, *named, keyed, Task.CLASSIFICATION)

    assert "depot = none" in [one.label for one in report.slices]


def test_a_metric_of_another_task_is_a_wrong_declaration():
    with pytest.raises(DeclarationError, match="mae"):
        slices(replace(GATE, metric="mae"), *world(), Task.CLASSIFICATION)
