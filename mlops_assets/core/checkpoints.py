"""A long fit in steps, so that it can be taken up where it was broken off and still learns the same, bit for bit.

Here belong which estimators grow step by step, the loop over the steps, and what a place for checkpoints must do. The
loop is the same whether anything is kept or not: an interrupted fit, an uninterrupted one and scikit-learn's own `fit`
in one go give one model digest (the tests show it for every class of the table). It knows no disk:
`stores/checkpoints.py` has a place that does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

_FOREST = ("n_estimators", {"oob_score": False, "class_weight": None})
_BOOSTING = ("n_estimators", {"n_iter_no_change": None})
_HISTOGRAM = ("max_iter", {"early_stopping": False})
# class -> the parameter that counts its iterations, and the settings without which a warm start is not the same fit:
# stopping early looks back over iterations, and a forest's presets of weights and its estimate out of the bag warn
STEPWISE: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "HistGradientBoostingClassifier": _HISTOGRAM,
        "HistGradientBoostingRegressor": _HISTOGRAM,
        "RandomForestClassifier": _FOREST,
        "RandomForestRegressor": _FOREST,
        "ExtraTreesClassifier": _FOREST,
        "ExtraTreesRegressor": _FOREST,
        "GradientBoostingClassifier": _BOOSTING,
        "GradientBoostingRegressor": _BOOSTING,
    }
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """An estimator in the middle of its fit, after `done` iterations."""

    done: int
    estimator: Any


class Checkpoints(Protocol):
    """Where one fit keeps how far it has come. One fit, one action key, one place."""

    def load(self, unfitted: Any, features: int) -> Checkpoint | None:
        """The newest checkpoint that belongs to a fit of `unfitted` on rows of `features` columns; None to start over.

        One that is damaged or of another fit is refused with a message, never used and never raised.
        """

    def save(self, done: int, estimator: Any) -> None:
        """Keep the estimator as it is after `done` iterations, in place of what was kept before."""

    def clear(self) -> None:
        """Forget everything: the fit's result is published."""


class NoCheckpoints:
    """Keeps nothing: an interrupted fit starts over."""

    def load(self, unfitted: Any, features: int) -> Checkpoint | None:
        """None."""
        return None

    def save(self, done: int, estimator: Any) -> None:
        """Nothing."""

    def clear(self) -> None:
        """Nothing."""


NO_CHECKPOINTS = NoCheckpoints()


def iterations_of(estimator: Any) -> str | None:
    """The parameter that counts the iterations of a stepwise fit; None for an estimator that is fitted whole.

    >>> from sklearn.ensemble import RandomForestClassifier
    >>> iterations_of(RandomForestClassifier()), iterations_of(RandomForestClassifier(oob_score=True))
    ('n_estimators', None)
    """
    counted, needed = STEPWISE.get(type(estimator).__name__, (None, {}))
    if counted is None:
        return None
    params = estimator.get_params(deep=False)
    whole = type(params[counted]) is not int or params[counted] < 1  # scikit-learn refuses it, in its own words
    return None if whole or any(params.get(name, value) != value for name, value in needed.items()) else counted


def fit_in_steps(
    estimator: Any, fit: Callable[[Any], object], *, features: int, every: int, checkpoints: Checkpoints
) -> Any:
    """The estimator after `fit(estimator)`, done in steps of `every` iterations where it can be, with its own params.

    `fit` fits one estimator on the training rows, of `features` columns. A checkpoint is kept after each step but the
    last, whose result is the model itself.
    """
    counted = iterations_of(estimator)
    if counted is None:
        fit(estimator)
        return estimator
    declared = {name: estimator.get_params(deep=False)[name] for name in (counted, "warm_start")}
    total, done = declared[counted], 0
    if (kept := checkpoints.load(estimator, features)) is not None:
        estimator, done = kept.estimator, kept.done
    while done < total:
        done = min(done + every, total)
        fit(estimator.set_params(**{counted: done, "warm_start": True}))
        if done < total:
            checkpoints.save(done, estimator)
    return estimator.set_params(**declared)


def mismatch(unfitted: Any, checkpoint: Checkpoint) -> str | None:
    """Why a checkpoint is not of a fit of `unfitted`, as the end of a sentence; None when it is."""
    counted = iterations_of(unfitted)
    if counted is None or type(checkpoint.estimator) is not type(unfitted):
        return f"it holds a {type(checkpoint.estimator).__name__}, the fit is of a {type(unfitted).__name__}"
    asked = unfitted.get_params(deep=False)
    if not 0 < checkpoint.done <= asked[counted]:
        return f"it holds {checkpoint.done} iterations, the fit asks for {asked[counted]}"
    due = asked | {counted: checkpoint.done, "warm_start": True}
    found = checkpoint.estimator.get_params(deep=False)
    other = sorted(name for name in due | found if repr(due.get(name)) != repr(found.get(name)))
    return f"it was made with other parameters ({', '.join(other)})" if other else None
