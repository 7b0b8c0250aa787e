"""May a model be trained again by itself, now? Yes when every guard holds; a no names the first that fails."""

from dataclasses import dataclass

from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts
from mlops_assets.core.retraining.guards import Guard, examined
from mlops_assets.core.signals import Answer
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Yes or no, one sentence why, and every guard that was looked at, in order."""

    yes: bool
    reason: str
    guards: tuple[Guard, ...]


def decide(use_case: UseCase, cause: Cause, answer: Answer, facts: Facts) -> Decision:
    """Whether `cause` may start a training of its window under the policy of `use_case`.

    `answer` is what the window's signals asked for (`core/signals.respond`). The same arguments give the same decision;
    nothing else is looked at. Raises DataError for a cause of another use case.
    """
    if cause.use_case != use_case.name:
        raise DataError(f"cause of {cause.use_case!r}, must be of {use_case.name!r}: ask its own policy.")
    guards = examined(use_case.retraining, cause, answer, facts)
    failing = next((guard for guard in guards if not guard.holds), None)
    if failing is not None:
        return Decision(yes=False, reason=f"{failing.name}: {failing.sentence}", guards=guards)
    why = answer.reason
    if cause.signal is Signal.AGE:
        why = next(guard.sentence for guard in guards if guard.name == "age")
    return Decision(yes=True, reason=f"{cause.signal.value} in {cause.window}: {why}", guards=guards)
