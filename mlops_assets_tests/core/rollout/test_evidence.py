"""What has been seen adds up: the same whatever the portions, and only what may be compared is counted."""

import json
import math
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.metrics import brier, log_loss
from mlops_assets.core.rollout.counts import Calls
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.losses import loss_of
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.declare import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import LOSSES_OF, RATES, Quality, RolloutPlan

NONE, SLOW = frozenset[str](), frozenset({"slow"})
CASES = [(task, loss, block) for task, losses in LOSSES_OF.items() for loss in losses for block in (None, 1)]


def plan_of(loss, block=1, margin=0.01):
    return RolloutPlan(
        quality=Quality(loss=loss, margin=margin, block=None if block is None else timedelta(days=block))
    )


SEEN = st.builds(
    Seen,
    st.integers(1, 3),
    st.sampled_from([0.0, 0.05, 0.25, 1.0]),
    st.sampled_from(Arm),
    st.sampled_from(Arm),
    st.booleans(),
    st.frozensets(st.sampled_from(RATES)),
)
ANSWER = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, math.nan, math.inf, -0.1]))
PAIR = st.builds(
    Pair,
    st.just(1),
    st.integers(0, 20).map(lambda n: (date(2013, 1, 1) + timedelta(days=n)).isoformat()),
    st.sampled_from([0.0, 1.0, 0.5, math.nan]),
    ANSWER,
    ANSWER,
)


@pytest.mark.parametrize(("task", "loss", "block"), CASES)
@given(st.lists(SEEN, max_size=30), st.lists(PAIR, max_size=30), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=40)
def test_portions_change_no_bit(task, loss, block, seen, pairs, cut, other):
    plan = plan_of(loss, block)
    start = Evidence.start(plan, task)
    whole = start.fold(seen, pairs)
    portions = start.fold(seen[:cut], pairs[:other]).fold([], []).fold(seen[cut:], pairs[other:])
    stored = json.loads(json.dumps(start.fold(seen[:cut], pairs[:other]).to_json()))
    resumed = Evidence.from_json(plan, task, stored).fold(seen[cut:], pairs[other:])

    for found in (portions, resumed):
        assert found == whole
        assert json.dumps(found.to_json()) == json.dumps(whole.to_json())


@given(st.lists(SEEN, max_size=30), st.lists(PAIR, max_size=30), st.randoms(use_true_random=False))
def test_the_order_changes_no_bit_where_outcomes_come_in_blocks(seen, pairs, random):
    start = Evidence.start(plan_of("log_loss"), Task.CLASSIFICATION)
    whole = start.fold(seen, pairs)
    random.shuffle(seen)
    random.shuffle(pairs)

    assert json.dumps(start.fold(seen, pairs).to_json()) == json.dumps(whole.to_json())


def fold(*seen):
    return Evidence.start(plan_of("brier"), Task.CLASSIFICATION).fold(seen, []).calls


def test_in_shadow_both_arms_calls_count():
    calls = fold(
        Seen(1, 0.0, Arm.CHAMPION, Arm.CHAMPION, False, NONE),
        Seen(1, 0.0, Arm.CHAMPION, Arm.CHALLENGER, True, SLOW),
    )

    assert calls == {0.0: Calls(1, 1, (0, 0, 0), (0, 1, 0), 1, 1)}


def test_in_canary_only_the_assigned_arms_answers_count_and_a_failed_challenger_is_bad_for_it():
    calls = fold(
        Seen(1, 0.05, Arm.CHALLENGER, Arm.CHALLENGER, False, frozenset({"error"})),
        Seen(1, 0.05, Arm.CHALLENGER, Arm.CHAMPION, False, SLOW),  # who answered in its place
        Seen(1, 0.05, Arm.CHAMPION, Arm.CHAMPION, False, NONE),
        Seen(1, 0.05, Arm.CHAMPION, Arm.CHALLENGER, True, SLOW),  # shadow
    )

    assert calls == {0.05: Calls(1, 1, (0, 0, 0), (1, 0, 0), 1, 1)}


def test_in_soak_the_old_champions_shadow_counts_and_its_help_does_not():
    calls = fold(
        Seen(1, 1.0, Arm.CHALLENGER, Arm.CHALLENGER, False, NONE),
        Seen(1, 1.0, Arm.CHALLENGER, Arm.CHAMPION, True, SLOW),
        Seen(1, 1.0, Arm.CHALLENGER, Arm.CHAMPION, False, SLOW),
    )

    assert calls == {1.0: Calls(1, 1, (0, 1, 0), (0, 0, 0), 1, 1)}


def test_a_new_stage_counts_calls_anew_and_keeps_quality():
    pair = Pair(1, "2013-01-01", 1.0, 0.4, 0.6)
    seen = Seen(1, 0.0, Arm.CHAMPION, Arm.CHAMPION, False, NONE)
    entered = Evidence.start(plan_of("brier"), Task.CLASSIFICATION).fold([seen], [pair]).entered()

    assert not entered.calls
    assert entered.sums["2013-01-01"].pairs == 1


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf])
def test_a_call_at_no_share_is_refused(share):
    with pytest.raises(DataError, match="share"):
        fold(Seen(1, share, Arm.CHAMPION, Arm.CHAMPION, False, NONE))


def test_an_unknown_rate_a_foreign_loss_and_a_broken_block_are_refused():
    start = Evidence.start(plan_of("brier"), Task.CLASSIFICATION)
    with pytest.raises(DataError, match="odd"):
        start.fold([Seen(1, 0.0, Arm.CHAMPION, Arm.CHAMPION, False, frozenset({"odd"}))], [])
    with pytest.raises(DataError, match="ISO date"):
        start.fold([], [Pair(1, "monday", 1.0, 0.5, 0.5)])
    with pytest.raises(DataError, match="regression"):
        Evidence.start(plan_of("brier"), Task.REGRESSION)


@pytest.mark.parametrize("damage", [
    {"loss": "log_loss"}, {"task": "regression"}, {"margin": 0.5}, {"blocked": False}, {"sums": [["2013-01-01", "x"]]},
    {"calls": [[0.5]]}, {"calls": None}, {"calls": [[0.5, 1, -1, [0, 0, 0], [0, 0, 0]]]},
    {"calls": [[0.5, 1, 1, [0, 0, 2], [0, 0, 0]]]}, {"calls": [[math.nan, 1, 1, [0, 0, 0], [0, 0, 0]]]},
    {"calls": [[0.5, 1, 1, [0, 0], [0, 0, 0]]]}, {"calls": [[0.5, 1.5, 1, [0, 0, 0], [0, 0, 0]]]},
    {"sums": [["2013-01-01", "0", "1", "1", "0", "0", "0"]]}, {"unusable": -1}, {"unusable": None},
    {"sums": [["2013-02-30", "1", "1", "1", "0", "0", "0"]]}, {"bets": [[1, 0.5, 0.5, 9.0]]},
])  # fmt: skip
def test_stored_evidence_that_is_damaged_or_of_another_plan_is_refused(damage):
    plan = plan_of("brier")
    stored = Evidence.start(plan, Task.CLASSIFICATION).to_json() | damage

    with pytest.raises(DataError, match="evidence"):
        Evidence.from_json(plan, Task.CLASSIFICATION, stored)


def test_sums_are_the_metrics_of_the_registry_to_a_millionth_of_the_margin():
    label, answers = [1.0, 0.0, 1.0], ([0.9, 0.2, 0.0], [0.6, 1.0, 0.5])
    for loss, metric in (("log_loss", log_loss), ("brier", brier)):
        start = Evidence.start(plan_of(loss, margin=0.003), Task.CLASSIFICATION)
        pairs = [Pair(1, "2013-01-01", y, a, b) for y, a, b in zip(label, *answers, strict=True)]
        sums = start.fold([], pairs).sums["2013-01-01"]

        assert sums.champion / 3 * start.unit == pytest.approx(metric(label, answers[0]), abs=0.003e-6)
        assert sums.challenger / 3 * start.unit == pytest.approx(metric(label, answers[1]), abs=0.003e-6)


@pytest.mark.parametrize("broken", [
    (0.5, 0.5, 0.5), (math.nan, 0.5, 0.5), (1.0, math.nan, 0.5), (1.0, 0.5, math.inf), (1.0, 1.5, 0.5),
])  # fmt: skip
def test_a_pair_that_is_none_is_counted_as_such(broken):
    for loss in LOSSES_OF[Task.CLASSIFICATION]:
        found = Evidence.start(plan_of(loss), Task.CLASSIFICATION).fold([], [Pair(1, "2013-01-01", *broken)])

        assert (found.unusable, dict(found.sums)) == (1, {})


def test_an_absurdly_large_loss_is_none():
    plan = plan_of("squared")
    found = Evidence.start(plan, Task.REGRESSION).fold([], [Pair(1, "2013-01-01", 0.0, 1e60, 1.0)])

    assert (found.unusable, dict(found.sums)) == (1, {})


def test_losses_are_those_the_plan_names():
    assert loss_of("error", Task.CLASSIFICATION)(1.0, 0.5) == 1.0
    assert loss_of("error", Task.CLASSIFICATION)(0.0, 0.5) == 0.0
    assert loss_of("absolute", Task.REGRESSION)(-2.0, 1.5) == 3.5
    assert loss_of("squared", Task.REGRESSION)(-2.0, 1.0) == 9.0
    assert loss_of("squared", Task.REGRESSION)(0.0, 1e200) is None


def test_evidence_of_two_plans_differs_in_their_unit_alone():
    one, other = (Evidence.start(plan_of("brier", margin=m), Task.CLASSIFICATION) for m in (0.01, 0.02))

    assert other.unit == 2 * one.unit
    assert replace(one, margin=0.02) == other


def test_rows_of_one_call_are_one_event_and_each_is_assigned() -> None:
    slow = Seen(3, 0.05, Arm.CHALLENGER, Arm.CHALLENGER, False, frozenset({"slow"}))
    found = (
        Evidence.start(plan_of("brier"), Task.CLASSIFICATION).fold([slow, *[slow._replace(beside=True)] * 59], []).calls
    )

    assert found == {0.05: Calls(0, 1, (0, 0, 0), (0, 1, 0), 0, 60)}
