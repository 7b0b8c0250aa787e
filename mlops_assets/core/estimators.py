"""From a declared estimator to a scikit-learn object, ready to fit, and the threads it may use.

Here belong the import of the class, the seed, the positions of the categories. It knows no rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare.errors import DeclarationError
from mlops_assets.declare.modelling import Estimator, Model, Task


def build(declared: Estimator, model: Model, encoder: Encoder, task: Task) -> Any:
    """An unfitted estimator: declared parameters, `random_state` and `n_jobs` where it (or a part of it) has them.

    Nothing of the declaration is shared with it, so fitting it twice starts twice from the same place. Raises
    DeclarationError for a path or a parameter that scikit-learn does not have, or a class that cannot do the task.
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
    try:
        estimator = clone(kind(**declared.params))
        if declared.categories is not None:
            estimator.set_params(**{declared.categories: list(encoder.category_positions) or None})
    except (TypeError, ValueError) as refused:
        raise DeclarationError(f"{where}: {refused}: correct params or categories.") from refused
    for parameter in sorted(estimator.get_params(deep=True)):
        if parameter.rpartition("__")[2] == "random_state":
            estimator.set_params(**{parameter: model.seed})
        elif parameter.rpartition("__")[2] == "n_jobs":
            estimator.set_params(**{parameter: model.threads})
    return estimator


@contextmanager
def threads(limit: int) -> Iterator[None]:
    """At most `limit` threads (OpenMP and BLAS) for what runs inside; before and after, whatever was set."""
    import sklearn.ensemble  # the libraries must be loaded to be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    _ = sklearn.ensemble
    with threadpool_limits(limits=limit):
        yield
