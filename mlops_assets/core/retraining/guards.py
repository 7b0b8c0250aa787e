"""The guards of automatic retraining: each looks at the facts and says whether it holds, with its numbers.

A guard that is not asked of a signal holds and says so: every decision tells of all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts, Outcome, Training, failures_in_a_row
from mlops_assets.core.signals import Answer, Response
from mlops_assets.declare.partitions import WEEK
from mlops_assets.declare.retraining import Retraining

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Guard:
    """Whether one condition holds, and its numbers in words."""

    name: str
    holds: bool
    sentence: str


Test = Callable[[Retraining, Cause, Answer, Facts], tuple[bool, str]]
OfTrainings = Callable[[Retraining, str, Sequence[Training]], tuple[bool, str]]  # the str is the newest window


def _response(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    said = f"{answer.response.value}: {answer.reason}"
    if cause.signal is Signal.AGE:  # no drift is needed; but no model is trained on a broken feed, or instead of a bad
        return answer.response not in (Response.CHECK_FEED, Response.ROLL_BACK), said
    return answer.response is Response.RETRAIN, said


def _age(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    if cause.signal is not Signal.AGE:
        return True, f"not asked of {cause.signal.value}"
    if policy.max_age is None:
        return False, "no age is too old for this use case"
    if not facts.trained_to:
        return False, "there is no model whose age could be told"
    age = _between(facts.trained_to, facts.newest)
    return age > policy.max_age, f"{_of(age, policy.max_age)} since the last week it was trained on, {facts.trained_to}"


def _windows(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    if cause.signal is not Signal.DATA:
        return True, f"not asked of {cause.signal.value}"
    return facts.act_windows >= policy.windows, f"{facts.act_windows} of {policy.windows} windows in a row said act"


def _newest(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    if cause.window == facts.newest:
        return True, f"{cause.window} is the newest window"
    return False, f"{cause.window} is not the newest window, {facts.newest} is"


def _new_cause(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    asked = any(training.key == cause.key for training in facts.trainings)
    return not asked, "a training was asked for by this cause already" if asked else "nothing was asked for by it yet"


def _untrained(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    # the same week gives the same model, byte for byte: there would be nothing new to judge
    judged = (Outcome.NOMINATED, Outcome.FELL_SHORT)
    met = [t.outcome.value for t in facts.trainings if t.partition == cause.window and t.outcome in judged]
    return not met, f"a model of {cause.window} was judged already: {met[-1]}" if met else "the week has no model yet"


def _none_pending(policy: Retraining, newest: str, trainings: Sequence[Training]) -> tuple[bool, str]:
    weeks = [training.partition for training in trainings if training.outcome is Outcome.PENDING]
    return not weeks, f"the training of {weeks[-1]} is not judged yet" if weeks else "no training is under way"


def _breaker(policy: Retraining, newest: str, trainings: Sequence[Training]) -> tuple[bool, str]:
    failures = failures_in_a_row(trainings)
    said = f"{failures} of {policy.breaker} failures in a row"
    if failures < policy.breaker:
        return True, f"{said}, it is closed"
    return False, f"{said}, it is open until a training by hand is nominated or `mlops retraining close`"


def _cooldown(policy: Retraining, newest: str, trainings: Sequence[Training]) -> tuple[bool, str]:
    weeks = [training.partition for training in trainings if training.automatic]
    if not weeks:
        return True, "nothing was trained by itself yet"
    failures = failures_in_a_row(trainings)
    since, needed = _between(max(weeks), newest), policy.cooldown // _TICK * 2**failures
    doubled = f" ({_span(policy.cooldown)}, doubled {failures}x)" if failures else ""
    return since // _TICK >= needed, f"{_of(since, needed)}{doubled} since the training of {max(weeks)}"


def _budget(policy: Retraining, newest: str, trainings: Sequence[Training]) -> tuple[bool, str]:
    spent = sum(_between(t.partition, newest) < policy.per for t in trainings if t.automatic)
    return spent < policy.most, f"{spent} of {policy.most} trainings within {_span(policy.per)}"


def _no_rollout(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    if not facts.rollout:
        return True, "nothing is on its way to users"
    if cause.signal is Signal.CONCEPT:
        return True, f"{facts.rollout}, which concept drift does not wait for"
    return False, f"{facts.rollout}: it is waited for"


def _fresh(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[bool, str]:
    said = f"{facts.fresh_rows:,} of {policy.fresh:,} labelled rows since the last training"
    return facts.fresh_rows >= policy.fresh, said


def _by_trainings(test: OfTrainings) -> Test:
    return lambda policy, cause, answer, facts: test(policy, facts.newest, facts.trainings)


OF_TRAININGS: dict[str, OfTrainings] = {
    "none pending": _none_pending,
    "breaker": _breaker,
    "cooldown": _cooldown,
    "budget": _budget,
}
# in the order in which they are told: the first that fails is the reason
GUARDS: dict[str, Test] = {
    "response": _response,
    "age": _age,
    "windows": _windows,
    "newest window": _newest,
    "new cause": _new_cause,
    "untrained week": _untrained,
    **{name: _by_trainings(test) for name, test in OF_TRAININGS.items()},
    "no rollout": _no_rollout,
    "fresh rows": _fresh,
}


def examined(policy: Retraining, cause: Cause, answer: Answer, facts: Facts) -> tuple[Guard, ...]:
    """Every guard, in order."""
    return tuple(Guard(name, *test(policy, cause, answer, facts)) for name, test in GUARDS.items())


def standing(policy: Retraining, newest: str, trainings: Sequence[Training]) -> tuple[Guard, ...]:
    """The guards that look at the trainings so far and nothing else, as they are in the window `newest`."""
    return tuple(Guard(name, *test(policy, newest, trainings)) for name, test in OF_TRAININGS.items())


def _between(earlier: str, later: str) -> timedelta:
    return date.fromisoformat(later) - date.fromisoformat(earlier)


def _of(met: timedelta, bound: timedelta | int) -> str:
    """`2 of 4 weeks`; a bound in microseconds where it may be longer than any timedelta."""
    ticks = bound if isinstance(bound, int) else bound // _TICK
    unit, name = (WEEK, "week") if ticks % (WEEK // _TICK) == 0 else (timedelta(days=1), "day")
    return f"{met / unit:g} of {_number(ticks, unit, name)}"


def _span(span: timedelta) -> str:
    unit, name = (WEEK, "week") if span % WEEK == timedelta(0) else (timedelta(days=1), "day")
    return _number(span // _TICK, unit, name)


def _number(ticks: int, unit: timedelta, name: str) -> str:
    whole, rest = divmod(ticks, unit // _TICK)
    count = f"{ticks / (unit // _TICK):g}" if rest else str(whole)
    return f"{count} {name}{'' if count == '1' else 's'}"
