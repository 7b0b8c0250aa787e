"""The rows of a training: split by time, known labels only, one order whatever the order given."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.training_window import judged, training_window
from mlops_assets.declare import DataError, Promotion, Task, days
from mlops_assets_tests.core import tiny


def test_the_last_weeks_judge_and_the_earlier_ones_train():
    train, validation, window = training_window(tiny.use_case(), tiny.weeks())

    assert [week.role for week in window.weeks] == ["train"] * 3 + ["validation"] * 2
    assert train.frame["asked"].max() < validation.frame["asked"].min()
    assert window.rows == 1500 and window.train_rows == len(train.label) and window.validation_rows == 571
    assert window.unlabelled == 1500 - window.train_rows - window.validation_rows


def test_a_label_that_came_after_the_weeks_maturity_is_no_truth():
    frames = tiny.weeks()
    end = pd.Timestamp("2024-01-08", tz="Europe/Berlin").tz_convert("UTC") + pd.Timedelta(days=2)
    labelled = frames["2024-01-01"]["late"].notna()
    frames["2024-01-01"].loc[labelled, "label_known_at"] = end
    in_time = training_window(tiny.use_case(), frames)[2].weeks[0].labelled
    frames["2024-01-01"].loc[labelled, "label_known_at"] = end + pd.Timedelta(microseconds=1)
    _, _, window = training_window(tiny.use_case(), frames)

    assert (in_time, window.weeks[0].labelled) == (int(labelled.sum()), 0)


def test_a_label_without_an_instant_is_no_truth():
    frames = tiny.weeks()
    frames["2024-01-01"]["label_known_at"] = pd.NaT

    assert training_window(tiny.use_case(), frames)[2].weeks[0].labelled == 0


def test_max_rows_keeps_the_newest():
    whole, _, _ = training_window(tiny.use_case(), tiny.weeks())
    newest, _, window = training_window(tiny.use_case(max_rows=400), tiny.weeks())

    assert newest.frame.equals(whole.frame.iloc[-400:].reset_index(drop=True))
    assert [week.used for week in window.weeks[:3]] == [0, 113, 287]


def test_the_order_of_rows_and_weeks_changes_nothing():
    frames = tiny.weeks()
    for frame in frames.values():
        frame["asked"] = frame["asked"].dt.floor("h")  # many are asked in the same instant
    shuffled = {key: frames[key].sample(frac=1, random_state=3) for key in reversed(frames)}

    both = zip(training_window(tiny.use_case(), frames), training_window(tiny.use_case(), shuffled), strict=True)
    for one, other in both:
        if hasattr(one, "frame"):
            assert one.frame.equals(other.frame) and np.array_equal(one.label, other.label)
        else:
            assert one == other


def test_judged_rows_carry_key_instant_local_day_label_and_prediction():
    case = tiny.use_case()
    _, validation, _ = training_window(case, tiny.weeks())

    rows = judged(case, validation, np.zeros(len(validation.label)))

    assert list(rows.columns) == ["parcel", "as_of", "block", "label", "prediction"]
    assert str(rows["as_of"].iloc[0]).startswith("2024-01-21 23:50") and rows["block"].iloc[0] == "2024-01-22"
    assert rows["label"].dtype == bool and rows["block"].nunique() == 14


def test_longer_blocks_are_named_by_their_first_day_and_are_the_same_in_every_window():
    case = tiny.use_case(promotion=Promotion(metric="log_loss", margin=0, block=days(3)))
    seen = {}
    for count in (4, 5):  # the second window ends a week later
        _, validation, _ = training_window(case, tiny.weeks(count))
        rows = judged(case, validation, np.zeros(len(validation.label)))
        local = rows["as_of"].dt.tz_convert("Europe/Berlin").dt.date.astype(str)
        for day, block in zip(local, rows["block"], strict=True):
            assert seen.setdefault(day, block) == block

    assert len(seen) > 20 and seen["2024-01-24"] == "2024-01-22" and seen["2024-01-25"] == "2024-01-25"


def broken(change):
    frames = tiny.weeks()
    change(frames)
    return frames


def set_column(key, column, value):
    return lambda frames: frames[key].__setitem__(column, value)


def repeat_key(frames):
    frames["2024-01-08"].loc[:9, "parcel"] = 5


def swap(frames):
    frames["2024-01-01"], frames["2024-01-08"] = frames["2024-01-08"], frames["2024-01-01"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: [f.pop(key) for key in tiny.WEEKS[:3]], "min_weeks == 3 weeks, met 2"),
        (dict.clear, "met 0 (none)"),
        (lambda f: f.pop("2024-01-15"), "week 2024-01-15 is missing between 2024-01-08 and 2024-01-22"),
        (lambda f: f.update({"2024-01-15": tiny.week(2).iloc[:0]}), "week 2024-01-15 has no rows"),
        (lambda f: f["2024-01-15"].drop(columns="weight", inplace=True), "has no column ['weight']"),
        (lambda f: f["2024-01-15"].drop(columns="label_known_at", inplace=True), "has no column ['label_known_at']"),
        (set_column("2024-01-15", "asked", pd.Timestamp("2024-01-16")), "must be instants with a time zone"),
        (set_column("2024-01-15", "late", "yes"), "must be true or false"),
        (swap, "asked outside"),
        (repeat_key, "stands more than once"),
        (lambda f: [f[key].__setitem__("late", None) for key in f], "0 training rows have a label 'late'"),
        (lambda f: [f[key].__setitem__("late", None) for key in tiny.WEEKS[3:]], "0 validation rows"),
        (lambda f: [f[key].__setitem__("late", True) for key in tiny.WEEKS[:3]], "must show both classes"),
        (
            lambda f: [f[key].__setitem__("late", False) for key in tiny.WEEKS[3:]],
            "validation rows have 'late' == False",
        ),
    ],
)
def test_weeks_that_cannot_be_learned_from_are_refused(change, says):
    with pytest.raises(DataError) as refused:
        training_window(tiny.use_case(), broken(change))

    assert says in str(refused.value)


def test_more_weeks_than_declared_are_refused():
    with pytest.raises(DataError, match="at most max_weeks == 4"):
        training_window(tiny.use_case(max_weeks=4), tiny.weeks())


def test_an_infinite_label_is_refused():
    frames = broken(set_column("2024-01-15", "minutes", float("inf")))

    with pytest.raises(DataError, match="infinite"):
        training_window(tiny.use_case(task=Task.REGRESSION), frames)
