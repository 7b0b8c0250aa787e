"""A yes needs every guard; a no names the first that fails, with its numbers."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts, Outcome, Training, failures_in_a_row
from mlops_assets.core.retraining.guards import GUARDS, standing
from mlops_assets.core.retraining.policy import Decision, decide
from mlops_assets.core.signals import Answer, Response
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.retraining import Retraining
from mlops_assets.declare.use_case import UseCase
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

YEAR = FLIGHT_DELAYS.partitions.keys()
NOW = 24
RETRAIN = Answer(response=Response.RETRAIN, reason="the model is wrong more often")


def under(**policy: Any) -> UseCase:
    return replace(FLIGHT_DELAYS, retraining=Retraining(**policy))


def cause(signal: Signal = Signal.DATA, week: int = NOW) -> Cause:
    return Cause(use_case="flight_delays", model="flight_delays@1", model_digest="ab", reference="cd",
                 window=YEAR[week], signal=signal)  # fmt: skip


def trained(
    ago: int, outcome: Outcome = Outcome.NOMINATED, *, by_hand: bool = False, forgiven: bool = False
) -> Training:
    signal = None if by_hand else Signal.DATA
    key = "" if by_hand else cause(week=NOW - ago).key
    return Training(partition=YEAR[NOW - ago], key=key, signal=signal, outcome=outcome, forgiven=forgiven)


def facts(*trainings: Training, **changes: Any) -> Facts:
    told: dict[str, Any] = {"newest": YEAR[NOW], "trained_to": YEAR[4], "fresh_rows": 9_000, "act_windows": 2}
    return Facts(**told | changes, trainings=trainings)


def decided(
    *trainings: Training,
    signal: Signal = Signal.DATA,
    answer: Answer = RETRAIN,
    policy: dict[str, Any] | None = None,
    **changes: Any,
) -> Decision:
    return decide(under(**(policy or {})), cause(signal), answer, facts(*trainings, **changes))


def failing(decision: Decision) -> list[str]:
    return [guard.name for guard in decision.guards if not guard.holds]


def test_where_every_guard_holds_a_model_is_trained_again() -> None:
    decision = decided()

    assert decision.yes and failing(decision) == []
    assert decision.reason == f"data drift in {YEAR[NOW]}: the model is wrong more often"
    assert [guard.name for guard in decision.guards] == list(GUARDS)


def test_the_cooldown_is_told_in_weeks() -> None:
    decision = decided(trained(2))

    assert decision.reason == f"cooldown: 2 of 4 weeks since the training of {YEAR[NOW - 2]}"
    assert not decision.yes
    assert not decided(trained(3)).yes and decided(trained(4)).yes


def test_each_failure_doubles_the_cooldown_until_a_training_is_nominated() -> None:
    fell, failed = trained(7, Outcome.FELL_SHORT), trained(15, Outcome.FAILED)

    assert decided(fell).reason == (
        f"cooldown: 7 of 8 weeks (4 weeks, doubled 1x) since the training of {YEAR[NOW - 7]}"
    )
    assert "7 of 16 weeks" in decided(failed, fell).reason
    assert decided(trained(8, Outcome.FELL_SHORT)).yes
    assert decided(failed, fell, trained(5)).yes
    assert decided(failed, fell, trained(1, by_hand=True)).yes


def test_a_training_by_hand_neither_starts_a_cooldown_nor_costs_the_budget() -> None:
    by_hand = [trained(n, by_hand=True) for n in range(1, 9)]

    assert decided(*by_hand).yes
    assert failures_in_a_row([trained(2, Outcome.FELL_SHORT, by_hand=True)] * 5) == 0


def test_an_older_week_made_anew_makes_no_failure_good() -> None:
    fell = trained(8, Outcome.FELL_SHORT)

    assert failures_in_a_row([fell, trained(12, by_hand=True)]) == 1
    assert failures_in_a_row([fell, trained(8, by_hand=True)]) == 0
    assert failures_in_a_row([trained(8), fell]) == 1


def test_the_budget_counts_what_was_trained_by_itself_within_the_span() -> None:
    policy = {"most": 2, "per": timedelta(weeks=10)}

    assert decided(trained(9), trained(5), policy=policy).reason == "budget: 2 of 2 trainings within 10 weeks"
    assert decided(trained(10), trained(5), policy=policy).yes


def test_after_failures_in_a_row_the_breaker_opens_until_somebody_closes_it() -> None:
    policy = {"cooldown": timedelta(days=7), "breaker": 2}
    row = trained(20, Outcome.FAILED), trained(16, Outcome.FELL_SHORT)

    assert decided(*row, policy=policy).reason.startswith("breaker: 2 of 2 failures in a row, it is open until")
    assert decided(*(replace(one, forgiven=True) for one in row), policy=policy).yes
    assert decided(*row, trained(10, by_hand=True), policy=policy).yes
    assert decided(row[0], trained(18), row[1], policy=policy).yes


def test_a_pending_training_blocks_another_also_of_another_signal() -> None:
    pending = trained(0, Outcome.PENDING)

    assert (
        decided(pending, signal=Signal.CONCEPT).reason == f"none pending: the training of {YEAR[NOW]} is not judged yet"
    )
    assert decided(pending).reason == "new cause: a training was asked for by this cause already"


def test_a_week_that_has_a_model_is_not_trained_again() -> None:
    decision = decided(trained(0, by_hand=True))

    assert decision.reason == f"untrained week: a model of {YEAR[NOW]} was judged already: nominated"


def test_drifted_inputs_must_say_act_in_windows_in_a_row_and_concept_drift_need_not() -> None:
    assert decided(act_windows=1).reason == "windows: 1 of 2 windows in a row said act"
    assert decided(act_windows=0, signal=Signal.CONCEPT).yes


def test_only_concept_drift_does_not_wait_for_a_rollout() -> None:
    assert (
        decided(rollout="canary 25 % of version 3").reason == "no rollout: canary 25 % of version 3: it is waited for"
    )
    assert decided(rollout="canary 25 % of version 3", signal=Signal.CONCEPT).yes
    assert not decided(rollout="canary", signal=Signal.AGE, policy={"max_age": timedelta(days=7)}).yes


def test_only_the_newest_window_retrains() -> None:
    old = decide(FLIGHT_DELAYS, cause(week=NOW - 1), RETRAIN, facts())

    assert old.reason == f"newest window: {YEAR[NOW - 1]} is not the newest window, {YEAR[NOW]} is"


def test_too_few_fresh_rows_are_counted() -> None:
    assert decided(fresh_rows=4_999).reason == "fresh rows: 4,999 of 5,000 labelled rows since the last training"


@pytest.mark.parametrize("response", Response)
def test_drift_retrains_on_that_response_alone_and_age_on_any_but_a_warning(response: Response) -> None:
    answer = Answer(response=response, reason="as it is")
    aged = decided(signal=Signal.AGE, answer=answer, policy={"max_age": timedelta(weeks=19)})

    assert decided(answer=answer).yes is decided(answer=answer, signal=Signal.CONCEPT).yes is (
        response is Response.RETRAIN
    )  # fmt: skip
    assert aged.yes is (response not in (Response.ROLL_BACK, Response.CHECK_FEED))


def test_a_model_is_too_old_when_its_last_week_lies_further_back_than_declared() -> None:
    def aged(policy: dict[str, Any], **changes: Any) -> Decision:
        return decided(signal=Signal.AGE, policy=policy, **changes)

    old = aged({"max_age": timedelta(weeks=16)})
    assert old.yes
    assert old.reason == f"age in {YEAR[NOW]}: 20 of 16 weeks since the last week it was trained on, {YEAR[4]}"
    assert failing(aged({"max_age": timedelta(weeks=20)})) == ["age"]
    assert failing(aged({})) == ["age"]
    assert failing(aged({"max_age": timedelta(weeks=1)}, trained_to="")) == ["age"]


def test_every_guard_is_told_also_when_the_answer_is_no_already() -> None:
    decision = decided(trained(1, Outcome.PENDING), fresh_rows=0, rollout="canary", act_windows=0)

    assert failing(decision) == ["windows", "none pending", "cooldown", "no rollout", "fresh rows"]
    assert decision.reason.startswith("windows: ")


def test_a_cause_of_another_use_case_is_refused() -> None:
    with pytest.raises(DataError, match="cause of 'parking', must be of 'flight_delays'"):
        decide(FLIGHT_DELAYS, replace(cause(), use_case="parking"), RETRAIN, facts())


@pytest.mark.parametrize("change", [
    {"newest": "2013-04-23"}, {"newest": ""}, {"newest": "20130422"}, {"trained_to": "W17"},
    {"fresh_rows": -1}, {"act_windows": 1.0}, {"fresh_rows": True},
])  # fmt: skip
def test_facts_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=f"Facts: {next(iter(change))} == "):
        facts(**change)


def test_one_cause_has_one_key_and_another_has_another() -> None:
    one = cause()
    others = [replace(one, **{name: "other"}) for name in ("use_case", "model", "model_digest", "reference", "window")]

    assert cause().key == one.key and len(one.key) == 64
    assert len({one.key, cause(Signal.CONCEPT).key, *(other.key for other in others)}) == 7


# --- all of it -----------------------------------------------------------------------------------------------------

BREAKS: dict[str, dict[str, Any]] = {
    "windows": {"act_windows": 1},
    "newest window": {"newest": YEAR[NOW + 1]},
    "no rollout": {"rollout": "canary"},
    "fresh rows": {"fresh_rows": 0},
}
HISTORIES: dict[str, Callable[[Signal], list[Training]]] = {
    "new cause": lambda signal: [replace(trained(0, Outcome.FAILED), key=cause(signal).key)],
    "untrained week": lambda _: [trained(0, by_hand=True)],
    "none pending": lambda _: [trained(6, Outcome.PENDING)],
    "cooldown": lambda _: [trained(1)],
    "budget": lambda _: [trained(20)] * 6,
    "breaker": lambda _: [trained(20, Outcome.FAILED)] * 3,  # last: what is nominated later makes them good
}


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("response", Response)
def test_no_combination_with_a_failing_guard_says_yes(signal: Signal, response: Response) -> None:
    answer, policy = Answer(response=response, reason="x"), {"max_age": timedelta(weeks=8)}
    not_asked = {Signal.DATA: set(), Signal.CONCEPT: {"windows", "no rollout"}, Signal.AGE: {"windows"}}[signal]
    for broken in itertools.product([False, True], repeat=len(BREAKS) + len(HISTORIES)):
        chosen = list(itertools.compress([*BREAKS, *HISTORIES], broken))
        changes = {name: value for one in chosen for name, value in BREAKS.get(one, {}).items()}
        history = [training for one in chosen if one in HISTORIES for training in HISTORIES[one](signal)]
        decision = decided(*history, signal=signal, answer=answer, policy=policy, **changes)

        assert set(chosen) - not_asked <= set(failing(decision))
        assert decision.yes is (not failing(decision))
        assert decision.yes or decision.reason.startswith(f"{failing(decision)[0]}: ")


WEEKS = st.sampled_from(YEAR)
TRAININGS = st.builds(
    Training,
    partition=WEEKS,
    key=st.sampled_from(["", "a", cause().key]),
    signal=st.none() | st.sampled_from(Signal),
    outcome=st.sampled_from(Outcome),
    forgiven=st.booleans(),
)
SPANS = st.timedeltas(min_value=FLIGHT_DELAYS.label.maturity, max_value=timedelta.max)


@given(
    signal=st.sampled_from(Signal),
    answer=st.builds(Answer, response=st.sampled_from(Response), reason=st.text()),
    known=st.builds(
        Facts,
        newest=WEEKS,
        trained_to=WEEKS | st.just(""),
        fresh_rows=st.integers(min_value=0),
        act_windows=st.integers(min_value=0),
        rollout=st.text(),
        trainings=st.lists(TRAININGS, max_size=60).map(tuple),
    ),
    policy=st.builds(
        Retraining,
        windows=st.integers(1, 9),
        cooldown=SPANS,
        most=st.integers(1, 9),
        per=SPANS,
        fresh=st.integers(0, 9_000),
        breaker=st.integers(1, 10**6),
        max_age=st.none() | SPANS,
    ),
)
def test_it_is_total_and_deterministic(signal: Signal, answer: Answer, known: Facts, policy: Retraining) -> None:
    use_case = replace(FLIGHT_DELAYS, retraining=policy)

    decision = decide(use_case, cause(signal), answer, known)

    assert decision == decide(use_case, cause(signal), answer, replace(known))
    assert decision.yes is all(guard.holds for guard in decision.guards)
    assert [guard.name for guard in decision.guards] == list(GUARDS)
    assert all(guard.sentence for guard in decision.guards)
    assert set(standing(policy, known.newest, known.trainings)) <= set(decision.guards)
    automatic = [t for t in known.trainings if t.automatic]
    if decision.yes:
        assert known.newest == cause().window
        assert not any(t.outcome is Outcome.PENDING for t in known.trainings)
        assert len([t for t in automatic if t.partition >= known.newest]) == 0
