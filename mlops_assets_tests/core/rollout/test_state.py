"""The row, its terms, and its events as they are written down."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_assets.core.rollout.commands import Command
from mlops_assets.core.rollout.events import FIRST, Kind
from mlops_assets.core.rollout.standing import Standing, fold
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms, terms_of
from mlops_assets.core.rollout.words import BASELINE, Stage
from mlops_assets.declare import DamagedError, DataError, Quality, RolloutPlan, Step, Task
from mlops_assets.declare.errors import IllegalTransition
from mlops_assets_tests.core.rollout.ladder import CLIMB, TERMS, USE_CASE, climbed, event, opened, proven


def test_before_any_rollout_the_baseline_answers_everything() -> None:
    row = Row(use_case=USE_CASE)

    assert (row.stage, row.champion, row.share, row.challenger, row.finalized) == (Stage.IDLE, 0, 0.0, None, (0,))
    assert row.warm == (BASELINE,)


def test_both_arms_and_the_last_three_finalized_versions_stay_loaded() -> None:
    row = Row(use_case=USE_CASE, champion=5, challenger=9, finalized=(0, 2, 3, 4, 5))

    assert row.warm == (3, 4, 5, 9)


def test_one_finalized_version_beside_the_champion_is_always_warm() -> None:
    """Invariant 4: there is always something to go back to at once, from the first rollout on."""
    standing = None
    for version in (3, 4, 5, 6, 7):
        for steps in range(len(CLIMB) + 1):
            row = climbed(steps, version, standing).row
            assert set(row.warm) & set(row.finalized) - {row.challenger}
            assert row.champion in row.warm and (row.challenger is None or row.challenger in row.warm)
            if len(row.finalized) > 1:
                assert set(row.finalized) - {row.champion} & set(row.warm)
        standing = climbed(len(CLIMB), version, standing)


def test_alone_means_that_nobody_gets_the_challenger() -> None:
    assert climbed(4).row.share == 1.0 and climbed(4).row.alone().share == 0.0


def test_terms_read_back_are_the_terms_that_were_recorded() -> None:
    plan = RolloutPlan(
        quality=Quality(loss="squared", margin=2.5, block=timedelta(days=7)),
        steps=(Step(share=0.1, margin=4.0),), unit=("tail",), silence=timedelta(milliseconds=1500), on_new="supersede",
    )  # fmt: skip
    made = Terms.of(plan, Task.REGRESSION)

    assert terms_of(json.loads(json.dumps(made.to_json()))) == made


def test_a_plan_that_code_of_tomorrow_reads_keeps_its_hash() -> None:
    """Their hash is over what was recorded: a field that was added since has its default and changes nothing."""
    record = TERMS.to_json()
    del record["plan"]["breaker"]

    read = terms_of(record)

    assert read.plan == TERMS.plan and read.hash != TERMS.hash and read == terms_of(record)


@pytest.mark.parametrize("change", [
    {"plan": None}, {"task": "guess"}, {"plan": {}}, {"plan": TERMS.to_json()["plan"] | {"alpha": 7}},
    {"plan": TERMS.to_json()["plan"] | {"new": 1}}, {"plan": TERMS.to_json()["plan"] | {"steps": [{"share": 2}]}},
])  # fmt: skip
def test_terms_that_are_none_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError, match="a recorded rollout plan cannot be read"):
        terms_of(TERMS.to_json() | change)


def test_folding_the_events_again_gives_the_same_row_in_any_order_however_often_they_are_told() -> None:
    """Invariant 8."""
    standing, events = Standing.start(USE_CASE), []
    for kind in (Kind.OPENED, *CLIMB[:3], Kind.PAUSED, Kind.RESUMED, Kind.ROLLED_BACK):
        one = proven(standing) if kind.increases else event(standing, kind)
        events.append(opened(standing) if kind is Kind.OPENED else one)
        standing = standing.after(events[-1])

    assert fold(USE_CASE, events) == fold(USE_CASE, events[::-1]) == fold(USE_CASE, events * 3) == standing
    assert fold(USE_CASE, []) == Standing.start(USE_CASE) and Standing.start(USE_CASE).hash == FIRST


@pytest.mark.parametrize("change", [
    {"who": "somebody"}, {"at_us": 1}, {"facts": {"x": 1}}, {"kind": Kind.ROLLED_BACK}, {"previous": "0" * 63 + "1"},
    {"once": "x"}, {"why": "y"}, {"hash": "0" * 64}, {"facts": {"x": float("nan")}},
])  # fmt: skip
def test_an_event_that_was_changed_is_found(change: dict[str, object]) -> None:
    standing = climbed(0)
    whole = event(standing, Kind.READY)

    with pytest.raises(DamagedError, match=r"event 2 of the rollouts of flight_delays"):
        standing.after(replace(whole, **change))


def test_an_event_that_was_left_out_or_put_in_is_found() -> None:
    first = opened(Standing.start(USE_CASE))
    standing = climbed(0)
    second, other = event(standing, Kind.READY), event(standing, Kind.ROLLED_BACK)
    third = event(standing.after(second), Kind.PAUSED)

    for broken in ([first, third], [first, replace(second, epoch=7).sealed(first.hash)]):
        with pytest.raises((DamagedError, IllegalTransition)):
            fold(USE_CASE, broken)
    with pytest.raises(DamagedError, match="two events with epoch 2"):
        fold(USE_CASE, [first, second, other])


@pytest.mark.parametrize("name", ["who", "why"])
def test_an_event_says_who_and_why(name: str) -> None:
    told = {"who": "me", "why": "so", name: " "}

    with pytest.raises(DataError, match=f"{name} == '', must be a text that says something"):
        Command(told["who"], told["why"], 1).event(Row(use_case=USE_CASE), Kind.PAUSED)
