"""Training: weeks of features and labels in, a model with the evidence about it out.

Here belongs the order of the work: split by time, encode, fit, score, measure. It is pure: no clock, no global state
left behind, nothing random but what the declared seed fixes, so the same rows give the same model bit for bit (tree
models: on any machine of the same locked environment; models on BLAS: on the same CPU kernel). It knows no stores: what
becomes of the model is `graph`'s business.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core import encoding
from mlops_assets.core.calibration import Calibration, calibrate
from mlops_assets.core.estimators import build, fit_on, threads
from mlops_assets.core.importances import permutation_importances
from mlops_assets.core.metrics import METRIC, measure
from mlops_assets.core.row_selection import Labelled
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.training_window import Window, judged, training_window
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Estimator, Task
from mlops_assets.declare.use_case import UseCase


@dataclass(frozen=True, kw_only=True)
class WeekMetric:
    """The promotion metric on one week's used rows, of model and baseline; None where it is undefined there.

    A week of role "train" was seen in training: its figure says how well the model remembers, not how good it is.
    """

    partition: str
    role: str
    rows: int
    model: float | None
    baseline: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """A fitted model and the evidence about it; equal inputs give equal content.

    `metrics`, `baseline_metrics`: every metric of the task on the validation rows, by name. `importances`: share by
    feature, sum 1. `validation`, `baseline_validation`: the judged rows (key, as_of, block, label, prediction) of each.
    `params`: all of the estimator's parameters, as JSON values or text.
    """

    use_case: str
    partition: str
    metric: str
    scorer: Scorer
    baseline: Scorer
    metrics: Mapping[str, float]
    baseline_metrics: Mapping[str, float]
    calibration: Calibration
    importances: Mapping[str, float]
    weekly: tuple[WeekMetric, ...]
    validation: pd.DataFrame
    baseline_validation: pd.DataFrame
    window: Window
    seed: int
    threads: int
    params: Mapping[str, Any]

    @property
    def estimator(self) -> Any:
        """The fitted scikit-learn estimator."""
        return self.scorer.estimator

    @property
    def encoder(self) -> encoding.Encoder:
        return self.scorer.encoder

    def scores(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The model's answer to each row of any frame with its features, float64 `[rows]`."""
        return self.scorer.predict(frame)

    def evidence(self) -> dict[str, Any]:
        """Everything about the model that is a number or a name, as JSON values (the `metrics.json` of a run)."""
        return {
            "use_case": self.use_case,
            "partition": self.partition,
            "metric": self.metric,
            "metrics": dict(self.metrics),
            "baseline_metrics": dict(self.baseline_metrics),
            "calibration": self.calibration.to_json(),
            "importances": dict(self.importances),
            "weekly": [asdict(week) for week in self.weekly],
            "window": self.window.to_json(),
            "seed": self.seed,
            "threads": self.threads,
            "params": dict(self.params),
        }


def fit(use_case: UseCase, frames: Mapping[str, pd.DataFrame]) -> TrainedModel:
    """The model of the last week among `frames`, which are keyed by partition and consecutive.

    A frame has the request's key columns, as_of (with time zone), the model's features, the label (null = no truth)
    and `label_known_at`. Raises DataError for rows that cannot be learned from (`training_window` lists them) and
    DeclarationError for an estimator that scikit-learn does not have.
    """
    return fit_rows(use_case, *training_window(use_case, frames))


def fit_rows(use_case: UseCase, train: Labelled, validation: Labelled, window: Window) -> TrainedModel:
    """The same from rows already selected (`training_window`). Raises DeclarationError like `fit`."""
    model, task = use_case.model, use_case.label.task
    encoder = encoding.fit(use_case, train.frame)
    seen, unseen = encoder.encode(train.frame), encoder.encode(validation.frame)
    metric = METRIC[use_case.promotion.metric]
    with threads(model.threads):
        scorer = _fitted(use_case, model.estimator, encoder, seen, train.label)
        baseline = _fitted(use_case, model.baseline, encoder, seen, train.label)
        answers, plain = scorer.predict_encoded(unseen), baseline.predict_encoded(unseen)
        importances = permutation_importances(
            encoder.features, scorer.predict_encoded, unseen, validation.label, metric, model.seed
        )
        weekly = (
            *_weekly(use_case, "train", train, scorer.predict_encoded(seen), baseline.predict_encoded(seen)),
            *_weekly(use_case, "validation", validation, answers, plain),
        )
    return TrainedModel(
        use_case=use_case.name,
        partition=window.weeks[-1].partition,
        metric=metric.name,
        scorer=scorer,
        baseline=baseline,
        metrics=MappingProxyType(measure(task, validation.label, answers)),
        baseline_metrics=MappingProxyType(measure(task, validation.label, plain)),
        calibration=calibrate(validation.label, answers),
        importances=MappingProxyType(importances),
        weekly=weekly,
        validation=judged(use_case, validation, answers),
        baseline_validation=judged(use_case, validation, plain),
        window=window,
        seed=model.seed,
        threads=model.threads,
        params=MappingProxyType(_plain(scorer.estimator.get_params(deep=False))),
    )


def predict(model: TrainedModel | Scorer, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The answer to each row: probability of True, or the number; finite and in range, or DataError."""
    return (model.scorer if isinstance(model, TrainedModel) else model).predict(frame)


def validate(use_case: UseCase, frames: Mapping[str, pd.DataFrame], scorer: Scorer) -> pd.DataFrame:
    """The judged rows of another model on the validation rows a training on `frames` has: what the gate compares.

    The other model must not have been trained on these weeks; a champion of an earlier partition never was.
    """
    _, validation, _ = training_window(use_case, frames)
    with threads(use_case.model.threads):
        return judged(use_case, validation, scorer.predict(validation.frame))


def _fitted(
    use_case: UseCase, declared: Estimator, encoder: encoding.Encoder, array: Any, label: npt.NDArray[np.float64]
) -> Scorer:
    task = use_case.label.task
    estimator = build(declared, use_case.model, encoder, task)
    truth = label.astype(np.int64) if task is Task.CLASSIFICATION else label
    try:
        fit_on(estimator, array, truth, use_case.model.threads)
    except ValueError as refused:
        raise DataError(
            f"{use_case.name}: {declared.path} refused the {len(array)} training rows ({refused}): "
            "correct its params, or the features it reads."
        ) from refused
    return Scorer(estimator=estimator, encoder=encoder, task=task)


def _weekly(
    use_case: UseCase, role: str, rows: Labelled, answers: npt.NDArray[np.float64], plain: npt.NDArray[np.float64]
) -> list[WeekMetric]:
    metric = METRIC[use_case.promotion.metric]
    found = []
    for week in sorted(set(rows.week)):
        here = rows.week == week
        undefined = metric.name == "auc" and len(np.unique(rows.label[here])) < 2
        model, baseline = (
            None if undefined else metric.of(rows.label[here], values[here]) for values in (answers, plain)
        )
        found.append(WeekMetric(partition=week, role=role, rows=int(here.sum()), model=model, baseline=baseline))
    return found


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON values, sorted by name; whatever is none as text, without addresses in memory."""
    plain: dict[str, Any] = {}
    for name in sorted(params):
        value = params[name]
        listed = isinstance(value, list | tuple) and all(map(_is_plain, value))
        plain[name] = list(value) if listed else value if _is_plain(value) else re.sub(r" at 0x\w+", "", str(value))
    return plain


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | str) or (type(value) is float and math.isfinite(value))
