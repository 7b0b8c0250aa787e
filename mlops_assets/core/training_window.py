"""The rows of a training: which weeks, which of them train, which judge, which have no truth.

Here belongs everything that is decided before anything is learned: the split by time, what counts as a known label,
the one order of the rows. It knows no estimator and no encoding.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.feature_columns import column_values
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.use_case import LABEL_KNOWN_AT, UseCase

JUDGED = ("as_of", "block", "label", "prediction")  # the columns of a judged frame beside the request's key
# The calibration table has ten groups: below two rows in each there is nothing to look at, nor anything to learn.
LEAST_ROWS = 20


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
        return sum(week.used for week in self.weeks if week.role == "train")

    @property
    def validation_rows(self) -> int:
        return sum(week.used for week in self.weeks if week.role == "validation")

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists, the totals included."""
        totals = {name: getattr(self, name) for name in ("rows", "unlabelled", "train_rows", "validation_rows")}
        return totals | {"weeks": [asdict(week) for week in self.weeks]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Labelled rows in canonical order (as_of, then key): the frame, and beside it `[rows]` of labels and weeks."""

    frame: pd.DataFrame
    label: npt.NDArray[np.float64]
    week: npt.NDArray[np.object_]


def training_window(use_case: UseCase, frames: Mapping[str, pd.DataFrame]) -> tuple[Labelled, Labelled, Window]:
    """Training rows, validation rows, and the account of both.

    The last `validation_weeks` weeks validate, the earlier ones train (their newest `max_rows` labelled rows). A label
    that was not known when its week had matured is no truth. The order of rows and of weeks given changes nothing.
    Raises DataError for too few or too many weeks, a gap, a missing column, a row of another week, a repeated key,
    fewer than 20 labelled rows on either side, a classification without both classes on either side.
    """
    model = use_case.model
    keys = _weeks(use_case, frames)
    validating = set(keys[-model.validation_weeks :])
    parts = {key: _week_rows(use_case, key, frames[key]) for key in keys}
    train = _joined(use_case, {key: parts[key] for key in keys if key not in validating})
    validation = _joined(use_case, {key: parts[key] for key in keys if key in validating})
    _refuse_repeats(use_case, parts)
    newest = slice(max(0, len(train.label) - model.max_rows), None)
    train = Labelled(
        frame=train.frame.iloc[newest].reset_index(drop=True), label=train.label[newest], week=train.week[newest]
    )
    for role, side in (("training", train), ("validation", validation)):
        _refuse_unlearnable(use_case, role, side)
    used = pd.Series(np.concatenate([train.week, validation.week])).value_counts()
    weeks = tuple(
        Week(
            partition=key,
            role="validation" if key in validating else "train",
            rows=len(frames[key]),
            labelled=len(parts[key]),
            used=int(used.get(key, 0)),
        )
        for key in keys
    )
    return train, validation, Window(weeks=weeks)


def judged(use_case: UseCase, rows: Labelled, prediction: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Rows as a gate takes them: the request's key, `as_of` (UTC), `block`, `label`, `prediction`.

    `block` is the calendar day of as_of in the use case's time zone, "2013-02-18": outcomes of one day share a storm.
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
    place, days = pd.factorize(asked.dt.tz_convert(use_case.partitions.timezone).dt.normalize())
    frame["block"] = np.array([day.date().isoformat() for day in days], dtype=object)[place]
    frame["label"] = rows.label == 1 if use_case.label.task is Task.CLASSIFICATION else rows.label
    frame["prediction"] = prediction
    return frame.reset_index(drop=True)


def _weeks(use_case: UseCase, frames: Mapping[str, pd.DataFrame]) -> list[str]:
    model, keys = use_case.model, sorted(frames)
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


def _week_rows(use_case: UseCase, key: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The labelled rows of one week, with float labels in a column of their own position: `_LABEL`."""
    where = f"{use_case.name} week {key}"
    as_of, label = use_case.requests.as_of, use_case.label
    wanted = _columns(use_case)
    lacking = [name for name in (*wanted, label.column, LABEL_KNOWN_AT) if name not in frame.columns]
    if lacking:
        raise DataError(f"{where} has no column {lacking}: build the feature table with the present declaration.")
    if frame.empty:
        raise DataError(f"{where} has no rows: materialize it again.")
    for name in (as_of, LABEL_KNOWN_AT):
        dtype = frame[name].dtype
        if not isinstance(dtype, pd.DatetimeTZDtype) and not (name == LABEL_KNOWN_AT and frame[name].isna().all()):
            raise DataError(f"{where}: column {name!r} is {dtype}, must be instants with a time zone: localize it.")
    begin, end = use_case.partitions.bounds(key)
    asked = frame[as_of]
    astray = asked.isna() | (asked < begin - use_case.requests.ahead) | (asked >= end)
    if astray.any():
        raise DataError(
            f"{where} holds {int(astray.sum())} rows asked outside {begin - use_case.requests.ahead} .. {end}, "
            f"the first at {asked[astray].iloc[0]}: the split by time would not hold, rebuild the week's features."
        )
    kind = Kind.BOOL if label.task is Task.CLASSIFICATION else Kind.FLOAT
    truth = column_values(label.column, kind, frame[label.column], ())
    if np.isinf(truth).any():
        raise DataError(f"{where}: label {label.column!r} holds an infinite value, must be finite or null: correct it.")
    known_at = pd.to_datetime(frame[LABEL_KNOWN_AT], utc=True)  # all null, it may have come without a zone
    in_time = (known_at <= end + label.maturity).to_numpy(dtype=bool, na_value=False)
    known = ~np.isnan(truth) & in_time
    rows = frame.loc[known, list(wanted)].copy()
    rows[_LABEL], rows[_WEEK] = truth[known], key
    return rows


_LABEL, _WEEK = "\0label", "\0week"  # no declared name holds a NUL, so these meet none


def _columns(use_case: UseCase) -> tuple[str, ...]:
    features = (feature.name for feature in use_case.model_features)
    return tuple(dict.fromkeys((*use_case.request_table.key, use_case.requests.as_of, *features)))


def _joined(use_case: UseCase, parts: Mapping[str, pd.DataFrame]) -> Labelled:
    rows = pd.concat([part for part in parts.values() if len(part)] or list(parts.values()), ignore_index=True)
    rows = rows.sort_values([use_case.requests.as_of, *use_case.request_table.key], kind="stable", ignore_index=True)
    label, week = rows[_LABEL].to_numpy(dtype=np.float64), rows[_WEEK].to_numpy(dtype=object)
    return Labelled(frame=rows.drop(columns=[_LABEL, _WEEK]), label=label, week=week)


def _refuse_repeats(use_case: UseCase, parts: Mapping[str, pd.DataFrame]) -> None:
    key = list(use_case.request_table.key)
    keys = pd.concat([part[key] for part in parts.values()], ignore_index=True)
    twice = keys.duplicated()
    if twice.any():
        raise DataError(
            f"{use_case.name}: key {keys[twice].iloc[0].to_dict()} stands more than once among the labelled rows "
            f"({int(twice.sum())} repeats): one request is one row, rebuild the features."
        )


def _refuse_unlearnable(use_case: UseCase, role: str, rows: Labelled) -> None:
    column = use_case.label.column
    if len(rows.label) < LEAST_ROWS:
        raise DataError(
            f"{use_case.name}: {len(rows.label)} {role} rows have a label {column!r} known in time, "
            f"must be at least {LEAST_ROWS}: check the label's column and instant, or wait for more weeks."
        )
    if use_case.label.task is Task.CLASSIFICATION and len(classes := np.unique(rows.label)) < 2:
        raise DataError(
            f"{use_case.name}: all {len(rows.label)} {role} rows have {column!r} == {bool(classes[0])}, must show both "
            "classes: check how the label is derived, or take more weeks."
        )
