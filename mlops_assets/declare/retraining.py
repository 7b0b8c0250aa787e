"""When a model is trained again by itself, and what keeps that from happening too often.

Here stand the guards and their evidence; what they decide is `core/retraining`.
"""

from dataclasses import dataclass
from datetime import timedelta

from mlops_assets.declare.checking import refuse

_WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """The policy of automatic retraining. Spans are counted in the data's own time, from week to week.

    `windows`: so many windows in a row must say ACT before drifted inputs alone retrain. `cooldown`: the least time
    between two automatic trainings; doubled by each that fails its gate or its run. `most` trainings in any `per`.
    `fresh`: labelled rows since the last training that it takes. `breaker`: after so many failures in a row nothing is
    trained by itself until a training that somebody started passes, or `mlops retraining close`. `max_age`: a model
    whose newest training week lies further back is trained again without any drift (None: never).

    >>> Retraining().cooldown.days
    28
    """

    windows: int = 2
    # on the flights the gain of a training lasts months; three weeks after one a candidate is still in its shadow
    cooldown: timedelta = 4 * _WEEK
    most: int = 6
    per: timedelta = 52 * _WEEK
    fresh: int = 5_000
    breaker: int = 3
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        for name in ("windows", "most", "breaker"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise refuse("Retraining", name, getattr(self, name), "must be a whole number >= 1", "see the default")
        if type(self.fresh) is not int or self.fresh < 0:
            raise refuse("Retraining", "fresh", self.fresh, "must be a whole number >= 0", "in labelled rows")
        for name in ("cooldown", "per"):
            if getattr(self, name) <= timedelta(0):
                raise refuse("Retraining", name, getattr(self, name), "must be above 0", "a span of time")
        if self.max_age is not None and self.max_age <= timedelta(0):
            raise refuse("Retraining", "max_age", self.max_age, "must be above 0", "a span of time, or None")
