"""Model files made to crash, hang or lie later: `load` refuses them all, and runs no part of them to find out."""

import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn import dummy, ensemble, linear_model, tree
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_array

from mlops_assets.core.checked_models import checkers
from mlops_assets.core.model_digest import model_digest
from mlops_assets.declare import DataError, DeclarationError
from mlops_assets.stores.models import dump, load

TREES = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.tree._tree.Tree")


pytestmark = pytest.mark.usefixtures("one_thread")


def rows():
    random = np.random.default_rng(0)
    array = random.normal(size=(300, 4))
    array[:, 0] = random.integers(0, 5, 300)
    array[:, 2] = random.integers(0, 3, 300)
    array[::17, 0] = np.nan
    return array, (array[:, 1] + array[:, 2] > 1).astype(int)


def histogram(**params):
    params = {"max_iter": 3, "categorical_features": [2, 0], "early_stopping": False, "random_state": 1} | params
    return HistGradientBoostingClassifier(**params).fit(*rows())


def refusal(model):
    with pytest.raises(DataError) as refused:
        load(skops.io.dumps(model), TREES, features=4)
    return str(refused.value)


# the two crashes, as they were found: each in a process of its own, since a check that fails takes it down

CRASH = """
import sys
import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.svm import SVC
from mlops_assets.declare import DataError
from mlops_assets.stores.models import load

array = np.random.default_rng(0).normal(size=(60, 3))
truth = (array[:, 0] > 0).astype(int)
bad = SVC().fit(array, truth)
bad._n_support = np.array([10**8 + len(bad.support_), -(10**8)], dtype=np.int32)  # scikit-learn looks at the sum alone
model, path = bad, "sklearn.svm.SVC"
if sys.argv[1] == "preprocessor":
    stack = StackingClassifier([("svc", SVC())], cv=2).fit(array, truth)
    stack.estimators_ = [bad]
    del stack.named_estimators_  # of a type that the list does not have; nothing predicts with it
    model, path = HistGradientBoostingClassifier(max_iter=2).fit(array, truth), None
    model._preprocessor = stack
try:
    back = load(skops.io.dumps(model), sys.argv[2:], features=3, path=path)
except DataError as refused:
    print("refused:", refused)
else:
    back.predict(array)
"""


@pytest.mark.parametrize(("where", "named"), [("preprocessor", "StackingClassifier|SVC"), ("model", "SVC")])
def test_a_crafted_support_vector_machine_is_refused_without_a_crash(where, named):
    done = subprocess.run([sys.executable, "-c", CRASH, where, *TREES], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:") and "which nothing checks: use one of" in done.stdout
    assert any(name in done.stdout for name in named.split("|"))


# what may stand in a file


FITTED = {kind.__name__: kind for kind in checkers()}


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("kind", [int, bool])
def test_every_class_of_the_table_comes_back_as_it_was(name, kind):
    array, truth = np.nan_to_num(rows()[0]), rows()[1].astype(kind)
    model = FITTED[name]()
    if "n_estimators" in model.get_params():
        model.set_params(n_estimators=3)
    model.fit(array, truth if hasattr(model, "predict_proba") else array[:, 1])

    back = load(dump(model, TREES), TREES, features=4, path=f"{type(model).__module__}.{name}")

    assert model_digest(back) == model_digest(model)
    assert np.array_equal(back.predict(array), model.predict(array))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"])
def test_every_loss_of_a_histogram_regressor_comes_back(loss):
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.2, max_iter=2).fit(rows()[0], rows()[1] + 1)

    assert model_digest(load(dump(model, TREES), TREES, features=4)) == model_digest(model)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_every_loss_of_a_boosting_regressor_comes_back(loss):
    array, truth = np.nan_to_num(rows()[0]), rows()[1]
    model = ensemble.GradientBoostingRegressor(loss=loss, alpha=0.2, n_estimators=2).fit(array, truth)

    assert model_digest(load(dump(model, TREES), TREES, features=4)) == model_digest(model)


def test_weights_and_other_choices_of_a_fit_do_not_stand_in_the_way():
    array, truth = rows()
    boosting = ensemble.GradientBoostingClassifier(loss="exponential", init="zero", n_estimators=2)
    models = (
        HistGradientBoostingRegressor(max_iter=2).fit(array, truth, sample_weight=np.ones(300)),
        HistGradientBoostingClassifier(max_iter=30, early_stopping=True, n_iter_no_change=2).fit(array, truth),
        HistGradientBoostingClassifier(max_iter=2, categorical_features=[0, 1, 2, 3]).fit(np.abs(array) // 1, truth),
        boosting.fit(np.nan_to_num(array), truth),
        linear_model.LinearRegression(fit_intercept=False).fit(np.nan_to_num(array), truth),
        dummy.DummyClassifier(strategy="constant", constant=1).fit(array, truth),
    )
    for model in models:
        assert model_digest(load(dump(model, TREES), TREES, features=4)) == model_digest(model)


def test_a_class_that_nothing_checks_is_refused_at_save_time():
    model = SVC().fit(np.nan_to_num(rows()[0]), rows()[1])

    with pytest.raises(DeclarationError, match=r"sklearn\.svm\._classes\.SVC, which nothing checks: use one of"):
        dump(model)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        ensemble.VotingClassifier([("one", LogisticRegression())]),
        ensemble.AdaBoostClassifier(n_estimators=2),
        ensemble.GradientBoostingClassifier(n_estimators=2, init=SVC(probability=False)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_an_estimator_around_others_is_only_what_its_parts_are(model):
    if not isinstance(model, ensemble.GradientBoostingClassifier):
        model.fit(np.nan_to_num(rows()[0]), rows()[1])
    vars(model).pop("named_estimators_", None)  # of a type outside the list, which would be refused before

    assert "which nothing checks" in refusal(model)


def test_a_class_that_nothing_checks_is_refused_deep_inside_too():
    model = histogram()
    model.scoring = [{"deep": (SVC(),)}]

    assert "SVC, which nothing checks" in refusal(model)


def test_an_attribute_in_place_of_a_method_is_refused():
    model = histogram()
    model.__dict__["predict_proba"] = check_array

    assert "holds ['predict_proba'] in place of its class's own" in refusal(model)


# the encoder of the categories


def encoder(model):
    return model._preprocessor.transformers_[0][1]


def put(owner, name, value):
    """A change that sets one attribute of a part of a model."""
    return lambda model: setattr(owner(model), name, value)


def itself(model):
    return model


def other_function(model):
    model._preprocessor.transformers_[1] = ("numerical", FunctionTransformer(np.ravel), np.array([0, 1, 0, 1], bool))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(itself, "_preprocessor", FunctionTransformer()), "must be None or a ColumnTransformer"),
        (put(itself, "_preprocessor", None), "no encoder of them"),
        (put(encoder, "categories_", [np.array([0.0])]), "must be a list of 2 arrays"),
        (put(encoder, "categories_", [np.array([[0.0]])] * 2), "must be (None,)"),
        (put(encoder, "categories_", [np.array(["a"])] * 2), "must be a plain array of float64"),
        (put(encoder, "categories_", [np.array([2.0, 1.0])] * 2), "numbers in order"),
        (put(encoder, "categories_", [np.arange(300.0)] * 2), "1 .. 255 numbers"),
        (put(encoder, "categories_", [np.array([])] * 2), "1 .. 255 numbers"),
        (put(encoder, "unknown_value", 10**6), "as scikit-learn makes it"),
        (put(encoder, "_missing_indices", {0: 10**6}), "as scikit-learn makes it"),
        (put(lambda model: model._preprocessor, "transformer_weights", {"encoder": 1e9}), "as scikit-learn makes it"),
        (put(lambda model: model._preprocessor, "n_jobs", 1000), "as scikit-learn makes it"),
        (put(lambda model: model._preprocessor, "n_features_in_", 3), "as scikit-learn makes it"),
        (put(lambda model: model._preprocessor, "transformers_", []), "must be an OrdinalEncoder"),
        (other_function, "as scikit-learn makes it"),
        (put(itself, "is_categorical_", np.array([True, False, False, False])), "contradicts itself"),
        (put(itself, "_is_categorical_remapped", None), "contradicts itself"),
    ],
)
def test_an_encoder_of_categories_is_scikit_learns_own_or_refused(change, says):
    model = histogram()
    change(model)
    with pytest.raises(DataError) as refused:
        load(skops.io.dumps(model), [*TREES, "numpy.ravel"], features=4)

    assert says in str(refused.value)


# the histogram model around its trees


def double_stages(model):
    model._predictors = [stage * 2 for stage in model._predictors]


def leaf_without_a_number(model):
    nodes = model._predictors[1][0].nodes
    nodes["value"][np.flatnonzero(nodes["is_leaf"])[0]] = np.nan


def bins(model):
    return model._bin_mapper


def loss(model):
    return model._loss


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(itself, "n_trees_per_iteration_", 10**9), "n_trees_per_iteration_ == 1000000000, must be 1"),
        (put(itself, "n_trees_per_iteration_", 0), "must be 1"),
        (put(itself, "n_trees_per_iteration_", -1), "must be 1"),
        (put(itself, "n_trees_per_iteration_", True), "must be 1"),
        (double_stages, "must be a list of one tree, is 2 of them"),
        (put(itself, "_baseline_prediction", np.zeros((1, 2))), "shape (1, 2), must be (1, 1)"),
        (put(itself, "_baseline_prediction", np.zeros((300, 1))), "must be (1, 1)"),
        (put(itself, "_baseline_prediction", np.array([[np.nan]])), "not finite"),
        (put(itself, "_baseline_prediction", None), "must be a plain array"),
        (leaf_without_a_number, "answers nan, must be finite"),
        (put(itself, "classes_", np.array([True, False])), "must be [0, 1] in this order"),
        (put(itself, "classes_", np.array([1, 0])), "must be [0, 1] in this order"),
        (put(itself, "classes_", np.array([1])), "must be [0, 1] in this order"),
        (put(itself, "classes_", np.array([0, 1, 2])), "must be [0, 1] in this order"),
        (put(itself, "_predictors", []), "1 .. max_iter == 3 stages, is 0 of them"),
        (put(itself, "_predictors", None), "is a NoneType"),
        (put(itself, "max_iter", 2), "1 .. max_iter == 2 stages"),
        (put(itself, "_loss", None), "must be one of ['HalfBinomialLoss']"),
        (put(loss, "link", None), "no HalfBinomialLoss as scikit-learn makes it"),
        (put(itself, "_bin_mapper", None), "must be a _BinMapper"),
        (put(bins, "is_categorical_", np.zeros(10**6, np.uint8)), "must be (4,)"),
        (put(bins, "is_categorical_", np.array([0, 0, 1, 1], np.uint8)), "contradicts itself"),
        (put(bins, "bin_thresholds_", []), "must be a list of 4 arrays"),
        (put(bins, "bin_thresholds_", [None] * 4), "must be a plain array"),
        (put(itself, "_n_features", 10**6), "must be 4"),
        (put(itself, "n_features_in_", 3), "takes 3 features"),
        (put(itself, "_in_fit", True), "in the middle of a fit"),
    ],
)
def test_a_histogram_model_that_would_fail_later_is_refused(change, says):
    model = histogram()
    change(model)

    assert says in refusal(model)


def test_a_loss_of_another_task_is_refused():
    model = HistGradientBoostingRegressor(max_iter=2).fit(*rows())
    model._loss = histogram()._loss

    assert "is a HalfBinomialLoss, must be one of" in refusal(model)


# the other classes


def first_tree(model):
    return model.estimators_[0]


def other_tree(model):
    model.estimators_[0] = tree.DecisionTreeRegressor().fit(np.zeros((2, 4)), [0.0, 1.0])


def wider_tree(model):
    random = np.random.default_rng(0).normal(size=(30, 9))
    model.estimators_[0] = tree.DecisionTreeClassifier().fit(random, (random[:, 8] > 0).astype(float))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("RandomForestClassifier", put(itself, "estimators_", []), "at least one"),
        ("RandomForestClassifier", put(itself, "n_jobs", 1000), "n_jobs == 1000, must be 1"),
        ("RandomForestClassifier", put(itself, "classes_", np.array([1, 0])), "must be [0, 1]"),
        ("RandomForestClassifier", put(itself, "n_classes_", 10**9), "must be 2"),
        ("RandomForestClassifier", put(first_tree, "n_classes_", 1), "must be 2"),
        ("RandomForestClassifier", put(first_tree, "tree_", None), "no tree of this scikit-learn"),
        ("RandomForestClassifier", other_tree, "must be a DecisionTreeClassifier"),
        ("RandomForestClassifier", wider_tree, "n_features_in_ == 9, must be 4"),
        ("GradientBoostingClassifier", put(itself, "init_", LogisticRegression()), "must be 'zero' or a Dummy"),
        ("GradientBoostingClassifier", put(itself, "learning_rate", np.nan), "must be one finite number"),
        ("GradientBoostingClassifier", put(itself, "estimators_", np.array([[None]])), "must be a DecisionTreeReg"),
        ("GradientBoostingClassifier", put(itself, "_loss", None), "must be one of"),
        ("LogisticRegression", put(itself, "coef_", np.zeros((1, 5))), "must be (1, 4)"),
        ("LogisticRegression", put(itself, "coef_", np.full((1, 4), np.nan)), "not finite"),
        ("LogisticRegression", put(itself, "classes_", np.array([1, 0])), "must be [0, 1]"),
        ("Ridge", put(itself, "intercept_", np.inf), "must be one finite number"),
        ("DummyClassifier", put(itself, "class_prior_", np.array([2.0, -1.0])), "shares in [0, 1]"),
        ("DummyClassifier", put(itself, "n_outputs_", 10**9), "must be 1"),
        ("DummyClassifier", put(itself, "_strategy", "guess"), "must be one of"),
        ("DummyRegressor", put(itself, "constant_", np.array([[np.nan]])), "not finite"),
    ],
)
def test_other_models_that_would_fail_later_are_refused(name, change, says):
    model = FITTED[name]()
    if "n_estimators" in model.get_params():
        model.set_params(n_estimators=3)
    model.fit(np.nan_to_num(rows()[0]), rows()[1])
    change(model)

    assert says in refusal(model)
