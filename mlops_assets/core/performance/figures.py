"""The figures of a report: metrics beside their reference, the calibration gap, and the declared slices.

Bounds are one-sided at the policy's `level` each, over blocks. Slices are many: a slice is called worse when its loss
is above the level by a bound at (1 - level) / slices (Bonferroni), so that naming any wrongly keeps the chance of one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.performance.cohort_rows import LabelledRows
from mlops_assets.core.performance.intervals import Codes, Estimate, mean_estimate, metric_estimate
from mlops_assets.core.performance.level import Level
from mlops_assets.core.slice_labels import slice_labels
from mlops_assets.declare.promotion import METRICS_OF
from mlops_assets.declare.use_case import UseCase

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure with its bounds and what it was when the model was made; None is what could not be computed."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    reference: float | None

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SliceFigure:
    """One value of a declared feature ("carrier = HA"): the promotion's metric, and the loss, scaled to 0 .. 1.

    `worse`: the loss is above the reference level beyond chance, over all slices that are told.
    """

    feature: str
    label: str
    rows: int
    blocks: int
    metric: Figure
    loss: Figure
    worse: bool

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def metric_figures(use_case: UseCase, rows: LabelledRows, reference: Mapping[str, float]) -> tuple[Figure, ...]:
    """Every metric of the task over the rows with an answer, in the declared order."""
    return tuple(
        _metric(name, rows, rows.usable, use_case.concept.level, reference.get(name))
        for name in METRICS_OF[use_case.label.task]
    )


def loss_figure(rows: LabelledRows, level: Level, at: float) -> Figure:
    """The mean scaled loss, beside the mean of the validation rows."""
    return _figure("loss", mean_estimate(rows.loss, rows.codes), at, level.mean)


def gap_figure(rows: LabelledRows, at: float) -> Figure:
    """Mean of predicted minus actual over the rows with an answer, in the label's unit."""
    if not rows.usable.any():
        return _figure("gap", None, at, None)
    away = (rows.prediction - rows.label)[rows.usable]
    return _figure("gap", mean_estimate(away, rows.codes[rows.usable]), at, None)


def slice_figures(use_case: UseCase, rows: LabelledRows, level: Level) -> tuple[SliceFigure, ...]:
    """Each value of each declared slice feature, in declared order; every feature's slices hold each row once.

    Values of fewer than `promotion.min_slice_rows` rows are folded, as `slice_labels` does; a slice that stays below
    has no bounds.
    """
    promotion, at, found = use_case.promotion, use_case.concept.level, []
    for feature in promotion.slices:
        labels = slice_labels(feature, rows.frame[feature], promotion.min_slice_rows)
        for label in labels.order:
            own = labels.of_row == label
            loss = mean_estimate(rows.loss[own], rows.codes[own])
            if int(own.sum()) < promotion.min_slice_rows:
                loss = Estimate(value=loss.value, error=None, blocks=loss.blocks)
            metric = _metric(promotion.metric, rows, own & rows.usable, at, None)
            found.append((feature, label, int(own.sum()), loss, metric))
    told = sum(loss.error is not None for *_, loss, _ in found)
    strict = 1 - (1 - at) / max(told, 1)
    return tuple(
        SliceFigure(
            feature=feature,
            label=label,
            rows=count,
            blocks=loss.blocks,
            metric=metric,
            loss=_figure("loss", loss, at, None),
            worse=(loss.bounds(strict) or (0.0, 0.0))[0] > level.bound,
        )
        for feature, label, count, loss, metric in found
    )


def _metric(name: str, rows: LabelledRows, own: npt.NDArray[np.bool_], at: float, reference: float | None) -> Figure:
    label, prediction, codes = rows.label[own], rows.prediction[own], rows.codes[own]
    return _figure(name, _estimated(name, label, prediction, codes), at, reference)


def _estimated(name: str, label: Array, prediction: Array, codes: Codes) -> Estimate | None:
    def of(some: npt.NDArray[np.bool_]) -> float | None:
        truth = label[some]
        if len(truth) == 0 or (name == "auc" and len(np.unique(truth)) < 2):
            return None
        value = METRIC[name].of(truth, prediction[some])
        return value if np.isfinite(value) else None

    return metric_estimate(of, codes)


def _figure(name: str, found: Estimate | None, at: float, reference: float | None) -> Figure:
    low, high = (found.bounds(at) if found else None) or (None, None)
    return Figure(name=name, value=found.value if found else None, low=low, high=high, reference=reference)
