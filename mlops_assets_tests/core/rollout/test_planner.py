"""How long a rollout will take: the same answer every time, longer for rarer traffic, near to what happens."""

import math
from datetime import timedelta

import numpy as np
import pytest

from mlops_assets.core.rollout.engines.betting import Bet
from mlops_assets.core.rollout.planner import plan_ahead
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import DataError
from mlops_assets.declare.rollout import Quality, RolloutPlan

PLAN = RolloutPlan(quality=Quality(loss="log_loss", margin=0.003))
DAY = 86_400


def test_it_names_every_stage_in_order_and_says_the_same_again():
    ahead = plan_ahead(PLAN, per_second=0.011, error_rate=0.005, noise=0.005)

    assert [(one.stage, one.step, one.share) for one in ahead] == [
        (Stage.SHADOW, 0, 0.0), (Stage.CANARY, 0, 0.05), (Stage.CANARY, 1, 0.25), (Stage.CANARY, 2, 0.5),
        (Stage.SOAK, 0, 1.0),
    ]  # fmt: skip
    assert ahead == plan_ahead(PLAN, per_second=0.011, error_rate=0.005, noise=0.005)
    assert all(one.seconds <= one.seconds_90 for one in ahead)
    assert all(one.requests == pytest.approx(one.seconds * 0.011) for one in ahead)


def test_without_bad_answers_the_absolute_bound_is_what_takes_its_calls():
    _, first, *_ = plan_ahead(PLAN, per_second=1.0, error_rate=0.0)

    assert 600 <= first.answers <= 900  # ln 100 / 1 % and what the mixture costs
    assert first.seconds == first.seconds_90


def test_at_one_percent_of_errors_the_last_step_takes_tens_of_thousands_of_requests():
    *_, last, _ = plan_ahead(PLAN, per_second=1.0, error_rate=0.01)

    assert 20_000 <= last.requests <= 80_000  # one rate alone takes 25 000 (test_rates); here are three
    assert last.requests <= last.requests_90


def test_ten_times_the_traffic_takes_a_tenth_of_the_time():
    slow, fast = (plan_ahead(PLAN, per_second=r, error_rate=0.01) for r in (0.1, 1.0))

    assert all(one.seconds == pytest.approx(10 * other.seconds) for one, other in zip(slow[1:], fast[1:], strict=True))


def test_noisy_blocks_need_a_later_look():
    calm, restless, hopeless = (
        plan_ahead(PLAN, per_second=1.0, error_rate=0.0, noise=noise)[0].seconds / DAY for noise in (0.002, 0.008, 9.0)
    )

    assert (calm, restless, hopeless) == (15, 57, math.inf)


def test_a_plan_that_asks_for_the_impossible_says_so():
    strict = RolloutPlan(quality=PLAN.quality, most_bad=0.001, rates=("error",))
    _, first, *_ = plan_ahead(strict, per_second=1e-3, error_rate=0.0)

    assert first.seconds > timedelta(days=60).total_seconds()


@pytest.mark.parametrize("field", ["per_second", "error_rate", "noise", "labels_per_day"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_what_is_out_of_range_is_refused(field, value):
    with pytest.raises(DataError):
        plan_ahead(PLAN, **{"per_second": 1.0, "error_rate": 0.0, field: value})


def test_the_pairs_a_bet_will_take_are_near_to_what_it_takes():
    plan = RolloutPlan(quality=Quality(loss="brier", margin=0.02, block=None))
    shadow = plan_ahead(plan, per_second=1.0, error_rate=0.0, labels_per_day=100.0, noise=0.2)[0]
    random, taken = np.random.default_rng(1), []
    for _ in range(100):
        bet = Bet(bound=0.51, alpha=0.05)
        while bet.log_capital < math.log(20):
            bet = bet.after(0.6 if random.random() < 0.5 else 0.4)  # differences of plus or minus .2
        taken.append(bet.count)

    assert shadow.seconds / DAY * 100 == pytest.approx(np.median(taken), rel=0.35)
    assert shadow.seconds_90 / DAY * 100 == pytest.approx(np.quantile(taken, 0.9), rel=0.35)


def test_the_pairs_of_a_regression_are_those_at_which_its_bound_is_below_the_margin():
    plan = RolloutPlan(quality=Quality(loss="absolute", margin=1.0, block=None))
    few, many = (plan_ahead(plan, per_second=1.0, error_rate=0.0, noise=noise)[0] for noise in (0.1, 30.0))

    assert few.requests == 1000
    assert 5000 < many.requests < many.requests_90 < 50_000
