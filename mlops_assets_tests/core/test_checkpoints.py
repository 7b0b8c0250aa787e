"""A fit in steps learns what scikit-learn's own fit learns, bit for bit, and can be taken up after any of them."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, tree
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from mlops_assets.core.checkpoints import STEPWISE, Checkpoint, fit_in_steps, iterations_of, mismatch
from mlops_assets.core.model_digest import model_digest

COUNT = 23  # no multiple of the steps
HISTOGRAM = {"max_iter": COUNT, "early_stopping": False, "random_state": 3}
CART = {"n_estimators": COUNT, "random_state": 3}
MODELS = {
    "histogram": ensemble.HistGradientBoostingClassifier(**HISTOGRAM, categorical_features=[0]),
    "histogram, some features": ensemble.HistGradientBoostingClassifier(**HISTOGRAM, max_features=0.4),
    "histogram, weighted": ensemble.HistGradientBoostingClassifier(**HISTOGRAM, class_weight="balanced"),
    "histogram, squares": ensemble.HistGradientBoostingRegressor(**HISTOGRAM),
    "histogram, median": ensemble.HistGradientBoostingRegressor(**HISTOGRAM, loss="absolute_error", max_features=0.5),
    "histogram, quantile": ensemble.HistGradientBoostingRegressor(**HISTOGRAM, loss="quantile", quantile=0.3),
    "forest": ensemble.RandomForestClassifier(**CART, max_features=2),
    "forest, some rows": ensemble.RandomForestRegressor(**CART, max_samples=0.4, max_depth=6),
    "extra trees": ensemble.ExtraTreesClassifier(**CART),
    "extra trees of a number": ensemble.ExtraTreesRegressor(**CART, bootstrap=True),
    "boosting": ensemble.GradientBoostingClassifier(**CART),
    "boosting, some rows": ensemble.GradientBoostingClassifier(**CART, subsample=0.5, max_features=0.5),
    "boosting of a number": ensemble.GradientBoostingRegressor(**CART, loss="huber", subsample=0.7),
}
WHOLE = {
    "stopped early": ensemble.HistGradientBoostingClassifier(max_iter=COUNT, early_stopping=True, random_state=3),
    "stopped early, perhaps": ensemble.HistGradientBoostingClassifier(max_iter=COUNT, random_state=3),
    "boosting until no change": ensemble.GradientBoostingClassifier(**CART, n_iter_no_change=3),
    "forest with its own estimate": ensemble.RandomForestClassifier(**CART, oob_score=True),
    "forest with preset weights": ensemble.ExtraTreesClassifier(**CART, class_weight="balanced"),
    "one tree": tree.DecisionTreeClassifier(random_state=3),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def rows():
    random = np.random.default_rng(0)
    array = random.normal(size=(400, 6))
    array[:, 0] = random.integers(0, 5, 400)
    return array, (array[:, 1] + array[:, 2] * array[:, 3] + random.normal(size=400) > 0).astype(int)


def fit(estimator: Any) -> None:
    estimator.fit(*rows())


class Shelf:
    """Checkpoints in memory, as pickles of our own; `kept` maps iterations done to bytes."""

    def __init__(self, start: bytes | None = None, done: int = 0) -> None:
        self.start, self.done, self.kept = start, done, {}

    def load(self, unfitted: Any, features: int) -> Checkpoint | None:
        assert features == 6
        return None if self.start is None else Checkpoint(done=self.done, estimator=pickle.loads(self.start))  # noqa: S301

    def save(self, done: int, estimator: Any) -> None:
        self.kept[done] = pickle.dumps(estimator)

    def clear(self) -> None:
        self.kept.clear()


def stepped(name: str, every: int, shelf: Shelf) -> Any:
    return fit_in_steps(clone((MODELS | WHOLE)[name]), fit, features=6, every=every, checkpoints=shelf)


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_in_steps_is_the_plain_fit_and_so_is_one_taken_up_after_any_step(name: str) -> None:
    plain = clone(MODELS[name])
    fit(plain)
    shelf = Shelf()

    assert model_digest(stepped(name, 5, shelf)) == model_digest(plain)
    assert list(shelf.kept) == [5, 10, 15, 20]
    for done, data in shelf.kept.items():
        resumed = stepped(name, 5, Shelf(data, done))
        assert model_digest(resumed) == model_digest(plain), done
        assert resumed.get_params() == plain.get_params()


def test_every_class_of_the_table_is_proven() -> None:
    assert {type(model).__name__ for model in MODELS.values()} == set(STEPWISE)


@pytest.mark.parametrize("every", [1, 7, 22, 23, 1_000])
def test_the_length_of_the_steps_changes_nothing(every: int) -> None:
    shelf = Shelf()

    assert model_digest(stepped("histogram", every, shelf)) == model_digest(stepped("histogram", 5, Shelf()))
    assert list(shelf.kept) == list(range(every, COUNT, every))


def test_steps_of_another_length_may_go_on() -> None:
    shelf = Shelf()
    plain = model_digest(stepped("histogram", 5, shelf))

    assert model_digest(stepped("histogram", 8, Shelf(shelf.kept[15], 15))) == plain


@pytest.mark.parametrize("name", WHOLE)
def test_an_estimator_whose_steps_would_be_another_fit_is_fitted_whole(name: str) -> None:
    plain, shelf = clone(WHOLE[name]), Shelf()
    fit(plain)

    assert model_digest(stepped(name, 5, shelf)) == model_digest(plain)
    assert shelf.kept == {}


@pytest.mark.parametrize("count", [0, -3, 2.5, "many"])
def test_a_count_that_is_none_is_left_to_scikit_learn_to_refuse(count: object) -> None:
    model = HistGradientBoostingClassifier(max_iter=count, early_stopping=False)

    assert iterations_of(model) is None
    with pytest.raises(ValueError, match="max_iter"):
        fit_in_steps(model, fit, features=6, every=5, checkpoints=Shelf())


def test_a_checkpoint_belongs_to_a_fit_of_the_same_parameters_that_is_as_long() -> None:
    unfitted, shelf = MODELS["histogram"], Shelf()
    stepped("histogram", 10, shelf)
    kept = Checkpoint(done=10, estimator=pickle.loads(shelf.kept[10]))  # noqa: S301  our own bytes

    assert mismatch(unfitted, kept) is None
    assert mismatch(clone(unfitted).set_params(max_iter=10), kept) is None
    assert "holds 10 iterations, the fit asks for 9" in str(mismatch(clone(unfitted).set_params(max_iter=9), kept))
    assert "(learning_rate)" in str(mismatch(clone(unfitted).set_params(learning_rate=0.2), kept))
    assert "(random_state)" in str(mismatch(clone(unfitted).set_params(random_state=4), kept))
    assert "(max_iter)" in str(mismatch(unfitted, Checkpoint(done=11, estimator=kept.estimator)))
    assert "holds a Hist" in str(mismatch(RandomForestClassifier(), kept))
    assert "holds a Random" in str(mismatch(unfitted, Checkpoint(done=10, estimator=RandomForestClassifier())))
