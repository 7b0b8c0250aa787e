"""What the trials came to, as records, and which of them is fitted on everything.

Here belong one trial's result and the choice among all of them. It knows no rows.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.core.estimators import plain_params
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.search.trials import Trial, trials
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Model


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
        measured = self.failure is None and type(self.value) is float and math.isfinite(self.value)
        failed = self.value is None and type(self.failure) is str
        if not (measured or failed) or self.metric not in METRIC:
            raise DataError(
                f"trial {self.trial.key} has {self.metric} == {self.value!r} and the failure {self.failure!r}, must "
                "have a finite value of a known metric, or a reason why there is none: run the trial again."
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
