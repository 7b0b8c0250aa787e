"""The weeks of a training: how many, without a gap, and the account of their rows.

Here belongs what a declared model asks of its window; which rows of the weeks are used is `row_selection.py`. It knows
no estimator and no encoding.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.row_selection import TRAIN, VALIDATION, Labelled, Selection, select
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.use_case import UseCase

JUDGED = ("as_of", "block", "label", "prediction")  # the columns of a judged frame beside the request's key


@dataclass(frozen=True, kw_only=True)
class Week:
    """One week of the window: all its rows, those with a known label, those used (not older than `max_rows` reach).

    `role` is "train" or "validation".
    """

    partition: str
    role: str
    rows: int
    labelled: int
    used: int


@dataclass(frozen=True, kw_only=True)
class Window:
    """What was given and what of it was used. `unlabelled` rows have no truth: cancelled, or not known in time."""

    weeks: tuple[Week, ...]

    @property
    def rows(self) -> int:
        return sum(week.rows for week in self.weeks)

    @property
    def unlabelled(self) -> int:
        return self.rows - sum(week.labelled for week in self.weeks)

    @property
    def train_rows(self) -> int:
        return sum(week.used for week in self.weeks if week.role == TRAIN)

    @property
    def validation_rows(self) -> int:
        return sum(week.used for week in self.weeks if week.role == VALIDATION)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists, the totals included."""
        totals = {name: getattr(self, name) for name in ("rows", "unlabelled", "train_rows", "validation_rows")}
        return totals | {"weeks": [asdict(week) for week in self.weeks]}


def training_window(use_case: UseCase, frames: Mapping[str, pd.DataFrame]) -> tuple[Labelled, Labelled, Window]:
    """Training rows, validation rows, and the account of both.

    The last `validation_weeks` weeks validate, the earlier ones train (their newest `max_rows` labelled rows), as
    `row_selection.select` has it. Raises DataError for too few or too many weeks, a gap, and what `select` refuses.
    """
    keys = checked_weeks(use_case, frames)
    selection = Selection.declared(use_case)
    selected = select(selection, frames)
    used = pd.Series(np.concatenate([selected.train.week, selected.validation.week])).value_counts()
    weeks = tuple(
        Week(
            partition=key,
            role=role,
            rows=len(frames[key]),
            labelled=selected.labelled[key],
            used=int(used.get(key, 0)),
        )
        for key, role in selection.roles(keys).items()
    )
    return selected.train, selected.validation, Window(weeks=weeks)


def judged(use_case: UseCase, rows: Labelled, prediction: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Rows as a gate takes them: the request's key, `as_of` (UTC), `block`, `label`, `prediction`.

    `block` is that of `block_of`: outcomes of one day share a storm.
    """
    key = list(use_case.request_table.key)
    taken = sorted(set(key) & set(JUDGED))
    if taken:
        raise DeclarationError(
            f"{use_case.name}.tables[{use_case.requests.table!r}].key names {taken}, which judged rows use: rename it."
        )
    frame = rows.frame[key].copy()
    asked = rows.frame[use_case.requests.as_of].dt.tz_convert("UTC")
    frame["as_of"] = asked
    frame["block"] = block_of(use_case, asked)
    frame["label"] = rows.label == 1 if use_case.label.task is Task.CLASSIFICATION else rows.label
    frame["prediction"] = prediction
    return frame.reset_index(drop=True)


def block_of(use_case: UseCase, as_of: pd.Series) -> npt.NDArray[np.object_]:
    """The block of calendar days in which each instant lies in the use case's time zone (`Promotion.block`).

    It is named by its first day, "2013-02-18".
    """
    place, days = pd.factorize(as_of.dt.tz_convert(use_case.partitions.timezone).dt.normalize())
    return np.array([use_case.promotion.block_of(day.date()).isoformat() for day in days], dtype=object)[place]


def checked_weeks(use_case: UseCase, partitions: Iterable[str]) -> list[str]:
    """The weeks of a window, oldest first. Raises DataError for too few or too many of them, or a gap."""
    model, keys = use_case.model, sorted(partitions)
    span = f"{keys[0]} .. {keys[-1]}" if keys else "none"
    if len(keys) < model.min_weeks:
        raise DataError(
            f"{use_case.name}: a model needs min_weeks == {model.min_weeks} weeks, met {len(keys)} ({span}): "
            "materialize the earlier weeks, or start at a later partition."
        )
    if len(keys) > model.max_weeks:
        raise DataError(
            f"{use_case.name}: a window holds at most max_weeks == {model.max_weeks} weeks, met {len(keys)} ({span}): "
            "pass the newest ones."
        )
    for earlier, later in pairwise(keys):
        if (due := use_case.partitions.shift(earlier, 1)) != later:
            raise DataError(
                f"{use_case.name}: week {due} is missing between {earlier} and {later}: a window has no gaps, "
                "materialize it."
            )
    return keys
