"""The share of the gain of training again: where a policy stands between never and the best there was."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.account import Account, Against, Stage
from mlops_assets.core.gain import NEVER, best_against, share_of_gain, standing_figure, standing_since
from mlops_assets_tests.core.accounts import EVERY, account

WHOLE = account(weeks=8)
FIGURES = st.floats(0.1, 2.0)


def held(loss: float | None, never: float | None, *others: float | None, higher: bool = False) -> Account:
    """An account of one policy, with these figures of it and of what it is held against."""
    named = {NEVER: never, **{f"other {at}": value for at, value in enumerate(others)}}
    against = tuple(Against(name=name, weeks={}, metrics={"m": value}, trainings=1) for name, value in named.items())
    policy = replace(WHOLE.policies[0], metrics={"m": loss})
    return replace(WHOLE, metric="m", higher=higher, policies=(policy,), against=against)


def share(told: Account) -> float | None:
    return share_of_gain(told, told.policies[0])


def test_never_again_is_none_of_it_and_the_best_is_all_of_it() -> None:
    never, every = WHOLE.against

    assert (share_of_gain(WHOLE, never), share_of_gain(WHOLE, every)) == (0.0, 1.0)


def test_halfway_is_a_half_whichever_way_is_better() -> None:
    assert share(held(0.75, 1.0, 0.5)) == pytest.approx(0.5)
    assert share(held(0.75, 0.5, 1.0, higher=True)) == pytest.approx(0.5)


def test_worse_than_never_is_below_nothing_and_better_than_the_best_above_all() -> None:
    assert share(held(1.5, 1.0, 0.5)) == pytest.approx(-1.0)
    assert share(held(0.25, 1.0, 0.5)) == pytest.approx(1.5)


def test_the_best_comparator_counts_however_many_there_are() -> None:
    assert share(held(0.75, 1.0, 0.9, 0.5, None)) == pytest.approx(0.5)
    assert best_against(held(0.75, 1.0, 0.9, 0.5, 0.5)).name == "other 1"  # type: ignore[union-attr]  # there is one


def test_weeks_in_which_the_baseline_answered_do_not_count() -> None:
    weeks = [replace(WHOLE.policies[0].weeks[n], week=f"2013-03-{4 + 7 * n:02}", labelled=100, metrics={"m": loss})
             for n, loss in enumerate([9.0, 9.0, 0.75])]  # fmt: skip
    final = Stage(version=1, champion=0, stage="FINALIZED", share=1.0, since="2013-03-13T08:00:00Z", until="", why="")
    told = held(6.0, 1.0, 0.5)
    policy = replace(told.policies[0], weeks=tuple(weeks), stages=(final,))
    every = {week.week: {"m": 0.5} for week in weeks}
    never = {week.week: {"m": 1.0} for week in weeks}
    against = tuple(replace(one, weeks=seen) for one, seen in zip(told.against, (never, every), strict=True))
    told = replace(told, policies=(policy,), against=against)

    assert (standing_since(told), standing_figure(told, policy)) == ("2013-03-18", 0.75)
    assert share(told) == pytest.approx(0.5)
    assert standing_since(replace(told, policies=(policy, replace(policy, stages=())))) is None


@pytest.mark.parametrize("told", [
    held(None, 1.0, 0.5), held(0.7, None, 0.5), held(0.7, 1.0, None), held(0.7, 1.0), held(0.7, 0.5, 0.6),
    held(0.7, 0.5, 0.5), replace(WHOLE, against=WHOLE.against[1:]), replace(WHOLE, against=()),
])  # fmt: skip
def test_without_a_figure_or_anything_to_gain_there_is_no_share(told: Account) -> None:
    assert share(told) is None


@given(FIGURES, FIGURES, FIGURES)
def test_turning_the_metric_round_changes_nothing(loss: float, never: float, best: float) -> None:
    assert share(held(loss, never, best)) == share(held(-loss, -never, -best, higher=True))


def test_the_made_up_year_is_the_same_every_time_and_goes_through_json() -> None:
    year = account()

    assert year == account() and year == Account.from_json(year.to_json())
    assert {stage.stage for stage in year.policies[0].stages} == {
        "PREPARING", "SHADOW", "CANARY", "SOAK", "FINALIZED", "ROLLED_BACK", "REJECTED",
    }  # fmt: skip
    assert [one.name for one in year.against] == [NEVER, EVERY]
