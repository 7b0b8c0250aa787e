"""The drift report on a known world: silent when it wobbles, loud when it changed, honest when it cannot tell."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_assets.core.drift import Completeness, DriftReport, TableVerdict, Verdict, drift_report
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.core.profile.world import POLICY, reference, reference_rows, week

FULL = Completeness(days_with_rows=7, days=7)


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    return reference()


def judged(profile: ReferenceProfile, window: pd.DataFrame, completeness: Completeness = FULL) -> DriftReport:
    return drift_report(profile, window, policy=POLICY, importances=None, completeness=completeness)


def healthy(seed: int = 100) -> pd.DataFrame:
    return week(np.random.default_rng(seed), wobble=0.15)


def test_a_wobbling_healthy_system_is_silent_where_plain_rules_alarm(profile: ReferenceProfile) -> None:
    rows, _ = reference_rows()
    rng = np.random.default_rng(50)
    windows = [week(rng, wobble=0.25) for _ in range(20)]

    verdicts = [judged(profile, window).verdict for window in windows]
    plain_ks = [stats.ks_2samp(rows["temp"], window["temp"]).pvalue < 0.05 for window in windows]
    plain_psi = [judged(profile, window).column("temp").psi_raw > 0.1 for window in windows]  # type: ignore[operator]

    assert TableVerdict.ACT not in verdicts
    assert np.mean(plain_ks) > 0.8
    assert np.mean(plain_psi) > 0.1


def test_a_real_shift_is_acted_on_and_said_in_standard_deviations(profile: ReferenceProfile) -> None:
    report = judged(profile, healthy().assign(temp=lambda rows: rows["temp"] + 30))

    temp = report.column("temp")
    assert report.verdict is TableVerdict.ACT
    assert report.drifted == ("temp",)
    assert report.columns[0] is temp
    assert temp.shift_sd == pytest.approx(1.9, abs=0.35)
    assert "'temp' [degF] drifted: PSI" in temp.sentence


def test_a_mile_read_as_a_kilometre_is_a_feed_fault_and_never_a_retrain(profile: ReferenceProfile) -> None:
    report = judged(profile, healthy().assign(distance=lambda rows: rows["distance"] * 1.609344))

    assert report.verdict is TableVerdict.WATCH
    assert report.quality_alarms == ("distance",)
    assert report.drifted == ()
    assert report.sentence == ("WATCH: check the feed: 'distance' [mile]: values x 1.609, as if in kilometres.")
    assert report.column("distance").fault == "unit"


def test_a_surge_of_nulls_is_found_and_points_at_the_feed(profile: ReferenceProfile) -> None:
    window = healthy()
    window.loc[: len(window) * 6 // 10, "hour"] = np.nan

    hour = judged(profile, window).column("hour")

    assert hour.verdict is Verdict.DRIFT
    assert hour.missing_live == pytest.approx(0.6, abs=0.01)
    assert "missing 60% of the rows" in hour.sentence


def test_a_new_category_is_found(profile: ReferenceProfile) -> None:
    report = judged(profile, healthy().assign(carrier=lambda rows: rows["carrier"].replace("UA", "United")))

    assert report.column("carrier").verdict is Verdict.DRIFT
    assert report.column("carrier").unseen == pytest.approx(0.4, abs=0.03)
    assert report.column("carrier").ks is None


def test_the_prediction_score_alone_is_reason_to_act(profile: ReferenceProfile) -> None:
    report = judged(profile, healthy().assign(score=lambda rows: rows["score"] ** 4))

    assert report.verdict is TableVerdict.ACT
    assert "prediction score 'score' drifted" in report.sentence


def test_a_two_day_week_is_not_drift(profile: ReferenceProfile) -> None:
    report = judged(
        profile, healthy().assign(temp=lambda rows: rows["temp"] + 60), Completeness(days_with_rows=2, days=7)
    )

    assert report.verdict is TableVerdict.INCONCLUSIVE
    assert "2 of 7 days" in report.sentence
    assert {column.verdict for column in report.columns} == {Verdict.INSUFFICIENT_DATA}
    assert report.column("temp").psi > 1  # type: ignore[operator]  # measured all the same


def test_a_window_of_few_or_no_rows_is_inconclusive_not_stable(profile: ReferenceProfile) -> None:
    few, none = judged(profile, healthy().head(100)), judged(profile, healthy().head(0))

    assert few.verdict is none.verdict is TableVerdict.INCONCLUSIVE
    assert "100 rows, min_rows is 500" in few.sentence
    assert none.column("temp").psi is None
    assert none.to_frame()["psi"].isna().all()


def test_an_uncalibrated_profile_says_so() -> None:
    assert "uncalibrated: 3 reference windows" in judged(reference(weeks=3), healthy()).sentence


def test_row_order_and_array_type_change_nothing(profile: ReferenceProfile) -> None:
    window = healthy()
    turned = window.sample(frac=1, random_state=2)
    as_arrays = {name: window[name].to_numpy() for name in window}

    assert judged(profile, turned) == judged(profile, window)
    assert judged(profile, as_arrays) == judged(profile, window)  # type: ignore[arg-type]  # a mapping will do


def test_importances_decide_what_a_drift_is_worth(profile: ReferenceProfile) -> None:
    window = healthy().assign(hour=lambda rows: rows["hour"] / 2)
    light = drift_report(profile, window, policy=POLICY, importances={"temp": 9.0, "hour": 1.0}, completeness=FULL)

    assert light.verdict is TableVerdict.WATCH
    assert light.score == pytest.approx(0.1)
    assert judged(profile, window).verdict is TableVerdict.ACT


def test_the_frame_has_fixed_types_and_is_ranked(profile: ReferenceProfile) -> None:
    frame = judged(profile, healthy()).to_frame()

    assert list(frame.columns[:3]) == ["name", "kind", "unit"]
    assert frame["ratio"].is_monotonic_decreasing
    assert {str(dtype) for dtype in frame.dtypes} == {"string", "bool", "float64"}
    assert (frame.dtypes == judged(profile, healthy().head(0)).to_frame().dtypes).all()


def test_the_report_is_plain_json_with_finite_numbers(profile: ReferenceProfile) -> None:
    document = json.loads(json.dumps(judged(profile, healthy()).to_json(), allow_nan=False))

    assert document["verdict"] in {verdict.value for verdict in TableVerdict}
    assert len(document["columns"]) == 5


def test_a_window_that_does_not_fit_the_profile_is_refused(profile: ReferenceProfile) -> None:
    with pytest.raises(DataError, match="'hour' is missing"):
        judged(profile, healthy().drop(columns="hour"))
    with pytest.raises(DataError, match="rows of one table"):
        judged(profile, {name: healthy()[name].head(5 if name == "hour" else 9) for name in healthy()})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="infinite"):
        judged(profile, healthy().assign(temp=np.inf))
    with pytest.raises(DataError, match="not watched"):
        drift_report(profile, healthy(), policy=POLICY, importances={"snow": 1.0}, completeness=FULL)


def test_two_policies_can_be_compared_on_one_window(profile: ReferenceProfile) -> None:
    nervous = DriftPolicy(floor=0.02, watch=0.01, calibration=1.0)
    window = healthy().assign(hour=lambda rows: rows["hour"] + (rows["hour"] < 10))

    relaxed = drift_report(profile, window, policy=POLICY, importances=None, completeness=FULL)
    alarmed = drift_report(profile.judged_by(nervous), window, policy=nervous, importances=None, completeness=FULL)

    assert relaxed.column("hour").threshold > alarmed.column("hour").threshold
