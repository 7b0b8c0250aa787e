"""A week's requests as monitors see them: one shape from the feature table and from the log."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.cohort import live_answers, live_features, never_labelled, without_label
from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.core import tiny

USE_CASE = tiny.use_case()
NAMES = {feature.name: feature.name for feature in USE_CASE.features}


@pytest.fixture(scope="module")
def scorer() -> Any:
    return fit(USE_CASE, tiny.weeks(4)).scorer


def logged(table: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    """The same requests as a gateway would have logged them."""
    late = table["late"].map({True: 1.0, False: 0.0})
    columns: dict[str, Any] = {
        "id": [f"r{parcel}" for parcel in table["parcel"]], "as_of": table["asked"], "version": 3, "score": 0.5,
        "mirrored_version": 2, "mirrored_score": 0.25, "label": late.astype("float64"),
        **{name: table[name] for name in NAMES}, **changes,
    }  # fmt: skip
    return to_frame(to_table(pd.DataFrame(columns)))


def test_both_sources_give_the_same_cohort_where_the_model_was_not_asked(scorer: Any) -> None:
    table = to_frame(to_table(tiny.week(4)))
    of_table = live_features(USE_CASE, table).cohort(USE_CASE, scorer)
    of_log = live_answers(USE_CASE, logged(table), NAMES, version=9).cohort(USE_CASE, scorer)
    for name in ("as_of", "block", "prediction"):
        assert of_table[name].tolist() == of_log[name].tolist()
    np.testing.assert_array_equal(of_table["label"], of_log["label"])


def test_what_was_served_is_what_is_judged(scorer: Any) -> None:
    table = tiny.week(4)
    champion = live_answers(USE_CASE, logged(table), NAMES, version=3).cohort(USE_CASE, scorer)
    shadow = live_answers(USE_CASE, logged(table), NAMES, version=2).cohort(USE_CASE, scorer)
    assert set(champion["prediction"]) == {0.5} and set(shadow["prediction"]) == {0.25}


def test_an_answer_that_failed_is_asked_for_again(scorer: Any) -> None:
    table = tiny.week(4)
    scores = np.where(np.arange(len(table)) < 10, np.nan, 0.5)
    cohort = live_answers(USE_CASE, logged(table, score=scores), NAMES, version=3).cohort(USE_CASE, scorer)
    asked = scorer.predict(to_frame(to_table(table)))
    assert cohort["prediction"].tolist() == [*asked[:10], *[0.5] * (len(table) - 10)]


def test_the_order_of_the_log_does_not_matter(scorer: Any) -> None:
    log = logged(tiny.week(4))
    one, other = (live_answers(USE_CASE, rows, NAMES, version=3) for rows in (log, log.iloc[::-1]))
    pd.testing.assert_frame_equal(one.cohort(USE_CASE, scorer), other.cohort(USE_CASE, scorer))


def test_rows_that_will_never_have_a_label_are_settled() -> None:
    table = to_frame(to_table(tiny.week(4)))
    lacking = int(table["late"].isna().sum())
    assert never_labelled(USE_CASE, table) == lacking / len(table)
    assert live_features(USE_CASE, table).known.all()
    log = logged(table)
    assert live_answers(USE_CASE, log, NAMES, version=3).known.sum() == len(log) - lacking
    assert live_answers(USE_CASE, log, NAMES, version=3, never=never_labelled(USE_CASE, table)).known.all()


def test_a_label_that_a_later_row_would_bring_is_settled_when_none_did() -> None:
    known = pd.to_datetime(["2016-10-04", None], utc=True)
    readings = pd.DataFrame({"ratio_in_1h": [0.5, np.nan], "label_known_at": known})
    assert without_label(PARKING, readings).tolist() == [False, True]
    flights = pd.DataFrame({"late": [None, None], "label_known_at": known})
    assert without_label(FLIGHT_DELAYS, flights).tolist() == [True, False]
