"""Which hyperparameters are tried before a model is fitted, and on how many weeks they are compared."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.declare.checking import freeze, refuse

Plain = bool | int | float | str | None  # what a hyperparameter of a space may be

_OURS = ("random_state", "n_jobs", "warm_start", "verbose")  # set by the project, or of no effect on what is learned
_MOST_POINTS = 10_000  # of a grid: beyond that a handful of trials says nothing about it


@dataclass(frozen=True, kw_only=True)
class Search:
    """The trials before a fit: the declared parameters first, then points of a grid, compared on the newest weeks.

    `space` maps a hyperparameter to the values it may take; the grid is all their combinations, in declared order.
    `trials` counts the declared parameters too: fewer than there are to try takes a sample of the grid, drawn by
    `Model.seed` without repeats. A trial is trained without the last `tuning_weeks` of the training weeks and measured
    on those; the weeks that validate are never looked at, because a choice made on them would flatter what it chose.

    >>> Search(space={"learning_rate": (0.05, 0.1), "max_leaf_nodes": (15, 31)}, trials=3).points
    4
    """

    space: Mapping[str, tuple[Plain, ...]]
    trials: int
    tuning_weeks: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.space, Mapping) or not self.space:
            raise refuse("Search", "space", self.space, "must map hyperparameters to values",
                         "e.g. {'max_leaf_nodes': (15, 31)}")  # fmt: skip
        space = {name: _values(name, values) for name, values in self.space.items()}
        freeze(self, space=MappingProxyType(space))
        if self.points > _MOST_POINTS:
            raise refuse("Search", "space", f"{self.points:,} points", f"must have at most {_MOST_POINTS:,}",
                         "take fewer values: what trials leave out is not searched")  # fmt: skip
        _whole("trials", self.trials, 2, "a search compares the declared parameters with at least one other point")
        if self.trials > self.points + 1:
            raise refuse("Search", "trials", self.trials, "must not exceed the grid's points and the declared one",
                         f"at most {self.points + 1} here")  # fmt: skip
        _whole("tuning_weeks", self.tuning_weeks, 1, "trials are compared on weeks they have not seen")

    @property
    def points(self) -> int:
        """How many combinations the grid has."""
        return math.prod(len(values) for values in self.space.values())


def _values(name: object, values: object) -> tuple[Plain, ...]:
    """The values of one hyperparameter as a tuple of plain, different ones; DeclarationError for anything else."""
    field = f"space[{name!r}]"
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_{1,2}[A-Za-z0-9]+)*", name):
        raise refuse("Search", "space", name, "is no hyperparameter's name", "e.g. 'learning_rate'")
    if name.rpartition("__")[2] in _OURS:
        raise refuse("Search", field, values, "is set by the project", "search what the model learns with")
    if not isinstance(values, tuple | list) or not values:
        raise refuse("Search", field, values, "must be a tuple of values", "e.g. (15, 31)")
    for value in values:
        finite = not isinstance(value, float) or math.isfinite(value)
        if type(value) not in (bool, int, float, str, type(None)) or not finite:
            raise refuse("Search", field, value, "must be a bool, a finite number, a text or None",
                         "trials are recorded as JSON")  # fmt: skip
    if len({repr(value) for value in values}) < len(values):  # 1, 1.0 and True are three values here
        raise refuse("Search", field, tuple(values), "each value may stand once", "remove the repeats")
    return tuple(values)


def _whole(field: str, value: object, least: int, why: str) -> None:
    if type(value) is not int or value < least:
        raise refuse("Search", field, value, f"must be a whole number, at least {least}", why)
