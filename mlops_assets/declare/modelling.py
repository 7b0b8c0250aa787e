"""What is asked, what is learned, and how a model is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any

from mlops_assets.declare.checking import freeze, known, refuse
from mlops_assets.declare.search import Search


class Task(Enum):
    """What the model answers: the probability of True, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The left side of every join: each row of `table` is one question, asked at its instant column `as_of`.

    `ahead` is how long before its week's start a week's first question may be asked (a flight at 00:30 on Monday,
    asked two hours before, is asked on Sunday).
    """

    table: str
    as_of: str
    ahead: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.ahead < timedelta(0):
            raise refuse("Requests", "ahead", self.ahead, "must not be negative", "how long before its week one asks")


@dataclass(frozen=True, kw_only=True)
class Label:
    """The truth to be learned: `column` of the request table. Null = no truth (never trained on, still scored).

    A week's labels are trusted `maturity` after the week's end.
    """

    column: str
    task: Task
    maturity: timedelta
    unit: str = ""
    doc: str = ""

    def __post_init__(self) -> None:
        known("Label", "task", str(self.task), map(str, Task))
        if self.maturity < timedelta(0):
            raise refuse("Label", "maturity", self.maturity, "must not be negative",
                         "a week's labels are trusted after its end, not before")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """A scikit-learn class by its dotted path, its hyperparameters, and the types skops may rebuild from a file.

    `categories` names the hyperparameter that takes the positions of category features (None: it has none).
    """

    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()
    categories: str | None = None

    def __post_init__(self) -> None:
        freeze(self, params=MappingProxyType(dict(self.params)), trusted=tuple(self.trusted))
        where = f"Estimator {self.path!r}"
        if not re.fullmatch(r"sklearn(\.[A-Za-z_]\w*)+", self.path):
            raise refuse(where, "path", self.path, "must lie in scikit-learn", "e.g. 'sklearn.ensemble.X'")
        for name in ("random_state", "n_jobs"):
            if name in self.params:
                raise refuse(where, f"params[{name!r}]", self.params[name], "is set by the project", "use Model.seed")


@dataclass(frozen=True, kw_only=True)
class Model:
    """How one model is made from a window of weeks that ends at its partition.

    The last `validation_weeks` are never trained on: they judge. At least `min_weeks` in all, at most `max_weeks`
    and the newest `max_rows` training rows. `baseline` is what any model must beat. `threads` for the fit.
    `search`, when given, tries other hyperparameters first. A long fit of trees can be taken up again after every
    `checkpoint_every` iterations, which changes nothing about what it learns.
    """

    estimator: Estimator
    baseline: Estimator
    seed: int
    min_weeks: int
    max_weeks: int
    max_rows: int
    validation_weeks: int = 2
    threads: int = 1
    excluded: tuple[str, ...] = ()
    search: Search | None = None
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        freeze(self, excluded=tuple(self.excluded))
        if self.validation_weeks < 1:
            raise refuse("Model", "validation_weeks", self.validation_weeks, "must be at least 1", "a model is judged")
        if not self.validation_weeks < self.min_weeks <= self.max_weeks:
            raise refuse("Model", "min_weeks", self.min_weeks, "must lie between validation_weeks + 1 and max_weeks",
                         f"validation_weeks == {self.validation_weeks}, max_weeks == {self.max_weeks}")  # fmt: skip
        if self.max_weeks > 100:
            raise refuse("Model", "max_weeks", self.max_weeks, "must be at most 100",
                         "beyond that Dagster compares no data versions")  # fmt: skip
        if self.max_rows < 1 or self.threads < 1:
            raise refuse("Model", "max_rows/threads", (self.max_rows, self.threads), "must be positive", "set both")
        if type(self.checkpoint_every) is not int or self.checkpoint_every < 1:
            raise refuse("Model", "checkpoint_every", self.checkpoint_every, "must be a whole number, at least 1",
                         "in iterations of the fit")  # fmt: skip
        if self.search is not None:
            self._check_search(self.search)

    def _check_search(self, search: Search) -> None:
        least = self.validation_weeks + search.tuning_weeks + 1
        if self.min_weeks < least:
            raise refuse("Model", "min_weeks", self.min_weeks, f"must be at least {least} with this search",
                         f"{self.validation_weeks} validate, {search.tuning_weeks} tune, 1 trains")  # fmt: skip
        if self.estimator.categories in search.space:
            raise refuse("Model", "search.space", self.estimator.categories, "holds the positions of the categories",
                         "it is set by the project")  # fmt: skip
