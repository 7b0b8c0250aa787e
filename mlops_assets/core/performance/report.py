"""One window's performance report: is the model still as good as when it was made? Judged on matured labels alone.

Here belongs the order of the judgement: first whether there is enough to judge by, then the evidence, then what is
worth a look. Figures are `figures.py`, words `sentences.py`. Nothing here looks at inputs or acts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.core.calibration import Calibration, calibrate
from mlops_assets.core.performance.cohort_rows import LabelledRows, labelled_rows
from mlops_assets.core.performance.detector import Detector
from mlops_assets.core.performance.figures import (
    Figure,
    SliceFigure,
    gap_figure,
    loss_figure,
    metric_figures,
    slice_figures,
)
from mlops_assets.core.performance.level import Level
from mlops_assets.core.performance.sentences import Told, sentence, too_few, why
from mlops_assets.core.signals import Concept
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Where the evidence reached its bound: the `labels`-th label of this window, of a request asked at `as_of`."""

    labels: int
    as_of: str


@dataclass(frozen=True, kw_only=True)
class PerformanceReport:
    """A window's realised performance. `sentence` says the state with its numbers, `reasons` what led to it.

    Of `rows` requests the outcome of `settled` is known and `labelled` have a label; of these `unanswered` have a
    prediction that is none and count as wrong. `loss` is the mean scaled loss, `gap` predicted minus actual in the
    label's unit, bounds one-sided at `confidence` each. `before` and `detector` are the evidence before and after the
    window, `evidence` the most there was on the way (1: an alarm). Without enough labels nothing is measured, and the
    detector is as it was.
    """

    state: Concept
    sentence: str
    reasons: tuple[str, ...]
    model: str
    rows: int
    settled: int
    labelled: int
    unanswered: int
    confidence: float
    metrics: tuple[Figure, ...]
    loss: Figure | None
    gap: Figure | None
    calibration: Calibration | None
    slices: tuple[SliceFigure, ...]
    level: Level
    before: Detector | None
    detector: Detector
    alarms: tuple[Alarm, ...]
    evidence: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, lists and dictionaries; what could not be computed is None."""
        return {
            "state": self.state.value,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "model": self.model,
            "rows": self.rows,
            "settled": self.settled,
            "labelled": self.labelled,
            "unanswered": self.unanswered,
            "confidence": self.confidence,
            "metrics": [figure.to_json() for figure in self.metrics],
            "loss": self.loss.to_json() if self.loss else None,
            "gap": self.gap.to_json() if self.gap else None,
            "calibration": self.calibration.to_json() if self.calibration else None,
            "slices": [one.to_json() for one in self.slices],
            "level": self.level.to_json(),
            "before": self.before.to_json() if self.before else None,
            "detector": self.detector.to_json(),
            "alarms": [asdict(alarm) for alarm in self.alarms],
            "evidence": self.evidence,
        }


def performance_report(
    use_case: UseCase,
    cohort: pd.DataFrame,
    *,
    model: str,
    level: Level,
    before: Detector | None,
    reference_metrics: Mapping[str, float],
    matured: bool,
    matures_at: str,
) -> PerformanceReport:
    """The report of a window's requests, in any order of rows.

    `cohort`: the request's key, `as_of`, `block` (ISO date), `prediction`, `label` (float64, NaN: none), `known` (bool)
    and the declared slices. `level` is the model's, `before` the evidence that its earlier windows left (None: none),
    `reference_metrics` its metrics on validation, by name. A window counts once `matured`, which it is at `matures_at`
    (for the sentence). Raises DataError where `labelled_rows` does, and for evidence of another level or policy.
    """
    policy = use_case.concept
    if before is not None and not before.continues(policy, level):
        raise DataError(
            f"the detector before has level {before.level}, effect {before.effect} and patience {before.patience}, "
            f"this model and policy have {level.bound}, {level.effect} and {policy.patience}: start with none."
        )
    rows = labelled_rows(use_case, cohort)
    start = before or Detector.start(policy, level)
    too_little = too_few(policy, rows, matured=matured, matures_at=matures_at)
    after, evidence = (start, start.evidence) if too_little else start.followed(rows.loss)
    alarms = _alarms(rows, start, after)
    told = Told(
        use_case=use_case,
        rows=rows,
        level=level,
        loss=None if too_little else loss_figure(rows, level, policy.level),
        gap=None if too_little else gap_figure(rows, policy.level),
        slices=() if too_little else slice_figures(use_case, rows, level),
        alarms=tuple((alarm.labels, alarm.as_of) for alarm in alarms),
    )
    state, reasons = (Concept.UNKNOWN, (too_little,)) if too_little else why(told)
    return PerformanceReport(
        state=state,
        sentence=sentence(state, reasons, told),
        reasons=reasons,
        model=model,
        rows=rows.rows,
        settled=rows.settled,
        labelled=rows.count,
        unanswered=int((~rows.usable).sum()),
        confidence=policy.level,
        metrics=() if too_little else metric_figures(use_case, rows, reference_metrics),
        loss=told.loss,
        gap=told.gap,
        calibration=None if too_little else _calibration(rows),
        slices=told.slices,
        level=level,
        before=before,
        detector=after,
        alarms=alarms,
        evidence=evidence,
    )


def _alarms(rows: LabelledRows, start: Detector, after: Detector) -> tuple[Alarm, ...]:
    fell = [at - start.labels for at in after.alarms[len(start.alarms) :]]
    asked = rows.frame["as_of"].to_numpy(dtype="datetime64[us]")
    return tuple(Alarm(labels=at, as_of=f"{np.datetime_as_string(asked[at - 1], unit='s')}Z") for at in fell)


def _calibration(rows: LabelledRows) -> Calibration | None:
    return calibrate(rows.label[rows.usable], rows.prediction[rows.usable]) if rows.usable.any() else None
