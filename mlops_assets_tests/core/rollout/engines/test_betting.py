"""A bounded mean, bet upon: the bets look at nothing to come, win when they should, seldom when they should not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.rollout.engines.betting import Bet
from mlops_assets.declare import DataError

VALUES = st.lists(st.floats(0, 1), max_size=50)


def run(bet, values):
    for value in values:
        bet = bet.after(value)
    return bet


@given(VALUES, st.integers(0, 50))
def test_a_bet_that_was_stored_goes_on_bit_for_bit(values, cut):
    start = Bet(bound=0.52, alpha=0.05)
    half = run(start, values[:cut])

    assert run(start.at(*half.to_json()), values[cut:]) == run(start, values)


@given(VALUES, st.floats(0.01, 1))
def test_no_bet_is_ever_ruined(values, bound):
    assert run(Bet(bound=bound, alpha=0.05), values).log_capital >= len(values) * math.log(0.5) - 1e-9


@given(VALUES)
def test_the_stake_is_placed_before_the_value_is_seen(values):
    bet = run(Bet(bound=0.5, alpha=0.05), values)
    lost, won = (bet.after(x).log_capital - bet.log_capital for x in (1.0, 0.0))

    assert math.expm1(won) == pytest.approx(-math.expm1(lost))  # the same stake either way: a fair game at 1/2


@pytest.mark.parametrize("x", [-0.01, 1.01, math.nan])
def test_what_lies_outside_is_refused(x):
    with pytest.raises(DataError, match="scale"):
        Bet(bound=0.5, alpha=0.05).after(x)


@pytest.mark.slow
def test_a_mean_at_the_bound_wins_the_bet_in_at_most_alpha_of_runs():
    random = np.random.default_rng(5)
    won = 0
    for _ in range(300):
        bet, bound = Bet(bound=0.505, alpha=0.05), 0.505
        for x in np.where(random.random(2000) < 0.1, random.random(2000) < 0.5 + (bound - 0.5) / 0.1, 0.5):
            bet = bet.after(float(x))
            if bet.log_capital >= math.log(20):
                won += 1
                break

    assert won / 300 <= 0.06


def test_an_equal_model_with_5_percent_of_discordant_pairs_is_certified_within_two_points_in_about_700_pairs():
    random, taken = np.random.default_rng(6), []
    for _ in range(40):
        bet = Bet(bound=0.51, alpha=0.05)  # differences in [-1, 1] as [0, 1]: two points are one hundredth
        while bet.log_capital < math.log(20):
            step = random.random()
            bet = bet.after(1.0 if step < 0.025 else 0.0 if step < 0.05 else 0.5)
        taken.append(bet.count)

    assert 400 <= np.median(taken) <= 1200
