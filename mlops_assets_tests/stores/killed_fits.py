"""A process that fits a model with checkpoints and can be killed at any instant, and the models it fits.

Run as a program it reads orders from stdin, one JSON line each, forks a child that fits, kills it when ordered, and
answers with the child's exit status. Forking from a process that has imported scikit-learn and never run a thread of it
keeps a kill test at the price of the fit.
"""

from pathlib import Path
from typing import Any

import sklearn.ensemble  # noqa: F401  what a child would import, once for all of them
import skops.io  # noqa: F401

from mlops_assets.core import encoding
from mlops_assets.core.checkpoints import Checkpoints
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.training_window import training_window
from mlops_assets.declare import Estimator, Task
from mlops_assets.stores.checkpoints import StoredCheckpoints
from mlops_assets.stores.places import place
from mlops_assets_tests.core import tiny
from mlops_assets_tests.forking import serve

TREE, CART = tiny.TREES.trusted, ("sklearn.tree._tree.Tree", "numpy.dtype")
SMALL = {"max_leaf_nodes": 9, "early_stopping": False}
KINDS = {
    "histogram": (
        "ensemble.HistGradientBoostingClassifier",
        {"max_iter": 60, "max_features": 0.5, **SMALL},
        TREE,
        "categorical_features",
    ),
    "histogram of a number": (
        "ensemble.HistGradientBoostingRegressor",
        {"max_iter": 60, "loss": "absolute_error", **SMALL},
        TREE,
        "categorical_features",
    ),
    "forest": ("ensemble.RandomForestClassifier", {"n_estimators": 60, "max_depth": 4}, CART, None),
    "extra trees": ("ensemble.ExtraTreesRegressor", {"n_estimators": 60, "max_depth": 4}, CART, None),
}
EVERY = 5  # iterations between two checkpoints: eleven of them in one fit


def fit(kind: str, workers: int, checkpoints: Checkpoints, **model: Any) -> str:
    """The digest of the tiny model of that kind, fitted with so many threads."""
    path, params, trusted, categories = KINDS[kind]
    estimator = Estimator(path=f"sklearn.{path}", params=params, trusted=trusted, categories=categories)
    task = Task.REGRESSION if path.endswith("Regressor") else Task.CLASSIFICATION
    case = tiny.use_case(task=task, estimator=estimator, threads=workers, **({"checkpoint_every": EVERY} | model))
    train, _, _ = training_window(case, tiny.weeks())
    encoder = encoding.fit(case, train.frame)
    with threads(workers):
        scorer = fitted(case, estimator, encoder, encoder.encode(train.frame), train.label, checkpoints)
    return model_digest(scorer.estimator)


def fit_and_publish(order: dict[str, Any]) -> None:
    """The fit with its checkpoints in `store`; its digest is published as the file `<key>`, then they are cleared."""
    folder, key = Path(order["store"]), order["key"]

    def tell(sentence: str) -> None:
        with (folder / f"{key}.told").open("a") as told:
            told.write(f"{sentence}\n")

    checkpoints = StoredCheckpoints(place(folder), key, trusted=KINDS[order["kind"]][2], tell=tell)
    digest = fit(order["kind"], order["threads"], checkpoints)
    place(folder).write(key, digest.encode(), "object")
    checkpoints.clear()


if __name__ == "__main__":
    tiny.weeks(count=1)  # what pandas imports at its first frame
    serve(fit_and_publish)
