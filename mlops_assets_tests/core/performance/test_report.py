"""A window's report: its state with the reason, whatever the order of its rows, and never a guess where labels lack."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.metrics import measure
from mlops_assets.core.performance import Detector, reference_level
from mlops_assets.core.signals import Concept
from mlops_assets.declare import Task
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.core.performance.worlds import LEVEL, POLICY, cohort, regression, report, use_case

GOOD, BAD = [0.05] * 7, [0.05] * 3 + [0.4] * 4
QUIET = {"calibration": None}


def test_a_model_as_good_as_it_was_is_ok_with_its_numbers() -> None:
    rows = cohort(GOOD)
    found = report(rows, use_case(**QUIET))
    wrong = ((rows["prediction"] > 0.5) != (rows["label"] == 1)).mean()

    assert found.state is Concept.OK
    assert found.sentence.startswith(f"ok: {wrong * 100:.1f} % of 700 answers were wrong, 10.0 % was the most its")
    assert (found.rows, found.settled, found.labelled, found.unanswered) == (700, 700, 700, 0)
    assert found.detector.labels == 700
    assert found.alarms == ()


def test_the_metrics_are_the_tasks_own_with_bounds_around_them_and_their_reference_beside() -> None:
    rows = cohort(GOOD)
    found = report(rows)

    assert {f.name: f.value for f in found.metrics} == measure(Task.CLASSIFICATION, rows["label"], rows["prediction"])
    assert all(f.low < f.value < f.high for f in found.metrics)  # type: ignore[operator]  # all have bounds
    assert {f.name: f.reference for f in found.metrics} == {"log_loss": None, "brier": None, "auc": 0.9}


def test_more_errors_are_concept_drift_told_with_the_day_and_the_label() -> None:
    found = report(cohort(BAD), use_case(**QUIET))
    (first, *_) = found.alarms

    assert found.state is Concept.DRIFT
    assert first.as_of.startswith("2024-01-04T") and 300 < first.labels < 400
    assert f"alarm on 2024-01-04 after {first.labels} labels" in found.sentence
    assert (
        found.sentence.startswith("concept drift: ") and "10.0 % was the most its validation allows" in found.sentence
    )
    assert found.evidence == 1


def test_evidence_is_carried_from_window_to_window() -> None:
    case, rows = use_case(**QUIET), cohort([0.16] * 10)
    halves = rows[rows["block"] < "2024-01-06"], rows[rows["block"] >= "2024-01-06"]
    first = report(halves[0], case)
    second = report(halves[1], case, before=Detector.from_json(json.loads(json.dumps(first.detector.to_json()))))

    assert second.detector == report(rows, case).detector
    assert second.before == first.detector


@pytest.mark.parametrize(
    ("changes", "wanted", "said"),
    [
        ({"matured": False}, {}, "labels of this window are trusted from 2024-01-10T00:00Z on"),
        ({}, {"known": 0.41}, "41 % of outcomes are known, 90 % are needed"),
        ({}, {"known": 0.8996}, "89.9 % of outcomes are known, 90 % are needed"),
        ({}, {"labels": 99}, "99 answers have a label, 100 are needed"),
        ({}, {"labels": 0}, "0 answers have a label, 100 are needed"),
        ({}, {"rows": 0}, "there are no requests"),
    ],
)
def test_too_few_labels_are_said_and_leave_the_detector_as_it_was_to_the_bit(
    changes: dict[str, bool], wanted: dict[str, float], said: str
) -> None:
    rows = cohort([0.9] * 10, per_day=1_000)
    if "known" in wanted:
        rows["known"] = np.arange(len(rows)) < wanted["known"] * len(rows)
    if "labels" in wanted:
        rows.loc[int(wanted["labels"]) :, "label"] = math.nan
    rows = rows[: int(wanted.get("rows", len(rows)))]
    before = Detector.start(POLICY, LEVEL).fold([1.0, 0.0, 0.0])
    found = report(rows, before=before, **changes)

    assert found.state is Concept.UNKNOWN
    assert found.sentence == f"insufficient labels: {said}."
    assert found.detector == before
    assert (found.metrics, found.loss, found.calibration, found.slices) == ((), None, None, ())
    assert report(rows, **changes).detector == Detector.start(POLICY, LEVEL)


def test_a_label_seen_before_its_outcome_is_known_does_not_count() -> None:
    rows = cohort(GOOD)
    rows.loc[::20, ["known", "label"]] = [False, 1.0]

    assert report(rows).labelled == 700 - 35


def test_predicted_and_actual_apart_beyond_chance_are_worth_a_look() -> None:
    rows = cohort(GOOD).assign(prediction=lambda r: np.where(r["prediction"] > 0.5, 0.95, 0.2))
    found = report(rows)
    means = f"predicted {rows['prediction'].mean() * 100:.1f} %, actual {rows['label'].mean() * 100:.1f} %"
    gap = (rows["prediction"] - rows["label"]).mean()

    assert found.state is Concept.WATCH
    assert found.sentence == f"watch: {means}, {gap * 100:+.1f} points beyond chance."
    assert found.gap is not None and found.gap.low > 0


def test_so_far_apart_as_is_declared_they_are_concept_drift() -> None:
    rows = cohort(GOOD).assign(prediction=lambda r: np.where(r["prediction"] > 0.5, 0.95, 0.2))

    assert report(rows, use_case(miscalibrated=0.06)).state is Concept.DRIFT
    assert report(rows, use_case(miscalibrated=0.06)).sentence.endswith(" points beyond chance, 6.0 points is drift.")
    assert report(rows, use_case(miscalibrated=0.06)).alarms == ()
    assert report(rows, use_case(miscalibrated=0.5)).state is Concept.WATCH


def test_a_loss_above_the_level_beyond_chance_is_worth_a_look_before_it_is_evidence() -> None:
    found = report(cohort([0.16] * 7), use_case(patience=10**12, calibration=None))

    assert found.state is Concept.WATCH
    assert found.loss is not None and found.loss.low > LEVEL.bound
    assert "at least " in found.sentence and " % beyond chance" in found.sentence


def test_fewer_than_five_days_give_figures_without_bounds() -> None:
    found = report(cohort(BAD[2:5]))

    assert all(f.value is not None and f.low is None and f.high is None for f in found.metrics)
    assert found.gap is not None and found.gap.low is None


def test_one_class_alone_has_no_auc_and_all_else() -> None:
    found = report(cohort(GOOD, late=0.0), use_case(**QUIET))

    assert {f.name for f in found.metrics if f.value is None} == {"auc"}
    assert found.state is Concept.OK


def test_a_prediction_that_is_none_counts_as_wrong_and_is_told() -> None:
    rows = cohort([0.0] * 7)
    rows.loc[:69, "prediction"] = math.nan
    found = report(rows)

    assert found.loss is not None and found.loss.value == 0.1
    assert found.unanswered == 70
    assert "70 predictions are none and count as wrong" in found.sentence
    assert report(rows.assign(prediction=math.nan)).state is Concept.DRIFT


def test_a_slice_worse_than_its_validation_allows_is_named_and_sets_no_state() -> None:
    rows = cohort([0.02] * 7, per_day=400, late=0.3)
    south = (rows["depot"] == "south") & (np.arange(len(rows)) % 6 == 0)
    rows.loc[south, "prediction"] = 1 - rows.loc[south, "prediction"]
    found = report(rows, use_case(calibration=None, patience=10**9))
    worse = [one.label for one in found.slices if one.worse]

    assert found.state is Concept.OK
    assert worse == ["depot = south"]
    assert "worse than that beyond chance for depot = south" in found.sentence
    assert sum(one.rows for one in found.slices) == len(rows)


def test_the_days_of_slices_all_alike_name_none_wrongly_more_often_than_chance() -> None:
    named = [
        any(one.worse for one in report(cohort([0.1] * 7, seed=seed), use_case(**QUIET)).slices) for seed in range(60)
    ]

    assert np.mean(named) <= 0.12


def test_a_regression_speaks_in_the_unit_of_its_label() -> None:
    random, case = np.random.default_rng(1), regression()
    label = random.normal(30, 5, 700)
    rows = cohort(GOOD).drop(columns="depot").assign(label=label, prediction=label + random.normal(0, 2, 700))
    level = reference_level(case.concept, Task.REGRESSION, rows)
    shifted = rows.assign(prediction=rows["prediction"] + 6)

    assert "the mean error of 700 answers was 1." in report(rows, case, level=level).sentence
    assert "(each cut at 20 min)" in report(rows, case, level=level).sentence
    found = report(shifted, case, level=level)
    assert found.state is Concept.DRIFT
    assert [f.name for f in found.metrics] == ["mae", "rmse"]
    assert " min beyond chance" in found.sentence


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing_to_the_bit(seed: int) -> None:
    rows = cohort(BAD, per_day=60)
    rows["as_of"] = rows["as_of"].dt.floor("h")  # many at one instant: the key decides
    shuffled = rows.sample(frac=1, random_state=seed)

    assert report(shuffled).to_json() == report(rows).to_json()


def test_the_record_is_plain_json() -> None:
    huge = cohort(GOOD).assign(prediction=1.7e308)
    worlds = [(rows, use_case()) for rows in (cohort(BAD), cohort(GOOD, late=0.0), cohort([]), cohort(GOOD[:2]), huge)]
    for rows, case in [*worlds, (huge, regression())]:
        record = report(rows, case).to_json()

        assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_outcomes_declared_independent_have_bounds_over_rows() -> None:
    found = report(cohort([0.05] * 2, per_day=350), use_case(block=None, calibration=None))

    assert found.state is Concept.OK
    assert found.loss is not None and found.loss.low is not None


def test_what_cannot_be_judged_is_refused_by_column_value_and_rule() -> None:
    rows = cohort(GOOD)
    with pytest.raises(DataError, match=r"column 'label' holds 3\.0"):
        report(rows.assign(label=3.0))
    with pytest.raises(DataError, match=r"no column \['known', 'depot'\]"):
        report(rows.drop(columns=["known", "depot"]))
    with pytest.raises(DataError, match=r"request \{'parcel': 0\} twice"):
        report(pd.concat([rows, rows[:1]]))
    with pytest.raises(DataError, match="column 'as_of' is null in 700 rows"):
        report(rows.assign(as_of=pd.NaT))
    with pytest.raises(DataError, match="no column of the request's key"):
        report(rows.drop(columns="parcel"))
    with pytest.raises(DataError, match="start with none"):
        report(rows, before=Detector.start(use_case(patience=7).concept, LEVEL))
