"""The sample-ratio check: chance passes, lost requests do not, and units of many requests need slack."""

import math

import numpy as np
import pytest

from mlops_assets.core.rollout.engines.assignment import FAULT, SLACK, Assigned, log_fault
from mlops_assets.declare import DataError


@pytest.mark.parametrize("share", [0.0, 1.0, math.nan])
def test_a_share_without_chance_is_refused(share):
    with pytest.raises(DataError, match="share"):
        log_fault([Assigned(share, 1, 1)])


def test_counts_below_zero_are_refused():
    with pytest.raises(DataError, match="counts"):
        log_fault([Assigned(0.5, -1, 1)])


def test_assignments_by_chance_are_seldom_called_a_fault():
    random, faults = np.random.default_rng(9), 0
    for _ in range(1000):
        mine = np.cumsum(random.random(5000) < 0.05)[49::50]
        looks = zip(range(50, 5001, 50), mine.tolist(), strict=True)
        faults += any(log_fault([Assigned(0.05, n - own, own)]) >= FAULT for n, own in looks)

    assert faults <= 3  # a chance of one in a thousand each


@pytest.mark.parametrize(("share", "lost", "within"), [(0.05, 0.2, 12_000), (0.25, 0.1, 8000), (0.5, 0.1, 8000)])
def test_lost_answers_of_the_challenger_are_found(share, lost, within):
    own = round(within * share * (1 - lost))

    assert log_fault([Assigned(share, within - own, own)]) >= FAULT


def test_a_router_that_sends_all_to_one_arm_is_found_at_once_in_either_direction():
    assert log_fault([Assigned(0.5, 20, 0)]) >= FAULT
    assert log_fault([Assigned(0.5, 0, 20)]) >= FAULT
    assert log_fault([Assigned(0.25, 0, 20)], slack=SLACK) >= FAULT


def test_with_slack_twice_the_odds_are_no_fault_and_three_times_are():
    assert log_fault([Assigned(0.05, 9000, 900)], slack=SLACK) < 0
    assert log_fault([Assigned(0.05, 9000, 1421)], slack=SLACK) >= FAULT
