"""Which rows of which weeks a training uses, and in what order: decided from the rows, before anything is learned.

Here belongs the rule as a record of its own, so that a training set can be made again when the declaration it came from
has long been changed. It knows no estimator, no encoding and no declaration but through `Selection.declared`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.feature_columns import column_values
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.partitions import Weekly
from mlops_assets.declare.use_case import LABEL_KNOWN_AT, UseCase

TRAIN, VALIDATION = "train", "validation"
# The calibration table has ten groups: below two rows in each there is nothing to look at, nor anything to learn.
LEAST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Everything declared that decides the rows: the left side (whose key, asked when), the label, how many rows.

    `table` holds the requests, one for each `key`; a request is asked at `as_of`, at most `ahead_s` seconds before its
    week, whose Monday begins in `timezone`. A label counts when known `maturity_s` seconds after the week's end. The
    last `validation_weeks` judge; of the earlier ones the newest `max_rows` labelled rows train.
    """

    use_case: str
    table: str
    key: tuple[str, ...]
    as_of: str
    ahead_s: float
    timezone: str
    features: tuple[str, ...]
    label: str
    task: Task
    maturity_s: float
    validation_weeks: int
    max_rows: int

    @classmethod
    def declared(cls, use_case: UseCase) -> "Selection":
        """What the use case declares today."""
        return cls(
            use_case=use_case.name,
            table=use_case.requests.table,
            key=use_case.request_table.key,
            as_of=use_case.requests.as_of,
            ahead_s=use_case.requests.ahead.total_seconds(),
            timezone=use_case.partitions.timezone,
            features=tuple(feature.name for feature in use_case.model_features),
            label=use_case.label.column,
            task=use_case.label.task,
            maturity_s=use_case.label.maturity.total_seconds(),
            validation_weeks=use_case.model.validation_weeks,
            max_rows=use_case.model.max_rows,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of a feature table beside the label: the instant of asking, the key, the features; each once."""
        return tuple(dict.fromkeys((self.as_of, *self.key, *self.features)))

    @property
    def order(self) -> tuple[str, ...]:
        """What the rows are sorted by: the instant of asking, then the key."""
        return tuple(dict.fromkeys((self.as_of, *self.key)))

    def bounds(self, partition: str) -> tuple[datetime, datetime]:
        """The week as UTC instants, half open."""
        return Weekly(start=partition, timezone=self.timezone).bounds(partition)

    def label_cutoff(self, partition: str) -> datetime:
        """The instant by which a label of the week must have been known, UTC; exactly then is in time."""
        return self.bounds(partition)[1] + timedelta(seconds=self.maturity_s)

    def roles(self, partitions: Iterable[str]) -> dict[str, str]:
        """Partition -> "train" or "validation", oldest first."""
        keys = sorted(partitions)
        judging = set(keys[-self.validation_weeks :])
        return {key: VALIDATION if key in judging else TRAIN for key in keys}

    def to_json(self) -> dict[str, Any]:
        """Plain texts, numbers and lists."""
        return asdict(self) | {"key": list(self.key), "features": list(self.features), "task": self.task.value}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Selection":
        """The selection `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        lists = {name: tuple(record[name]) for name in ("key", "features")}
        return cls(**{**record, **lists, "task": Task(record["task"])})


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Labelled rows in canonical order (as_of, then key): the frame, and beside it `[rows]` of labels and weeks.

    The frame has the selection's columns and `label_known_at`.
    """

    frame: pd.DataFrame
    label: npt.NDArray[np.float64]
    week: npt.NDArray[np.object_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Selected:
    """The rows that train, the rows that judge, and for each week how many labelled ones there were to choose from."""

    train: Labelled
    validation: Labelled
    labelled: Mapping[str, int]


def select(selection: Selection, frames: Mapping[str, pd.DataFrame]) -> Selected:
    """The rows of a training on these weeks, `frames` keyed by partition.

    A label that was not known when its week had matured is no truth. The order of rows and of weeks given changes
    nothing. Raises DataError for a missing column, a row of another week, a repeated key, fewer than 20 labelled rows
    on either side, a classification without both classes on either side.
    """
    roles = selection.roles(frames)
    parts = {key: _week_rows(selection, key, frames[key]) for key in roles}
    train, validation = (
        _joined(selection, {key: parts[key] for key in roles if roles[key] == role}) for role in (TRAIN, VALIDATION)
    )
    _refuse_repeats(selection, parts)
    newest = slice(max(0, len(train.label) - selection.max_rows), None)
    train = Labelled(
        frame=train.frame.iloc[newest].reset_index(drop=True), label=train.label[newest], week=train.week[newest]
    )
    for role, side in (("training", train), ("validation", validation)):
        _refuse_unlearnable(selection, role, side)
    return Selected(train=train, validation=validation, labelled={key: len(part) for key, part in parts.items()})


def _week_rows(selection: Selection, key: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The labelled rows of one week, with float labels in a column of their own position: `_LABEL`."""
    where = f"{selection.use_case} week {key}"
    as_of, label = selection.as_of, selection.label
    lacking = [name for name in (*selection.columns, label, LABEL_KNOWN_AT) if name not in frame.columns]
    if lacking:
        raise DataError(f"{where} has no column {lacking}: build the feature table with the present declaration.")
    if frame.empty:
        raise DataError(f"{where} has no rows: materialize it again.")
    for name in (as_of, LABEL_KNOWN_AT):
        dtype = frame[name].dtype
        if not isinstance(dtype, pd.DatetimeTZDtype) and not (name == LABEL_KNOWN_AT and frame[name].isna().all()):
            raise DataError(f"{where}: column {name!r} is {dtype}, must be instants with a time zone: localize it.")
    begin, end = selection.bounds(key)
    first = begin - timedelta(seconds=selection.ahead_s)
    asked = frame[as_of]
    astray = asked.isna() | (asked < first) | (asked >= end)
    if astray.any():
        raise DataError(
            f"{where} holds {int(astray.sum())} rows asked outside {first} .. {end}, "
            f"the first at {asked[astray].iloc[0]}: the split by time would not hold, rebuild the week's features."
        )
    kind = Kind.BOOL if selection.task is Task.CLASSIFICATION else Kind.FLOAT
    truth = column_values(label, kind, frame[label], ())
    if np.isinf(truth).any():
        raise DataError(f"{where}: label {label!r} holds an infinite value, must be finite or null: correct it.")
    known_at = pd.to_datetime(frame[LABEL_KNOWN_AT], utc=True)  # all null, it may have come without a zone
    in_time = (known_at <= selection.label_cutoff(key)).to_numpy(dtype=bool, na_value=False)
    known = ~np.isnan(truth) & in_time
    rows = frame.loc[known, list(selection.columns)].copy()
    rows[LABEL_KNOWN_AT] = known_at[known]
    rows[_LABEL], rows[_WEEK] = truth[known], key
    return rows


_LABEL, _WEEK = "\0label", "\0week"  # no declared name holds a NUL, so these meet none


def _joined(selection: Selection, parts: Mapping[str, pd.DataFrame]) -> Labelled:
    rows = pd.concat([part for part in parts.values() if len(part)] or list(parts.values()), ignore_index=True)
    rows = rows.sort_values(list(selection.order), kind="stable", ignore_index=True)
    label, week = rows[_LABEL].to_numpy(dtype=np.float64), rows[_WEEK].to_numpy(dtype=object)
    return Labelled(frame=rows.drop(columns=[_LABEL, _WEEK]), label=label, week=week)


def _refuse_repeats(selection: Selection, parts: Mapping[str, pd.DataFrame]) -> None:
    keys = pd.concat([part[list(selection.key)] for part in parts.values()], ignore_index=True)
    twice = keys.duplicated()
    if twice.any():
        raise DataError(
            f"{selection.use_case}: key {keys[twice].iloc[0].to_dict()} stands more than once among the labelled rows "
            f"({int(twice.sum())} repeats): one request is one row, rebuild the features."
        )


def _refuse_unlearnable(selection: Selection, role: str, rows: Labelled) -> None:
    if len(rows.label) < LEAST_ROWS:
        raise DataError(
            f"{selection.use_case}: {len(rows.label)} {role} rows have a label {selection.label!r} known in time, "
            f"must be at least {LEAST_ROWS}: check the label's column and instant, or wait for more weeks."
        )
    if selection.task is Task.CLASSIFICATION and len(classes := np.unique(rows.label)) < 2:
        raise DataError(
            f"{selection.use_case}: all {len(rows.label)} {role} rows have {selection.label!r} == {bool(classes[0])}, "
            "must show both classes: check how the label is derived, or take more weeks."
        )
