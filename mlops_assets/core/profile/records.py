"""What a model version remembers of its training data: per column bins, counts and thresholds, never a row.

Frozen records with an exact JSON round trip. How they are made is `building.py`; this file computes nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mlops_assets.core.profile.bins import Bins, CategoryBins, NumericBins, Tally
from mlops_assets.declare.drift import ColumnKind, DriftPolicy
from mlops_assets.declare.errors import DataError

FORMAT = 2
READS = (1, 2)  # 1 knew nothing of feed faults


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column of the reference.

    `counts`: rows per bin, as `bins.labels`; `cells`: rows per sketch cell (of a category: none).
    `restlessness` (nats): the largest PSI of one reference window against all others, met in `restless_window` (None:
    fewer than two windows); `ks_restlessness`: the same for KS. `threshold`, `watch_level` (nats) and `ks_threshold`
    follow from them by the policy of the day it was built.

    What feed faults are measured against, of the same windows: `missing_by_window`: the share missing in each, 0 .. 1
    (empty: not recorded); `held_most`: the largest share of one window that one value held; `rise_most`: the most one
    value's share rose above what it is in the others; `sizes`: the least and the largest size of a window over the
    others' (`profile.sizes`; None: not recorded, or no numbers). As left out by format 1, nothing is beyond them.
    `feed`: what fills the column.
    """

    name: str
    kind: ColumnKind
    dtype: str
    unit: str
    stable: bool
    critical: bool
    bins: Bins
    counts: tuple[int, ...]
    cells: tuple[int, ...]
    minimum: float | None
    maximum: float | None
    restlessness: float
    restless_window: str | None
    ks_restlessness: float
    threshold: float
    watch_level: float
    ks_threshold: float
    missing_by_window: tuple[float, ...] = ()
    held_most: float = 1.0
    rise_most: float = 1.0
    sizes: tuple[float, float] | None = None
    feed: str = ""

    @cached_property
    def tally(self) -> Tally:
        """The reference counted, in the same shape as a live column."""
        return Tally(np.array(self.counts, dtype=np.int64), np.array(self.cells, dtype=np.int64))

    @property
    def rows(self) -> int:
        """Reference rows, missing ones included."""
        return sum(self.counts)

    def judged_by(self, policy: DriftPolicy) -> "ColumnProfile":
        """The same column with the thresholds of another policy."""
        return replace(
            self,
            threshold=policy.threshold(restlessness=self.restlessness, stable=self.stable),
            watch_level=policy.watch_level(restlessness=self.restlessness, stable=self.stable),
            ks_threshold=max(policy.ks, policy.calibration * self.ks_restlessness),
        )


@dataclass(frozen=True, kw_only=True)
class ReferenceProfile:
    """The training data as drift reports see it. `prediction` names the column of the model's own score.

    `windows`: the reference windows large enough to calibrate thresholds; `calibrated`: there are enough of them.
    """

    columns: tuple[ColumnProfile, ...]
    prediction: str
    rows: int
    windows: tuple[str, ...]
    calibrated: bool

    def column(self, name: str) -> ColumnProfile:
        """The column `name`. Raises DataError when the profile does not watch it."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"reference profile: no column {name!r}, it watches {self.names}: name one of them.")

    @property
    def names(self) -> list[str]:
        """The watched columns, in the order they were declared."""
        return [column.name for column in self.columns]

    def judged_by(self, policy: DriftPolicy) -> "ReferenceProfile":
        """The same reference with the thresholds of another policy (to compare two on one history)."""
        columns = tuple(column.judged_by(policy) for column in self.columns)
        return replace(self, columns=columns, calibrated=len(self.windows) >= policy.min_reference_windows)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings, ints and finite floats; `from_json` gives the equal record back.

        `json.dumps` writes floats by repr, the shortest text that reads back exactly: equal profiles, equal bytes.
        """
        return {"format": FORMAT, **_listed(asdict(self))}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ReferenceProfile":
        """The record that `to_json` wrote, now or in format 1. Raises DataError for another format."""
        if document.get("format") not in READS:
            raise DataError(
                f"reference profile: format == {document.get('format')!r}, this version reads {READS}: "
                "train again, or read it with the version that wrote it."
            )
        fields = {name: value for name, value in document.items() if name != "format"}
        columns = tuple(_column(column) for column in fields["columns"])
        return cls(**{**fields, "columns": columns, "windows": tuple(fields["windows"])})


def _column(document: Mapping[str, Any]) -> ColumnProfile:
    written: dict[str, Any] = dict(document["bins"])
    written |= {name: tuple(value) for name, value in written.items() if isinstance(value, list | tuple)}
    bins: Bins = NumericBins(**written) if document["kind"] == "numeric" else CategoryBins(**written)
    listed = {name: tuple(value) for name, value in document.items() if isinstance(value, list | tuple)}
    return ColumnProfile(**{**document, **listed, "bins": bins})


def _listed(value: Any) -> Any:
    """Tuples as lists, at every depth: what JSON has."""
    if isinstance(value, dict):
        return {name: _listed(inner) for name, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value
