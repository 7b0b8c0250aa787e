"""A training set by reference: which versions of which weeks, which rows of them, as known when.

Here belongs the record that names one, and the table that follows from it. The record holds no rows: it points to
versions of feature tables, which the store keeps, so the same name gives the same bytes however much late data has
arrived since, and whatever the use case declares by then. It knows no store (`stores/training_sets.py` does).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa

from mlops_assets.core.feature_facts import features_digest
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.row_selection import TRAIN, VALIDATION, Labelled, Selection, select
from mlops_assets.core.versions import canonical, record_version, version_of_canonical
from mlops_assets.declare.checking import freeze
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.use_case import UseCase

RECORD = "training_set"  # of a trained model: its reference
ROLE, WEEK = "_role", "_week"  # columns of its table; no declared name begins with an underscore
_DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What names a training set: feature versions, left side, as_of rule.

    `weeks` maps a partition to the data version of its feature table; `features_digest` is of the declaration of the
    selection's features (`feature_facts`).

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> made = TrainingSet.of(FLIGHT_DELAYS, {"2012-12-31": "3e255ad3"})
    >>> made.name.startswith("flight_delays/ts-"), len(made.name)
    (True, 29)
    """

    selection: Selection
    weeks: Mapping[str, str]
    features_digest: str

    def __post_init__(self) -> None:
        freeze(self, weeks=MappingProxyType(dict(sorted(self.weeks.items()))))

    @classmethod
    def of(cls, use_case: UseCase, weeks: Mapping[str, str]) -> "TrainingSet":
        """The set a training on these weeks has, as the use case is declared today."""
        digest = features_digest(use_case, use_case.model_features)
        return cls(selection=Selection.declared(use_case), weeks=weeks, features_digest=digest)

    @property
    def name(self) -> str:
        """`use_case/ts-` and 12 hexadecimal characters over the whole record."""
        return f"{self.selection.use_case}/ts-{record_version(self.to_json())[:12]}"

    @property
    def as_of_rule(self) -> str:
        """In words: when a row is asked, what a feature may have seen by then, when a label counts."""
        chosen = self.selection
        return (
            f"Asked at {chosen.as_of}: a feature saw what was known by then (known_at <= {chosen.as_of}); a label "
            f"({chosen.label}) counts when known by {chosen.maturity_s / _DAY_S:g} days after its week's end."
        )

    @property
    def left_side(self) -> str:
        """In words: whose rows, and which of them."""
        chosen = self.selection
        return (
            f"One row is one of {chosen.table} ({', '.join(chosen.key)}) with a known label. The last "
            f"{chosen.validation_weeks} weeks judge, of the earlier ones the newest {chosen.max_rows:,} rows train."
        )

    def table(self, weeks: Mapping[str, pa.Table]) -> pa.Table:
        """Its rows from the feature tables of its weeks, keyed by partition: canonical, so equal sets are equal bytes.

        Raises DataError for other weeks than it names, and for tables that were not built for it (`select`).
        """
        if sorted(weeks) != sorted(self.weeks):
            raise DataError(
                f"{self.name} names the weeks {list(self.weeks)}, met {sorted(weeks)}: load those it names."
            )
        selected = select(self.selection, {week: to_frame(table) for week, table in weeks.items()})
        return rows_table(self.selection, selected.train, selected.validation)

    def to_json(self) -> dict[str, Any]:
        """Plain texts, numbers and lists."""
        return {
            "weeks": dict(self.weeks),
            "selection": self.selection.to_json(),
            "features_digest": self.features_digest,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TrainingSet":
        """The set `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(**{**record, "selection": Selection.from_json(record["selection"])})


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a model keeps of its training set: the set itself, the data version of its rows, how many there are."""

    training_set: TrainingSet
    data_version: str
    train_rows: int
    validation_rows: int

    @property
    def name(self) -> str:
        """That of the set."""
        return self.training_set.name

    def to_json(self) -> dict[str, Any]:
        """Plain texts, numbers and lists, the name included."""
        return {
            "name": self.name,
            "data_version": self.data_version,
            "train_rows": self.train_rows,
            "validation_rows": self.validation_rows,
            "set": self.training_set.to_json(),
        }

    @classmethod
    def recorded(cls, records: Mapping[str, Any], where: str) -> "Reference":
        """The one a trained model's records hold. Raises DataError naming `where` when there is none."""
        if RECORD not in records:
            raise DataError(f"{where} was made before training sets were recorded: train it anew.")
        return cls.from_json(records[RECORD])

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Reference":
        """The reference `to_json` wrote. Raises DataError for anything else, and for a name that is not of its set."""
        try:
            fields = dict(record)
            name = fields.pop("name")
            made = cls(training_set=TrainingSet.from_json(fields.pop("set")), **fields)
        except (KeyError, TypeError, ValueError) as broken:
            raise DataError(f"record is no training set ({broken!r}): read it with the code that wrote it.") from broken
        if made.name != name:
            raise DataError(f"training set {name} is recorded with the content of {made.name}: train anew.")
        return made


def reference(training_set: TrainingSet, train: Labelled, validation: Labelled) -> Reference:
    """The reference to a set whose rows are already at hand: those a model is about to be fitted on and judged by."""
    return Reference(
        training_set=training_set,
        data_version=version_of_canonical(rows_table(training_set.selection, train, validation)),
        train_rows=len(train.label),
        validation_rows=len(validation.label),
    )


def rows_table(selection: Selection, train: Labelled, validation: Labelled) -> pa.Table:
    """Selected rows as one canonical table: as_of, key, features, label, `label_known_at`, `_week`, `_role`.

    Its order is the training's: by as_of, then key. The label is true or false, for a regression a float64.
    """
    sides = [_framed(selection, rows, role) for rows, role in ((train, TRAIN), (validation, VALIDATION))]
    return canonical(to_table(pd.concat(sides, ignore_index=True)))


def rows_by_week(rows: pa.Table) -> dict[str, int]:
    """How many rows of a set's table lie in each week; a week of which none is used is not there."""
    counted = rows.group_by(WEEK).aggregate([([], "count_all")])
    return dict(sorted(zip(counted[WEEK].to_pylist(), counted["count_all"].to_pylist(), strict=True)))


def _framed(selection: Selection, rows: Labelled, role: str) -> pd.DataFrame:
    truth = rows.label == 1 if selection.task is Task.CLASSIFICATION else rows.label
    frame = rows.frame.copy()
    frame.insert(len(selection.columns), selection.label, truth)
    frame[WEEK], frame[ROLE] = rows.week, role
    return frame
