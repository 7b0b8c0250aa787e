"""The verdict: everything must have passed to pass, one thing that fails is enough, and doubt never raises a share."""

import itertools
import json
import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import judge, stages
from mlops_assets.core.rollout.words import Arm, Pair, Seen, Stage
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import RATES, Quality, RolloutPlan

PLAN = RolloutPlan(quality=Quality(loss="brier", margin=0.01, blocks=5))
JUDGED = (Stage.SHADOW, Stage.CANARY, Stage.SOAK)
NONE = frozenset[str]()
GOOD = 2500  # calls of each arm, at which even the narrowest margin is certified when none was bad


def answered(stage, good=GOOD, bad=0, rate="error", arm=Arm.CHALLENGER, share=0.05):
    """So many calls of one arm at a stage, some of them bad."""
    share = {Stage.SHADOW: 0.0, Stage.SOAK: 1.0}.get(stage, share)
    shadow = {Stage.SHADOW: Arm.CHALLENGER, Stage.SOAK: Arm.CHAMPION}.get(stage)
    assigned = arm if stage is Stage.CANARY else Arm.CHALLENGER if stage is Stage.SOAK else Arm.CHAMPION
    one = Seen(1, share, assigned, arm, arm is shadow, NONE)
    return [one] * good + [one._replace(bad=frozenset({rate}))] * bad


def both(stage, share=0.05):
    """Calls of both arms in the numbers of the share, none bad."""
    other = round(GOOD / share * (1 - share)) if stage is Stage.CANARY else GOOD
    return answered(stage, share=share) + answered(stage, good=other, arm=Arm.CHAMPION, share=share)


def labelled(days=7, worse=0.0, per_day=40, noise=0.02, seed=0):
    """Pairs of as many days; the challenger's answers are worse by about so much."""
    random = np.random.default_rng(seed)
    pairs = []
    for day in range(days):
        block = (date(2013, 1, 1) + timedelta(days=day)).isoformat()
        for _ in range(per_day):
            label = float(random.random() < 0.3)
            off = worse + noise * abs(float(random.normal()))
            champion = label * (1 - noise) + (1 - label) * noise
            pairs.append(Pair(1, block, label, champion, label * (1 - off) + (1 - label) * off))
    return pairs


def seen(calls, pairs, plan=PLAN):
    return Evidence.start(plan, Task.CLASSIFICATION).fold(calls, pairs)


def measure(judgement, name):
    return next(one for one in judgement.measures if one.name == name)


@pytest.mark.parametrize("stage", JUDGED)
def test_enough_good_calls_and_two_equal_models_pass(stage):
    judgement = judge(PLAN, stage, 0, seen(both(stage), labelled()))

    assert judgement.verdict is Verdict.PASS, judgement.sentence
    assert {one.name: one.verdict for one in judgement.measures} == dict.fromkeys(
        ("calls", *RATES, "brier"), Verdict.PASS
    )


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in JUDGED])
def test_at_other_stages_nothing_is_judged(stage):
    judgement = judge(PLAN, stage, 0, seen(both(Stage.SHADOW), labelled()))

    assert (judgement.verdict, judgement.measures) == (Verdict.INCONCLUSIVE, ())


PARTS = {
    "no calls": lambda stage: seen([], labelled()),
    "no calls of the challenger": lambda stage: seen(answered(stage, arm=Arm.CHAMPION), labelled()),
    "too few calls": lambda stage: seen(answered(stage, 199), labelled()),
    "calls of other stages": lambda stage: seen(
        [call for other in JUDGED if other is not stage for call in both(other)], labelled()
    ),
    "calls of a stage before": lambda stage: seen(both(stage), labelled()).entered(),
    "no pairs": lambda stage: seen(both(stage), []),
    "six days, of which five are not complete": lambda stage: seen(both(stage), labelled(days=6)),
    "a NaN among the answers": lambda stage: seen(
        both(stage), [*labelled(), Pair(1, "2013-01-02", 1.0, 0.9, math.nan)]
    ),
    "a NaN among the champion's": lambda stage: seen(
        both(stage), [*labelled(), Pair(1, "2013-01-02", 1.0, math.nan, 0.9)]
    ),
    "a NaN for a label": lambda stage: seen(both(stage), [*labelled(), Pair(1, "2013-01-02", math.nan, 0.9, 0.9)]),
    "an answer out of range": lambda stage: seen(both(stage), [*labelled(), Pair(1, "2013-01-02", 1.0, 0.9, 1.1)]),
    "errors that may be too many": lambda stage: seen(both(stage) + answered(stage, 0, 20), labelled()),
}


@pytest.mark.parametrize(("what", "stage"), itertools.product(PARTS, JUDGED))
def test_nothing_passes_on_what_is_missing_broken_or_old(what, stage):
    judgement = judge(PLAN, stage, 0, PARTS[what](stage))

    assert judgement.verdict is not Verdict.PASS
    assert not all(one.verdict is Verdict.PASS for one in judgement.measures)


CALLS = st.lists(
    st.tuples(st.sampled_from(JUDGED), st.sampled_from(Arm), st.integers(0, 900), st.integers(0, 9),
              st.sampled_from(RATES)), max_size=5,
)  # fmt: skip


@given(st.sampled_from(JUDGED), CALLS, st.integers(0, 9), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 1))
def test_a_pass_has_every_measure_passed_and_says_so_again_from_json(stage, calls, days, worse, broken):
    evidence = seen(
        [one for at, arm, good, bad, rate in calls for one in answered(at, good, bad, rate, arm)],
        labelled(days, worse, per_day=5) + [Pair(1, "2013-01-01", 1.0, 0.5, math.nan)] * broken,
    )
    judgement = judge(PLAN, stage, 0, evidence)
    again = Evidence.from_json(PLAN, Task.CLASSIFICATION, json.loads(json.dumps(evidence.to_json())))
    verdicts = {one.verdict for one in judgement.measures}

    assert (judgement.verdict is Verdict.PASS) == (verdicts == {Verdict.PASS} and not judgement.fault)
    assert (judgement.verdict is Verdict.FAIL) == (Verdict.FAIL in verdicts)
    assert json.dumps(judge(PLAN, stage, 0, again).to_json(), allow_nan=False) == json.dumps(judgement.to_json())
    assert all(one.toward_pass >= 0 and one.toward_fail >= 0 for one in judgement.measures)
    assert not (broken and judgement.verdict is Verdict.PASS)


@pytest.mark.parametrize(("stage", "rate"), itertools.product(JUDGED, RATES))
def test_a_challenger_that_fails_more_often_fails_and_the_sentence_says_by_what(stage, rate):
    evidence = seen(both(stage) + answered(stage, 0, 60, rate), labelled())
    judgement = judge(PLAN, stage, 0, evidence)

    assert judgement.verdict is Verdict.FAIL
    assert measure(judgement, rate).verdict is Verdict.FAIL
    assert f"{rate} rate 2.34% of 2,560 calls against 0.00%: worse beyond chance" in judgement.sentence


def test_a_rate_that_is_worse_beyond_chance_fails_though_it_is_below_the_absolute_bound():
    calls = answered(Stage.SHADOW, 40_000, 60) + answered(Stage.SHADOW, 40_000, arm=Arm.CHAMPION)
    judgement = judge(PLAN, Stage.SHADOW, 0, seen(calls, labelled()))

    assert measure(judgement, "error").challenger < PLAN.most_bad / 5
    assert judgement.verdict is Verdict.FAIL


def test_a_rate_below_the_absolute_bound_passes_where_nothing_bad_happened_to_compare():
    judgement = judge(PLAN, Stage.CANARY, 0, seen(both(Stage.CANARY), labelled()))

    assert "certified below 3 times the champion's or 1.00%" in measure(judgement, "slow").sentence


def test_rates_are_convicted_together():
    """Three that look bad convict where one of them, as bad, would not."""
    one = answered(Stage.SHADOW, 0, 13)
    three = [call for rate in RATES for call in answered(Stage.SHADOW, 0, 13, rate)]
    calls = answered(Stage.SHADOW, 800) + answered(Stage.SHADOW, 800, arm=Arm.CHAMPION)

    assert judge(PLAN, Stage.SHADOW, 0, seen(calls + one, [])).verdict is Verdict.INCONCLUSIVE
    assert judge(PLAN, Stage.SHADOW, 0, seen(calls + three, [])).verdict is Verdict.FAIL
    assert stages(PLAN) == 5


@pytest.mark.parametrize("stage", JUDGED)
def test_a_challenger_that_answers_nonsense_fails_before_the_first_look(stage):
    judgement = judge(PLAN, stage, 0, seen(both(stage), labelled(days=5, worse=0.8)))

    assert judgement.verdict is Verdict.FAIL
    assert "3 of 5 blocks are complete, it is worse than the margin 0.01 allows beyond chance" in judgement.sentence


def test_a_challenger_within_the_margin_passes_and_one_worse_by_more_fails_at_the_look():
    within = judge(PLAN, Stage.SHADOW, 0, seen(both(Stage.SHADOW), labelled(worse=0.03)))
    beyond = judge(PLAN, Stage.SHADOW, 0, seen(both(Stage.SHADOW), labelled(worse=0.11)))

    assert (within.verdict, beyond.verdict) == (Verdict.PASS, Verdict.FAIL)


def test_a_later_look_takes_a_pass_back():
    first, later = labelled(days=7), [
        pair._replace(block=(date(2013, 1, 8) + timedelta(days=n // 40)).isoformat())
        for n, pair in enumerate(labelled(days=7, worse=0.13, seed=1))
    ]  # fmt: skip

    assert judge(PLAN, Stage.CANARY, 0, seen(both(Stage.CANARY), first)).verdict is Verdict.PASS
    assert judge(PLAN, Stage.CANARY, 0, seen(both(Stage.CANARY), first + later)).verdict is not Verdict.PASS


def test_a_label_that_comes_late_counts_in_its_block():
    pairs = labelled(days=8)
    late = [pair for pair in pairs if pair.block == "2013-01-02"]
    rest = [pair for pair in pairs if pair.block != "2013-01-02"]

    assert seen([], rest + late) == seen([], pairs)


def test_requests_that_fall_on_the_wrong_arm_hold_the_rollout_but_stop_no_rollback():
    lost = answered(Stage.CANARY, 2500) + answered(Stage.CANARY, 2500, arm=Arm.CHAMPION)
    held = judge(PLAN, Stage.CANARY, 0, seen(lost, labelled()))
    failed = judge(PLAN, Stage.CANARY, 0, seen(lost + answered(Stage.CANARY, 0, 60), labelled()))

    assert (held.verdict, failed.verdict) == (Verdict.INCONCLUSIVE, Verdict.FAIL)
    assert "2,500 of 5,000 requests went to the challenger at 5%" in held.sentence
    assert held.fault and failed.fault


def test_units_of_many_requests_have_slack():
    plan = RolloutPlan(quality=PLAN.quality, unit=("tailnum",))
    calls = both(Stage.CANARY) + answered(Stage.CANARY, 1500)

    assert judge(plan, Stage.CANARY, 0, seen(calls, labelled(), plan)).fault == ""
    assert judge(PLAN, Stage.CANARY, 0, seen(calls, labelled())).fault != ""


def test_only_the_calls_of_the_step_itself_count_toward_its_least_number():
    calls = both(Stage.CANARY, 0.05) + both(Stage.CANARY, 0.25)[:100]
    first, second = (judge(PLAN, Stage.CANARY, step, seen(calls, labelled())) for step in (0, 1))

    assert (measure(first, "calls").count, measure(second, "calls").count) == (GOOD, 100)
    with pytest.raises(DataError, match="step"):
        judge(PLAN, Stage.CANARY, 3, seen(calls, labelled()))


INDEPENDENT = {
    "error": RolloutPlan(quality=Quality(loss="error", margin=0.02, block=None)),
    "brier": RolloutPlan(quality=Quality(loss="brier", margin=0.02, block=None)),
    "log_loss": RolloutPlan(quality=Quality(loss="log_loss", margin=0.1, block=None)),
}


@pytest.mark.parametrize("loss", INDEPENDENT)
def test_independent_outcomes_are_judged_pair_by_pair(loss):
    plan, random = INDEPENDENT[loss], np.random.default_rng(4)

    def answers(worse):
        for _ in range(6000):
            label = float(random.random() < 0.4)
            sure, other = (0.9 if random.random() > 0.1 + part else 0.1 for part in (0.0, worse))
            yield Pair(1, "2013-01-01", label, *(label * p + (1 - label) * (1 - p) for p in (sure, other)))

    equal, poor = (seen(both(Stage.SHADOW), list(answers(worse)), plan) for worse in (-0.005, 0.1))

    assert judge(plan, Stage.SHADOW, 0, equal).verdict is Verdict.PASS
    assert judge(plan, Stage.SHADOW, 0, poor).verdict is Verdict.FAIL


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_independent_outcomes_of_a_regression_are_judged_by_large_numbers(loss):
    plan, random = RolloutPlan(quality=Quality(loss=loss, margin=0.2, block=None)), np.random.default_rng(4)

    def evidence(worse, count=6000):
        label = random.normal(size=count)
        one, other = (label + random.normal(0, spread, count) for spread in (1.0, 1.0 + worse))
        pairs = [Pair(1, "2013-01-01", *map(float, row)) for row in zip(label, one, other, strict=True)]
        return Evidence.start(plan, Task.REGRESSION).fold(both(Stage.SHADOW), pairs)

    assert judge(plan, Stage.SHADOW, 0, evidence(-0.05)).verdict is Verdict.PASS
    assert judge(plan, Stage.SHADOW, 0, evidence(0.6)).verdict is Verdict.FAIL
    assert judge(plan, Stage.SHADOW, 0, evidence(-0.05, 900)).verdict is Verdict.INCONCLUSIVE
