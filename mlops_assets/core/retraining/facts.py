"""What is known when a retraining is decided: the newest window, the trainings so far and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum

from mlops_assets.core.retraining.cause import Signal
from mlops_assets.declare.errors import DataError


class Outcome(Enum):
    """What became of a training."""

    PENDING = "pending"  # asked for, not judged yet
    NOMINATED = "nominated"  # its candidate may try a rollout
    FELL_SHORT = "fell short"  # its candidate was judged worse at the gate
    FAILED = "failed"  # its run failed before a judgement


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training of the week `partition`. One that somebody started has no signal, and no key of a cause.

    `forgiven`: it did not succeed, and an operator closed the circuit breaker since.
    """

    partition: str
    key: str
    signal: Signal | None
    outcome: Outcome
    forgiven: bool = False

    def __post_init__(self) -> None:
        a_week("Training", "partition", self.partition)

    @property
    def automatic(self) -> bool:
        """True when a sensor asked for it."""
        return self.signal is not None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the guards look at. Raises DataError for a week that is no date and a count below 0.

    `newest`: the newest complete window. `trained_to`: the newest week the judged model was trained on ("" where no
    model was). `rollout`: what is on its way to users, in words ("" when nothing is). `fresh_rows`: labelled rows since
    the last training. `act_windows`: how many windows in a row, the newest last, said ACT of the inputs. `trainings`:
    in the order in which they were settled, the pending last.
    """

    newest: str
    trained_to: str
    fresh_rows: int
    act_windows: int
    rollout: str = ""
    trainings: tuple[Training, ...] = ()

    def __post_init__(self) -> None:
        a_week("Facts", "newest", self.newest)
        if self.trained_to:
            a_week("Facts", "trained_to", self.trained_to)
        for name in ("fresh_rows", "act_windows"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise DataError(f"Facts: {name} == {getattr(self, name)!r}, must be a whole number >= 0: count again.")


def failures_in_a_row(trainings: Iterable[Training]) -> int:
    """How many automatic trainings did not succeed since one of their week or a later one was nominated.

    Those that an operator forgave do not count, nor do those that somebody started: to try is no failure of the policy.
    """
    row: list[Training] = []
    for training in trainings:
        if training.outcome is Outcome.NOMINATED:
            row = [failed for failed in row if failed.partition > training.partition]
        elif training.outcome is not Outcome.PENDING and training.automatic and not training.forgiven:
            row.append(training)
    return len(row)


def a_week(where: str, field: str, key: str) -> None:
    """Raises DataError unless `key` is a partition key: the date of a Monday."""
    try:
        day = date.fromisoformat(key)
    except (TypeError, ValueError):
        day = None
    if day is None or day.isoformat() != key or day.weekday() != 0:
        raise DataError(f"{where}: {field} == {key!r}, must be a partition key: write the week's Monday, 2013-04-22.")
