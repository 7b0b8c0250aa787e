"""From a declared estimator to a scikit-learn object, ready to fit, and the threads it may use.

Here belong the import of the class, the seed, the positions of the categories, the number of workers, the fit itself.
It knows no splits and no metrics.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.checked_models import checkers
from mlops_assets.core.checkpoints import NO_CHECKPOINTS, Checkpoints, fit_in_steps
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Estimator, Model, Task
from mlops_assets.declare.use_case import UseCase


def build(declared: Estimator, model: Model, encoder: Encoder, task: Task) -> Any:
    """An unfitted estimator: declared parameters, and the seed as `random_state` where it (or a part of it) has one.

    Nothing of the declaration is shared with it, so fitting it twice starts twice from the same place. Raises
    DeclarationError for a path or a parameter that scikit-learn does not have, for a class that cannot do the task, or
    one whose stored models nothing checks.
    """
    from sklearn.base import clone

    where = f"Estimator {declared.path!r}"
    module, _, name = declared.path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        raise DeclarationError(f"{where}: scikit-learn has no such class: correct the path.") from None
    answers = "predict_proba" if task is Task.CLASSIFICATION else "predict"
    if not hasattr(kind, "fit") or not hasattr(kind, answers):
        raise DeclarationError(f"{where} has no {answers}(), which a {task.value} needs: take another class.")
    if kind not in checkers():
        raise DeclarationError(
            f"{where}: nothing checks a stored model of this class, so it could not be loaded again: use one of "
            f"{sorted(checked.__name__ for checked in checkers())}."
        )
    try:
        estimator = clone(kind(**declared.params))
        if declared.categories is not None:
            estimator.set_params(**{declared.categories: list(encoder.category_positions) or None})
    except (TypeError, ValueError) as refused:
        raise DeclarationError(f"{where}: {refused}: correct params or categories.") from refused
    return _set_everywhere(estimator, "random_state", model.seed)


def fitted(
    use_case: UseCase,
    declared: Estimator,
    encoder: Encoder,
    array: npt.NDArray[np.float64],
    label: npt.NDArray[np.float64],
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> Scorer:
    """The declared estimator, fitted on encoded rows `[rows, features]` and their labels, ready to answer.

    A long fit is done in steps of `Model.checkpoint_every` iterations (`fit_in_steps`). Raises DataError when
    scikit-learn refuses the rows or a parameter's value, DeclarationError like `build`.
    """
    model, task = use_case.model, use_case.label.task
    truth = label.astype(np.int64) if task is Task.CLASSIFICATION else label

    def fit(part: Any) -> None:
        try:
            _fit_on(part, array, truth, model.threads)
        except ValueError as refused:
            raise DataError(
                f"{use_case.name}: {declared.path} refused the {len(array)} training rows ({refused}): "
                "correct its params, or the features it reads."
            ) from refused

    made = fit_in_steps(
        build(declared, model, encoder, task),
        fit,
        features=array.shape[1],
        every=model.checkpoint_every,
        checkpoints=checkpoints,
    )
    return Scorer(estimator=made, encoder=encoder, task=task)


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON values, sorted by name; whatever is none as text, without addresses in memory."""
    plain: dict[str, Any] = {}
    for name in sorted(params):
        value = params[name]
        listed = isinstance(value, list | tuple) and all(map(_is_plain, value))
        plain[name] = list(value) if listed else value if _is_plain(value) else re.sub(r" at 0x\w+", "", str(value))
    return plain


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | str) or (type(value) is float and math.isfinite(value))


def _fit_on(estimator: Any, array: Any, label: Any, jobs: int) -> None:
    """Fit with `jobs` workers where the estimator has `n_jobs`, which is None again afterwards.

    So that the model answers with one worker: a forest of several adds its trees in the order in which they finish, and
    its last bits differ from call to call.
    """
    if jobs == 1:  # what None means, too; scikit-learn warns of an n_jobs that does nothing when it is set
        estimator.fit(array, label)
        return
    _set_everywhere(estimator, "n_jobs", jobs).fit(array, label)
    _set_everywhere(estimator, "n_jobs", None)


def _set_everywhere(estimator: Any, parameter: str, value: object) -> Any:
    for name in sorted(estimator.get_params(deep=True)):
        if name.rpartition("__")[2] == parameter:
            estimator.set_params(**{name: value})
    return estimator


@contextmanager
def threads(limit: int) -> Iterator[None]:
    """At most `limit` threads (OpenMP and BLAS) for what runs inside; before and after, whatever was set."""
    import sklearn.ensemble  # the libraries must be loaded to be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    _ = sklearn.ensemble
    with threadpool_limits(limits=limit):
        yield
