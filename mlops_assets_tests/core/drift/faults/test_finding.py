"""Faults in a report: named on the right column, never a reason to act, the same for any order of rows."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.drift import Completeness, DriftReport, Fault, FaultKind, TableVerdict, drift_report, signals_of
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.signals import Data, Prediction
from mlops_assets_tests.core.drift.faults.world import POLICY, reference, week

FULL = Completeness(days_with_rows=7, days=7)
PROFILE = reference()
HEALTHY = week(np.random.default_rng(21), mood=0.1)
INPUTS = [column.name for column in PROFILE.columns if column.name != "score"]


def judged(window: pd.DataFrame, profile: ReferenceProfile = PROFILE) -> DriftReport:
    return drift_report(profile, window, policy=POLICY, importances=None, completeness=FULL)


def broken(window: pd.DataFrame, kind: str, name: str, amount: float, seed: int) -> pd.DataFrame:
    """`window` with one column broken; `amount` 0 .. 1."""
    rng = np.random.default_rng(seed)
    column = window[name]
    if kind == "missing":
        column = column.where(rng.random(len(column)) >= 0.3 + 0.7 * amount)
    elif kind == "stuck":
        column = pd.Series([column.dropna().iloc[seed % 100]] * len(column))
    elif column.dtype == float:
        column = column * np.exp(8 * amount - 4)
    return window.assign(**{name: column})


@given(st.sampled_from(["missing", "stuck", "scale"]), st.sampled_from(INPUTS), st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=60)
def test_no_fault_ever_makes_it_act_however_much_else_drifted(kind: str, name: str, amount: float, seed: int) -> None:
    drifted = HEALTHY.assign(score=HEALTHY["score"] ** 4, late=HEALTHY["late"] + 0.5)
    report = judged(broken(drifted, kind, name, amount, seed))

    assert (report.verdict is TableVerdict.ACT) == (not report.faults)
    if report.faults:
        assert report.data is Data.FAULT
        assert report.prediction is Prediction.DRIFT
        assert "the prediction score 'score' drifted: not acted on while a feed is broken" in report.sentence


@given(st.sampled_from(["missing", "scale"]), st.sampled_from(INPUTS), st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=20)
def test_row_order_changes_no_fault_and_a_report_reads_back_from_json(
    kind: str, name: str, amount: float, seed: int
) -> None:
    window = broken(HEALTHY, kind, name, amount, seed)
    report = judged(window)
    record = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert judged(window.sample(frac=1, random_state=seed)) == report
    assert record["faults"] == [
        {"columns": list(f.columns), "kind": f.kind.value, "sentence": f.sentence} for f in report.faults
    ]
    assert signals_of(record) == (report.data, report.prediction)


@pytest.mark.parametrize("name", INPUTS)
def test_thirty_percent_of_nulls_in_any_column_is_a_fault_of_that_column_alone(name: str) -> None:
    report = judged(broken(HEALTHY, "missing", name, 0.0, 1))

    assert [fault.columns for fault in report.faults] == [(name,)]
    assert report.column(name).fault == "missing"
    assert report.verdict is TableVerdict.WATCH


def test_a_healthy_week_has_no_fault_and_neither_has_a_drifted_one() -> None:
    rng = np.random.default_rng(22)

    for mood in (-1.0, 0.0, 0.5, 3.0):
        assert judged(week(rng, mood=mood)).faults == ()
    assert judged(week(rng, mood=3.0)).data is Data.ACT


def test_a_join_that_stops_matching_is_said_once() -> None:
    report = judged(HEALTHY.assign(seats=np.nan, year=np.nan))

    assert report.faults == (
        Fault(
            columns=("seats", "year"),
            kind=FaultKind.JOIN,
            sentence="seats, year (planes by tailnum): 100 % missing, 17 % before: the join stopped matching",
        ),
    )


def test_a_stable_column_that_moved_for_no_known_reason_is_a_fault_all_the_same() -> None:
    report = judged(HEALTHY.assign(year=lambda rows: rows["year"] - 12))

    (fault,) = report.faults
    assert (fault.columns, fault.kind) == (("year",), FaultKind.MOVED)
    assert "declared stable" in fault.sentence
    assert report.quality_alarms == ("year",)


def test_a_column_in_a_fault_does_not_count_as_drifted_and_its_importance_not_in_the_score() -> None:
    report = judged(HEALTHY.assign(delay=lambda rows: rows["delay"] * 60))

    assert report.drifted == ()
    assert report.score == 0


def test_a_score_that_hangs_is_the_models_doing_and_no_feeds() -> None:
    report = judged(HEALTHY.assign(score=0.5))

    assert report.faults == ()
    assert (report.data, report.prediction) == (Data.ACT, Prediction.DRIFT)


def test_a_window_too_short_to_judge_names_no_fault() -> None:
    report = judged(HEALTHY.head(100).assign(delay=np.nan))

    assert report.faults == ()
    assert (report.data, report.prediction) == (Data.UNKNOWN, Prediction.UNKNOWN)


def test_a_profile_of_format_1_knows_no_shares_and_still_finds_what_is_declared_stable() -> None:
    document = PROFILE.to_json()
    new = {"missing_by_window", "held_most", "rise_most", "sizes", "feed"}
    columns = [{k: v for k, v in column.items() if k not in new} for column in document["columns"]]
    old = ReferenceProfile.from_json({**document, "format": 1, "columns": columns})

    assert judged(HEALTHY, old).faults == ()
    assert judged(broken(HEALTHY, "missing", "delay", 0.0, 1), old).faults == ()
    assert [f.kind for f in judged(HEALTHY.assign(distance=HEALTHY["distance"] * 1.609344), old).faults] == [
        FaultKind.UNIT
    ]


def test_a_record_older_than_faults_has_its_quality_alarms_and_one_without_a_leader_says_nothing() -> None:
    record = judged(HEALTHY.assign(distance=0.0)).to_json()
    del record["faults"]

    assert signals_of(record)[0] is Data.FAULT
    assert signals_of({"verdict": "INCONCLUSIVE", "sentence": "no model led"}) == (Data.UNKNOWN, Prediction.UNKNOWN)
    with pytest.raises(ValueError, match="SURE"):
        signals_of({**record, "quality_alarms": [], "verdict": "SURE"})
