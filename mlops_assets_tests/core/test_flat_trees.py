"""Trees joined to one say what scikit-learn says, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mlops_assets.core import flat_trees
from mlops_assets.core.flat_trees import flat_answers

Array = npt.NDArray[np.float64]


def rows(count: int, seed: int = 0) -> Array:
    """Rows of five columns, two of them codes of categories, with gaps, unknown codes and no codes among them."""
    random = np.random.default_rng(seed)
    made = random.normal(size=(count, 5))
    made[:, 1] = random.integers(-1, 9, count)
    made[:, 3] = random.choice([0.0, 1.0, 2.0, 255.0, 256.0, 0.5, 1e300, -1e300], count)
    made[random.random(made.shape) < 0.1] = np.nan
    return made


def fitted(kind: type, **params: Any) -> Any:
    """A model of trees on categories 0 .. 7 and 0 .. 2."""
    random = np.random.default_rng(7)
    x = random.normal(size=(900, 5))
    x[:, 1], x[:, 3] = random.integers(0, 8, 900), random.integers(0, 3, 900)
    x[random.random(x.shape) < 0.05] = np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) % 3 + random.normal(0, 0.3, 900)
    target = (y > 1).astype(int) if kind is HistGradientBoostingClassifier else np.abs(y)
    return kind(max_iter=12, max_leaf_nodes=8, early_stopping=False, **params).fit(x, target)


MODELS = {
    "classifier": fitted(HistGradientBoostingClassifier, categorical_features=[1, 3]),
    "numbers": fitted(HistGradientBoostingClassifier),
    "regressor": fitted(HistGradientBoostingRegressor, categorical_features=[3]),
    "poisson": fitted(HistGradientBoostingRegressor, loss="poisson", categorical_features=[1, 3]),
    "one tree": HistGradientBoostingRegressor(max_iter=1).fit(rows(300)[:, [0, 2]], np.arange(300.0)),
}


def plain(model: Any, x: Array) -> Array:
    return model.predict_proba(x)[:, 1] if isinstance(model, HistGradientBoostingClassifier) else model.predict(x)


@pytest.mark.parametrize("name", MODELS)
@given(count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), at_once=st.sampled_from([0, 100]))
@settings(max_examples=40)
def test_joined_trees_answer_as_scikit_learn_does(name: str, count: int, seed: int, at_once: int) -> None:
    model, x = MODELS[name], rows(count, seed)
    x = np.ascontiguousarray(x[:, : model.n_features_in_])
    fast = flat_answers(model)
    assert fast is not None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_trees, "AT_ONCE", at_once)
        answer = fast(x)

    assert answer.tobytes() == np.asarray(plain(model, x), dtype=np.float64).tobytes()


def test_another_estimator_has_no_such_way() -> None:
    assert flat_answers(DummyClassifier().fit([[0], [1]], [0, 1])) is None
