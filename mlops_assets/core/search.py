"""The search: which trials a model declares, what each comes to, which one is fitted on everything.

Here belong the expansion of the declared space, one trial's training and measurement, and the choice. Trials know
nothing of each other, so each may run, fail and be kept on its own. It knows no clock, no stores, and no row that
validates: a choice made on those would flatter what it chose.
"""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from blake3 import blake3

from mlops_assets.core import encoding
from mlops_assets.core.checkpoints import NO_CHECKPOINTS, Checkpoints
from mlops_assets.core.estimators import fitted, plain_params, threads
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.row_selection import LEAST_ROWS, TRAIN, Labelled
from mlops_assets.core.training_window import Window, training_window
from mlops_assets.core.versions import canonical_json, record_version
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Model
from mlops_assets.declare.search import Search
from mlops_assets.declare.use_case import UseCase


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of hyperparameters to try. Trial 0 has the declared ones.

    `key` is its number and 8 characters over `params`, of A-Z a-z 0-9 _ alone: "t02_a1b2c3d4". `params` are all that
    are declared or tried, `changed` those that the search sets.
    """

    key: str
    params: Mapping[str, Any]
    changed: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What a trial came to: its `value` of `metric` on the tuning rows, or the `failure` for which it has none.

    `rows` trained it, `tuning_rows` of `tuning_weeks` measured it.
    """

    trial: Trial
    metric: str
    value: float | None
    failure: str | None
    rows: int
    tuning_rows: int
    tuning_weeks: tuple[str, ...]

    def __post_init__(self) -> None:
        told = self.value if self.failure is None else self.failure if self.value is None else None
        if not isinstance(told, float | str) or (isinstance(told, float) and not math.isfinite(told)):
            raise DataError(
                f"trial {self.trial.key} has the value {self.value!r} and the failure {self.failure!r}, "
                "must have a finite value or a reason why there is none: run the trial again."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain texts, numbers and lists; the trial by its key, with its parameters to be read."""
        return {
            "trial": self.trial.key,
            "params": plain_params(self.trial.params),
            "changed": plain_params(self.trial.changed),
            "metric": self.metric,
            "value": self.value,
            "failure": self.failure,
            "rows": self.rows,
            "tuning_rows": self.tuning_rows,
            "tuning_weeks": list(self.tuning_weeks),
        }

    @classmethod
    def from_json(cls, model: Model, record: Mapping[str, Any]) -> "TrialResult":
        """The result `to_json` wrote of a trial of this model. Raises DataError for anything else."""
        try:
            fields = dict(record)
            trial = {trial.key: trial for trial in trials(model)}[fields.pop("trial")]
            shown = plain_params(trial.params), plain_params(trial.changed)
            if (fields.pop("params"), fields.pop("changed")) != shown:
                raise ValueError(f"other parameters than trial {trial.key}'s")
            made = cls(**{**fields, "trial": trial, "tuning_weeks": tuple(fields["tuning_weeks"])})
        except (KeyError, TypeError, ValueError) as broken:
            raise DataError(
                f"record is no result of a trial that is declared today ({broken!r}): run the trial again."
            ) from broken
        return made


@dataclass(frozen=True, kw_only=True)
class Searched:
    """The results of all trials of a model, in their order, and the trial that was chosen."""

    results: tuple[TrialResult, ...]
    chosen: Trial

    @classmethod
    def of(cls, model: Model, results: Iterable[TrialResult]) -> "Searched":
        """The choice among these results, given in any order. Raises DataError like `choose`."""
        made = tuple(results)
        return cls(results=_ordered(model, made), chosen=choose(model, made))

    def to_json(self) -> dict[str, Any]:
        """Plain texts, numbers and lists: `chosen` is a trial's key, `trials` has a record of each."""
        return {"chosen": self.chosen.key, "trials": [result.to_json() for result in self.results]}


def trials(model: Model) -> tuple[Trial, ...]:
    """The trials of a model, the declared parameters first; none without a search.

    The rest of the grid follows in declared order. Where `Search.trials` is less than all of it, a sample does: the
    points with the least hash of seed and changes (bottom-k sampling, Cohen & Kaplan 2007), so the same on every
    machine, and a search that is given more trials keeps those it had.
    """
    if model.search is None:
        return ()
    declared = dict(model.estimator.params)
    others = [changed for point in _grid(model.search) if (changed := _changed(declared, point))]
    drawn = sorted(range(len(others)), key=lambda place: _rank(model.seed, others[place]))[: model.search.trials - 1]
    tried: list[dict[str, Any]] = [{}, *(others[place] for place in sorted(drawn))]
    return tuple(
        Trial(
            key=f"t{number:02}_{record_version(plain_params(declared | changed))[:8]}",
            params=MappingProxyType(declared | changed),
            changed=MappingProxyType(changed),
        )
        for number, changed in enumerate(tried)
    )


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


def choose(model: Model, results: Iterable[TrialResult]) -> Trial:
    """The trial with the best metric, the earlier one of equals. The order of the results changes nothing.

    Raises DataError when a trial of the model has no result or two, and when all have failed.
    """
    ordered = _ordered(model, results)
    gains = [(METRIC[r.metric].gain(r.value, over=0.0), r.trial) for r in ordered if r.value is not None]
    if not gains:
        told = "; ".join(f"{result.trial.key}: {result.failure}" for result in ordered)
        raise DataError(f"all {len(ordered)} trials have failed, so there is nothing to fit: {told}")
    return max(gains, key=lambda pair: pair[0])[1]  # the first of equals


def with_params(use_case: UseCase, params: Mapping[str, Any]) -> UseCase:
    """The use case with other hyperparameters of its estimator."""
    estimator = replace(use_case.model.estimator, params=params)
    return replace(use_case, model=replace(use_case.model, estimator=estimator))


def _ordered(model: Model, results: Iterable[TrialResult]) -> tuple[TrialResult, ...]:
    """The results in the order of the model's trials, exactly one of each; DataError otherwise."""
    due = trials(model)
    place = {trial.key: number for number, trial in enumerate(due)}
    met = sorted(results, key=lambda result: place.get(result.trial.key, len(due)))
    if [result.trial for result in met] != list(due):
        raise DataError(
            f"the search has the trials {list(place)}, met results of {[result.trial.key for result in met]}: "
            "run each declared trial once."
        )
    return tuple(met)


def _grid(search: Search) -> list[dict[str, Any]]:
    return [dict(zip(search.space, values, strict=True)) for values in itertools.product(*search.space.values())]


def _changed(declared: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """What the point sets other than it is declared; 1, 1.0 and True are three values."""
    return {name: v for name, v in point.items() if name not in declared or repr(declared[name]) != repr(v)}


def _rank(seed: int, changed: Mapping[str, Any]) -> bytes:
    return bytes(blake3(canonical_json([seed, dict(changed)])).digest())


def _split(use_case: UseCase, train: Labelled, window: Window) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    """The training rows without the tuning weeks, those of the tuning weeks, and which weeks these are."""
    search = use_case.model.search
    if search is None:
        raise DataError(f"{use_case.name}: no search is declared, so there is nothing to try: fit the model.")
    weeks = tuple(week.partition for week in window.weeks if week.role == TRAIN)[-search.tuning_weeks :]
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
