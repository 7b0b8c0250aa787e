"""One trial: trained on the training weeks but the newest, measured on those.

Here belong the split for trials and one trial's work. Trials know nothing of each other, so each may run, fail and be
kept on its own. No row that validates comes here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core import encoding
from mlops_assets.core.checkpoints import NO_CHECKPOINTS, Checkpoints
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.row_selection import LEAST_ROWS, TRAIN, Labelled
from mlops_assets.core.search.results import TrialResult
from mlops_assets.core.search.trials import Trial
from mlops_assets.core.training_window import Window, training_window
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase


def run_trial(
    use_case: UseCase, frames: Mapping[str, pd.DataFrame], trial: Trial, *, checkpoints: Checkpoints = NO_CHECKPOINTS
) -> TrialResult:
    """One trial of the model of the last week among `frames`, given as for `fitting.fit`. Raises DataError likewise."""
    train, _, window = training_window(use_case, frames)
    return run_trial_rows(use_case, train, window, trial, checkpoints=checkpoints)


def run_trial_rows(
    use_case: UseCase, train: Labelled, window: Window, trial: Trial, *, checkpoints: Checkpoints = NO_CHECKPOINTS
) -> TrialResult:
    """The same from the training rows and the account of the window (`training_window`).

    A fit or an answer that is refused makes a result that says why. Raises DataError for weeks that no trial can be
    measured on, DeclarationError for a hyperparameter that the estimator does not have.
    """
    fit_on, tune_on, weeks = _split(use_case, train, window)
    tried, metric = with_params(use_case, trial.params), METRIC[use_case.promotion.metric]
    value, failure = None, None
    try:
        encoder = encoding.fit(tried, fit_on.frame)
        with threads(tried.model.threads):
            array = encoder.encode(fit_on.frame)
            scorer = fitted(tried, tried.model.estimator, encoder, array, fit_on.label, checkpoints)
            value = metric.of(tune_on.label, scorer.predict(tune_on.frame))
    except DataError as refused:
        failure = str(refused)
    return TrialResult(
        trial=trial,
        metric=metric.name,
        value=value,
        failure=failure,
        rows=len(fit_on.label),
        tuning_rows=len(tune_on.label),
        tuning_weeks=weeks,
    )


def with_params(use_case: UseCase, params: Mapping[str, Any]) -> UseCase:
    """The use case with other hyperparameters of its estimator."""
    estimator = replace(use_case.model.estimator, params=params)
    return replace(use_case, model=replace(use_case.model, estimator=estimator))


def tuning_weeks(use_case: UseCase, window: Window) -> tuple[str, ...]:
    """The weeks on which the trials of a window are compared: the last ones that train. DataError without a search."""
    if (search := use_case.model.search) is None:
        raise DataError(f"{use_case.name}: no search is declared, so there is nothing to try: fit the model.")
    return tuple(week.partition for week in window.weeks if week.role == TRAIN)[-search.tuning_weeks :]


def _split(use_case: UseCase, train: Labelled, window: Window) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    """The training rows without the tuning weeks, those of the tuning weeks, and which weeks these are."""
    weeks = tuning_weeks(use_case, window)
    tuning = np.isin(train.week, weeks)
    for what, count in (("before", int((~tuning).sum())), ("of", int(tuning.sum()))):
        if count < LEAST_ROWS:
            raise DataError(
                f"{use_case.name}: {count} training rows lie {what} the tuning weeks {', '.join(weeks)}, must be at "
                f"least {LEAST_ROWS}: declare a greater max_rows, or wait for more weeks."
            )
    return _taken(train, ~tuning), _taken(train, tuning), weeks


def _taken(rows: Labelled, mask: npt.NDArray[np.bool_]) -> Labelled:
    return Labelled(frame=rows.frame[mask].reset_index(drop=True), label=rows.label[mask], week=rows.week[mask])
