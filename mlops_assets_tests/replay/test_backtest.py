"""The backtest: what is planted is found when it comes, the rollout's judge decides, nothing later is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.frames import to_table
from mlops_assets.declare import DataError, Retraining
from mlops_assets.replay.backtest import Backtest, Span, as_matured, backtest, history
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.replay import depots

WEEKS, PLANTED = depots.WEEKS, depots.PLANTED
SPAN = Span(first=depots.FIRST, begin=depots.OPENED, end=WEEKS[-1])


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return depots.frames()


@pytest.fixture(scope="module")
def found(frames: dict[str, pd.DataFrame]) -> Backtest:
    return backtest(depots.use_case(), frames, SPAN, attainable=2)


def test_a_model_is_trained_in_the_planted_week_and_not_before(found: Backtest) -> None:
    quiet = [week for week in found.weeks if week.week < PLANTED]

    assert quiet
    assert {(week.concept, week.retrain) for week in quiet} == {("ok", None)}
    assert [one.week for one in found.retrained] == [PLANTED]
    assert found.retrained[0].signal == "concept drift"
    assert found.alarms[0] == PLANTED


def test_a_candidate_stands_two_weeks_in_the_shadow_and_answers_from_the_next_on(found: Backtest) -> None:
    at = WEEKS.index(PLANTED)
    models = {week.week: (week.model, week.shadow) for week in found.weeks}

    assert models[PLANTED] == (depots.FIRST, "")
    assert [models[week] for week in WEEKS[at + 1 : at + 3]] == [(depots.FIRST, PLANTED)] * 2
    assert {models[week] for week in WEEKS[at + 3 :]} == {(PLANTED, "")}
    assert found.retrained[0].since == WEEKS[at + 3]
    assert "over 14 blocks" in found.retrained[0].fate


def test_a_no_of_the_policy_says_which_guard_spoke(found: Backtest) -> None:
    after = next(week for week in found.weeks if week.week > PLANTED)

    assert (after.response, after.retrain) == ("retrain", False)
    assert after.decision == f"cooldown: 1 of 4 weeks since the training of {PLANTED}"


def test_the_policy_is_worth_a_part_of_what_is_to_be_had(found: Backtest) -> None:
    gain = found.gain
    assert gain.never is not None
    assert gain.policy is not None
    assert gain.every is not None

    assert (gain.metric, gain.weeks) == ("log_loss", 2)
    assert gain.never > gain.policy > gain.every
    assert gain.share == pytest.approx((gain.never - gain.policy) / (gain.never - gain.every))


def test_the_mean_by_the_policy_is_that_of_the_weeks_as_they_were_answered(found: Backtest) -> None:
    labelled = [week.labelled for week in found.weeks]

    assert found.gain.policy == pytest.approx(np.average([week.metric for week in found.weeks], weights=labelled))


def test_the_same_history_gives_the_same_account(found: Backtest, frames: dict[str, pd.DataFrame]) -> None:
    again = backtest(depots.use_case(), frames, SPAN, attainable=2)

    assert json.dumps(again.to_json(), allow_nan=False) == json.dumps(found.to_json(), allow_nan=False)


def test_what_comes_after_a_week_changes_nothing_about_it(found: Backtest, frames: dict[str, pd.DataFrame]) -> None:
    end = WEEKS[9]
    cut = backtest(
        depots.use_case(), {key: frame for key, frame in frames.items() if key <= end}, replace(SPAN, end=end)
    )

    assert cut.weeks == found.weeks[: len(cut.weeks)]
    assert cut.retrained[0].fate == "its shadow was not over"
    assert cut.gain.share is None


def test_without_room_in_the_budget_nothing_is_trained(frames: dict[str, pd.DataFrame]) -> None:
    asks_for_more = depots.use_case(retraining=Retraining(fresh=1_000_000))

    found = backtest(asks_for_more, frames, replace(SPAN, end=PLANTED))

    assert found.retrained == ()
    assert found.weeks[-1].decision.startswith("fresh rows: ")
    assert found.gain.policy == found.gain.never


def test_a_label_that_came_after_its_week_had_matured_was_none_then() -> None:
    frame = depots.week(WEEKS[0])
    cutoff = pd.Timestamp("2024-01-10", tz="UTC")
    late = frame.assign(label_known_at=frame["label_known_at"].mask(frame.index < 10, cutoff + pd.Timedelta("1us")))
    late = late.assign(label_known_at=late["label_known_at"].mask(late.index == 10, cutoff))

    told = as_matured(depots.use_case(), WEEKS[0], late)

    assert told["late"].iloc[:10].isna().all()
    assert told["label_known_at"].iloc[:10].isna().all()
    pd.testing.assert_frame_equal(told.iloc[10:], late.iloc[10:])


@pytest.mark.parametrize(
    ("span", "says"),
    [
        (Span(first=WEEKS[2], begin=WEEKS[4], end=WEEKS[-1]), "there are 3 weeks, a first model takes 4"),
        (Span(first=WEEKS[4], begin=WEEKS[4], end=WEEKS[-1]), f"must begin after {WEEKS[4]}"),
        (Span(first=WEEKS[4], begin=WEEKS[6], end=WEEKS[5]), f"a walk from {WEEKS[6]} to {WEEKS[5]}"),
        (Span(first=WEEKS[4], begin=WEEKS[5], end="2024-04-15"), f"end by {WEEKS[-1]}"),
    ],
)
def test_a_span_that_cannot_be_walked_is_refused(span: Span, says: str, frames: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(DataError, match=says):
        backtest(depots.use_case(), frames, span)


def stored(weeks: tuple[str, ...], place: str) -> AssetStore:
    store = AssetStore(f"memory://{place}")
    for key in weeks:
        made = Artifact(tables={"features": to_table(depots.week(key, 300))})
        store.publish(
            "parcels/feature_table", key, made, inputs={}, code={}, run="r", action_key=key, created_at="2024-05-01"
        )
    return store


def test_stored_weeks_are_read_from_the_first_to_the_one_asked_for() -> None:
    read = history(depots.use_case(), stored(WEEKS[1:6], "backtest-read"), WEEKS[4])

    assert tuple(read) == WEEKS[1:5]
    assert read[WEEKS[1]]["parcel"].tolist() == depots.week(WEEKS[1], 300)["parcel"].tolist()


def test_a_missing_week_is_refused_with_the_command_that_makes_it() -> None:
    store = stored((*WEEKS[:2], WEEKS[4]), "backtest-gap")

    with pytest.raises(DataError, match=f"lacks 2 of 5 weeks up to {WEEKS[4]}") as refused:
        history(depots.use_case(), store, WEEKS[4])

    assert f"`mlops backfill parcels --from {WEEKS[2]} --to {WEEKS[3]} --job data`" in str(refused.value)


def test_an_empty_store_is_refused_with_the_command_that_fills_it() -> None:
    with pytest.raises(DataError, match=f"`mlops backfill parcels --from {WEEKS[0]} --to {WEEKS[2]} --job data`"):
        history(depots.use_case(), AssetStore("memory://backtest-empty"), WEEKS[2])
