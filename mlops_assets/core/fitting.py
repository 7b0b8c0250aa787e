"""Training: weeks of features and labels in, a model with the evidence about it out.

Here belongs the order of the work: split by time, encode, fit, score, measure. It is pure: no clock, no global state
left behind, nothing random but what the declared seed fixes, so the same rows give the same model bit for bit (tree
models: on any machine of the same locked environment; models on BLAS: on the same CPU kernel). It knows no stores: what
becomes of the model is `graph`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core import encoding
from mlops_assets.core.calibration import Calibration, calibrate
from mlops_assets.core.checkpoints import NO_CHECKPOINTS, Checkpoints
from mlops_assets.core.estimators import fitted, plain_params, threads
from mlops_assets.core.importances import permutation_importances
from mlops_assets.core.metrics import METRIC, measure
from mlops_assets.core.row_selection import Labelled
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.search import Searched, TrialResult, run_trial_rows, trials, tuning_weeks, with_params
from mlops_assets.core.training_window import Window, judged, training_window
from mlops_assets.declare.errors import DataError
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
    `params`: all of the estimator's parameters, as JSON values or text. `search`: the trials and the chosen one, None
    where no search is declared.
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
    search: Searched | None

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
            "params": dict(self.params),
            "search": None if self.search is None else self.search.to_json(),
        }


def fit(use_case: UseCase, frames: Mapping[str, pd.DataFrame]) -> TrainedModel:
    """The model of the last week among `frames`, which are keyed by partition and consecutive.

    A frame has the request's key columns, as_of (with time zone), the model's features, the label (null = no truth)
    and `label_known_at`. Raises DataError for rows that cannot be learned from (`training_window` lists them) and
    DeclarationError for an estimator that scikit-learn does not have.
    """
    train, validation, window = training_window(use_case, frames)
    results = [run_trial_rows(use_case, train, window, trial) for trial in trials(use_case.model)]
    return fit_rows(use_case, train, validation, window, results=results)


def fit_rows(
    use_case: UseCase,
    train: Labelled,
    validation: Labelled,
    window: Window,
    *,
    results: Iterable[TrialResult] = (),
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> TrainedModel:
    """The same from rows already selected (`training_window`) and trials already run (`search.run_trial`).

    The model has the parameters of the trial that `results` choose, one of each declared trial; without a search there
    are none. `checkpoints` are of the model's own fit. Raises DataError and DeclarationError like `fit`, and DataError
    for results of other trials than the declared ones, of other weeks or another metric.
    """
    search = _searched(use_case, window, results)
    if search is not None:
        use_case = with_params(use_case, search.chosen.params)
    model, task = use_case.model, use_case.label.task
    encoder = encoding.fit(use_case, train.frame)
    seen, unseen = encoder.encode(train.frame), encoder.encode(validation.frame)
    metric = METRIC[use_case.promotion.metric]
    with threads(model.threads):
        scorer = fitted(use_case, model.estimator, encoder, seen, train.label, checkpoints)
        baseline = fitted(use_case, model.baseline, encoder, seen, train.label)
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
        params=MappingProxyType(plain_params(scorer.estimator.get_params(deep=False))),
        search=search,
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


def _searched(use_case: UseCase, window: Window, results: Iterable[TrialResult]) -> Searched | None:
    """The choice among the results, which must be of this very window; None without a search."""
    given = list(results)
    if use_case.model.search is None:
        if given:
            raise DataError(f"{use_case.name} declares no search, met results of {len(given)} trials: leave them out.")
        return None
    due = use_case.promotion.metric, tuning_weeks(use_case, window)
    for result in given:
        if (result.metric, result.tuning_weeks) != due:
            raise DataError(
                f"{use_case.name}: trial {result.trial.key} tells {result.metric} on {', '.join(result.tuning_weeks)}, "
                f"must be {due[0]} on {', '.join(due[1])}: run the trial again."
            )
    return Searched.of(use_case.model, given)


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
