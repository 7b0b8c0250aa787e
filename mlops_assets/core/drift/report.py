"""The drift report: one live window against the profile of the model that scored it.

Measures every column once, judges them together, says it in sentences. Reads no training rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from mlops_assets.core.drift.column import ColumnDrift, column_drift, frame_of
from mlops_assets.core.drift.faults import Fault, Look, find_faults
from mlops_assets.core.drift.measured import Measured, measure
from mlops_assets.core.drift.table import (
    Completeness,
    Judgement,
    TableVerdict,
    benjamini_hochberg,
    judge_table,
    shortfall,
    weights_of,
)
from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.core.profile.columns import Frame, column_of, numbers
from mlops_assets.core.profile.records import ReferenceProfile
from mlops_assets.core.signals import Data, Prediction
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DataError


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """A window judged. `columns` are ranked by psi / threshold, the worst first; `score` is 0 .. 1.

    `faults`: feeds that are broken, whatever else drifted; `quality_alarms`: the stable columns that moved, which are
    faults too.
    """

    verdict: TableVerdict
    score: float
    sentence: str
    reasons: tuple[str, ...]
    faults: tuple[Fault, ...]
    quality_alarms: tuple[str, ...]
    rows: int
    completeness: Completeness
    reference_rows: int
    reference_windows: int
    calibrated: bool
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns that drifted, the worst first: neither stable facts nor in a feed fault."""
        return tuple(c.name for c in self.columns if c.verdict is Verdict.DRIFT and not (c.stable or c.fault))

    def column(self, name: str) -> ColumnDrift:
        """The row of one column. Raises DataError when it is not in the report."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"drift report: no column {name!r}, it has {[c.name for c in self.columns]}: name one of them.")

    def to_frame(self) -> pd.DataFrame:
        """One row per column, ranked; text as `string`, figures as float64 (no meaning: NaN), claims as bool."""
        return frame_of(self.columns)

    @property
    def data(self) -> Data:
        """What the report says of the inputs."""
        return Data.FAULT if self.faults else _DATA[self.verdict]

    @property
    def prediction(self) -> Prediction:
        """What the report says of the model's answers."""
        scores = [column.verdict for column in self.columns if column.prediction]
        return _PREDICTION[scores[0]] if scores else Prediction.UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and finite numbers, for metadata and the store."""
        return {
            **asdict(replace(self, faults=(), columns=())),
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "faults": [fault.to_json() for fault in self.faults],
            "quality_alarms": list(self.quality_alarms),
            "columns": [column.to_json() for column in self.columns],
        }


_DATA = {
    TableVerdict.ACT: Data.ACT,
    TableVerdict.WATCH: Data.WATCH,
    TableVerdict.QUIET: Data.QUIET,
    TableVerdict.INCONCLUSIVE: Data.UNKNOWN,
}
_PREDICTION = {
    Verdict.DRIFT: Prediction.DRIFT,
    Verdict.STABLE: Prediction.STABLE,
    Verdict.INSUFFICIENT_DATA: Prediction.UNKNOWN,
}


def signals_of(record: Mapping[str, Any]) -> tuple[Data, Prediction]:
    """The two signals of a report that came back from a store as JSON (`DriftReport.to_json`).

    A record without columns (no model led, nothing was measured) says UNKNOWN; in one older than feed faults the
    data-quality alarms stand for them. Raises ValueError for a verdict that is none.

    >>> signals_of({"verdict": "INCONCLUSIVE", "sentence": "INCONCLUSIVE: no model led before 2013-01-07."})
    (<Data.UNKNOWN: 'inconclusive'>, <Prediction.UNKNOWN: 'inconclusive'>)
    """
    broken = record.get("faults", record.get("quality_alarms", ()))
    scores = [column["verdict"] for column in record.get("columns", ()) if column["prediction"]]
    data = Data.FAULT if broken else _DATA[TableVerdict(record["verdict"])]
    return data, _PREDICTION[Verdict(scores[0])] if scores else Prediction.UNKNOWN


def drift_report(
    profile: ReferenceProfile,
    window: Frame,
    *,
    policy: DriftPolicy,
    importances: Mapping[str, float] | None,
    completeness: Completeness,
) -> DriftReport:
    """Judges `window` (m live rows with every watched column, the score included) against `profile`.

    `importances` are the champion's (any scale; None: all alike), `completeness` the days that have arrived. Thresholds
    are those in the profile, of the day it was built (`profile.judged_by(policy)` for another policy's).
    Raises DataError for a missing column, unequal lengths, infinities, or a column of another kind.

    >>> from mlops_assets.core.profile import build_profile
    >>> from mlops_assets.declare.drift import Monitored
    >>> rows = pd.DataFrame({"delay": range(8000), "score": range(8000)}) % 100
    >>> watched = [Monitored(name="delay", kind="numeric", unit="min"), Monitored(name="score", kind="numeric")]
    >>> weeks = [f"W{row // 1000}" for row in range(8000)]
    >>> reference = build_profile(rows, window=weeks, columns=watched, prediction="score", policy=DriftPolicy())
    >>> full = Completeness(days_with_rows=7, days=7)
    >>> later = rows.assign(delay=rows["delay"] + 40)
    >>> report = drift_report(reference, later, policy=DriftPolicy(), importances=None, completeness=full)
    >>> report.verdict.value, report.drifted
    ('ACT', ('delay',))
    """
    live, rows = _read(profile, window)
    weights = weights_of(importances, profile.names, profile.prediction)
    short = shortfall(rows, completeness, policy)
    measured = {c.name: measure(c, live[c.name], alpha=policy.alpha) for c in profile.columns}
    drifting = _passing({name: figures.at_threshold.p_drift for name, figures in measured.items()}, policy)
    watching = _passing({name: figures.at_watch.p_drift for name, figures in measured.items()}, policy)
    columns = [
        column_drift(
            column,
            measured[column.name],
            verdict=_verdict(measured[column.name], column.name in drifting, judged=not short),
            watch=column.name in watching and not short,
            importance=weights[column.name],
            prediction=column.name == profile.prediction,
        )
        for column in profile.columns
    ]
    faults = () if short else _faults(profile, columns, live, measured, policy)
    kinds = {name: fault.kind.value for fault in faults for name in fault.columns}
    columns = [replace(column, fault=kinds.get(column.name, "")) for column in columns]
    if short:
        judged = Judgement(TableVerdict.INCONCLUSIVE, 0.0, short)
    else:
        judged = judge_table([column.judgeable for column in columns], policy, [fault.sentence for fault in faults])
    if not profile.calibrated:
        judged = judged.with_reason(
            f"thresholds are uncalibrated: {len(profile.windows)} reference windows of the "
            f"{policy.min_reference_windows} it takes"
        )
    ranked = sorted(columns, key=lambda c: (-(c.ratio if c.ratio is not None else -1.0), c.name))
    return DriftReport(
        verdict=judged.verdict,
        score=judged.score,
        sentence=judged.sentence,
        reasons=judged.reasons,
        faults=faults,
        quality_alarms=tuple(c.name for c in ranked if c.stable and c.verdict is Verdict.DRIFT),
        rows=rows,
        completeness=completeness,
        reference_rows=profile.rows,
        reference_windows=len(profile.windows),
        calibrated=profile.calibrated,
        columns=tuple(ranked),
    )


def _faults(
    profile: ReferenceProfile,
    columns: Sequence[ColumnDrift],
    live: Mapping[str, pd.Series],
    measured: Mapping[str, Measured],
    policy: DriftPolicy,
) -> tuple[Fault, ...]:
    """Of the inputs alone: a score that hangs or vanishes is the model's doing, not a feed's."""
    return find_faults(
        Look(
            profile=profile.column(column.name),
            live=measured[column.name].live,
            moved=column.verdict is Verdict.DRIFT,
            said=column.sentence,
            read=partial(numbers, column.name, live[column.name]),
            policy=policy,
            level=policy.alpha / 2 / len(columns),
        )
        for column in columns
        if not column.prediction
    )


def _read(profile: ReferenceProfile, window: Frame) -> tuple[dict[str, pd.Series], int]:
    live = {column.name: column_of(window, column.name) for column in profile.columns}
    lengths = {name: len(values) for name, values in live.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"window: rows per column == {lengths}, they must be rows of one table: pass them whole.")
    return live, next(iter(lengths.values()))


def _passing(p_values: Mapping[str, float], policy: DriftPolicy) -> set[str]:
    """The columns past a level when all are asked at once; one column alone is judged at alpha / 2, as by PSI."""
    passed = benjamini_hochberg(list(p_values.values()), policy.alpha / 2)
    return {name for name, holds in zip(p_values, passed, strict=True) if holds}


def _verdict(figures: Measured, drifting: bool, *, judged: bool) -> Verdict:
    if not judged:
        return Verdict.INSUFFICIENT_DATA
    if drifting:
        return Verdict.DRIFT
    alone = figures.at_threshold.verdict  # drift alone but not among so many may be chance
    return Verdict.STABLE if alone is Verdict.STABLE else Verdict.INSUFFICIENT_DATA
