"""A process that fits everything the project can store and prints what became of it, as one JSON record.

The digest of each model and its answers, those of a whole training with a search, and the kernels it ran on. Run as a
program with a number of threads for the trees; models on BLAS have one.
"""

import json
import sys
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model, tree
from threadpoolctl import threadpool_limits

from mlops_assets.core.fitting import fit
from mlops_assets.core.model_digest import model_digest
from mlops_assets.declare import Search
from mlops_assets.stores.provenance import cpu_kernels
from mlops_assets_tests.core import tiny

HISTOGRAM = {"max_iter": 12, "random_state": 3, "max_features": 0.5}
CART = {"n_estimators": 12, "random_state": 3}
TREES = (
    ensemble.HistGradientBoostingClassifier(**HISTOGRAM, categorical_features=[0]),
    ensemble.HistGradientBoostingRegressor(**HISTOGRAM, loss="absolute_error"),
    ensemble.RandomForestClassifier(**CART),
    ensemble.RandomForestRegressor(**CART),
    ensemble.ExtraTreesClassifier(**CART),
    ensemble.ExtraTreesRegressor(**CART),
    ensemble.GradientBoostingClassifier(**CART),
    ensemble.GradientBoostingRegressor(**CART),
    tree.DecisionTreeClassifier(random_state=3),
    tree.ExtraTreeRegressor(random_state=3),
)
ON_BLAS = (
    linear_model.LogisticRegression(),
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(alpha=0.01),
    linear_model.ElasticNet(alpha=0.01),
)


def rows() -> tuple[Any, Any, Any]:
    """Features, a class, a number; made without BLAS, so the same on every kernel."""
    random = np.random.default_rng(0)
    array = random.normal(size=(1_500, 24))
    array[:, 0] = random.integers(0, 5, 1_500)
    number = array[:, 0] + array[:, 1] * array[:, 2] + random.normal(size=1_500)
    return array, (number > 2).astype(int), number


def made(model: Any) -> dict[str, Any]:
    """The digest of one model and its answers to the rows it has learned from."""
    array, happened, number = rows()
    if hasattr(model, "predict_proba"):
        answers = model.fit(array, happened).predict_proba(array)[:, 1]
    else:
        answers = model.fit(array, number).predict(array)
    return {"digest": model_digest(model), "answers": answers.tolist()}


def trained(workers: int) -> dict[str, Any]:
    """The digest of a training with its search, and the evidence but for the number of threads."""
    search = Search(space={"max_features": (0.5, 0.75), "max_leaf_nodes": (5, 9)}, trials=3)
    model = fit(tiny.use_case(min_weeks=4, threads=workers, search=search), tiny.weeks())
    return {"digest": model_digest(model.estimator, model.encoder), "evidence": model.evidence() | {"threads": None}}


def main(workers: int) -> None:
    with threadpool_limits(workers):
        trees = {type(model).__name__: made(model) for model in TREES} | {"a whole training": trained(workers)}
    with threadpool_limits(1):
        on_blas = {type(model).__name__: made(model) for model in ON_BLAS}
    sys.stdout.write(json.dumps({"kernels": cpu_kernels(), "trees": trees, "on BLAS": on_blas}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
