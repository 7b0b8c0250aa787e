"""What may be done to a history on purpose, so that one sees what becomes of it.

| kind | what is done | who should meet it |
|---|---|---|
| wrong_model | the next challenger's answers are turned the wrong way round | the shadow, by outcomes |
| broken_model | the next challenger throws, from its first canary on | the breaker and the canary, by its failures |
| slow_model | the next challenger is slow, from its first canary on | the canary, by its slow answers |
| broken_feed | the week's file has kilometres for miles, or the like | the drift report, as a fault of the feed |
| label_delay | the week's outcomes and files come three weeks late | reports, trainings, the shadow: they wait |
| crash | gateway and controller are killed in the middle of the week | whoever comes after them |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mlops_assets.declare import DataError, UseCase

LATE = timedelta(weeks=3)  # of outcomes that are told late


class Kind(StrEnum):
    """What is done."""

    WRONG_MODEL = "wrong_model"
    BROKEN_MODEL = "broken_model"
    SLOW_MODEL = "slow_model"
    BROKEN_FEED = "broken_feed"
    LABEL_DELAY = "label_delay"
    CRASH = "crash"


OF_MODELS = (Kind.WRONG_MODEL, Kind.BROKEN_MODEL, Kind.SLOW_MODEL)


@dataclass(frozen=True, kw_only=True, order=True)
class Deed:
    """`kind` is done in the week `week` (its Monday)."""

    week: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.week}:{self.kind.value}"


def deeds(use_case: UseCase, told: Iterable[str], begin: str, end: str) -> tuple[Deed, ...]:
    """The deeds of `WEEK:KIND` texts, in order. Raises DataError for one that is none, or lies outside of the replay.

    >>> from mlops_assets.use_cases.parking import PARKING
    >>> [str(deed) for deed in deeds(PARKING, ["2016-11-07:crash"], "2016-10-31", "2016-12-12")]
    ['2016-11-07:crash']
    """
    found = set()
    for text in told:
        week, _, kind = text.partition(":")
        if kind not in list(Kind):
            kinds = ", ".join(Kind)
            raise DataError(f"--sabotage {text!r}: must be WEEK:KIND, where KIND is one of {kinds}.")
        if week not in use_case.partitions.between(begin, end):
            raise DataError(f"--sabotage {text!r}: {week!r} is no week of the replay, a Monday from {begin} to {end}.")
        found.add(Deed(week=week, kind=Kind(kind)))
    models = [str(deed) for deed in sorted(found) if deed.kind in OF_MODELS]
    if len({deed.week for deed in found if deed.kind in OF_MODELS}) < len(models):
        raise DataError(f"--sabotage {' '.join(models)}: one challenger a week can be spoiled, choose other weeks.")
    return tuple(sorted(found))
