"""Which estimators can be vouched for, and the checks that do it: one checker a class, by a table.

An estimator rebuilt from a file is data until every value its predictions use has been looked at, because compiled
code follows them unchecked. Here belong the table, and the checkers of all but the histogram models. Nothing of the
estimator is ever called. Knows no files.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from mlops_assets.core.fitted_state import (
    check_loss,
    damaged,
    exactly,
    nothing_shadowed,
    number,
    numbers,
    objects,
    two_classes,
)
from mlops_assets.core.histogram_models import check_histogram_model
from mlops_assets.core.tree_bounds import check_cart_tree
from mlops_assets.declare.errors import DataError

Checker = Callable[[Any, int], None]


@cache
def checkers() -> Mapping[type, Checker]:
    """The estimator classes that a file may hold, and what checks each. A subclass is another class."""
    from sklearn import dummy, ensemble, linear_model, tree

    return {
        ensemble.HistGradientBoostingClassifier: check_histogram_model,
        ensemble.HistGradientBoostingRegressor: check_histogram_model,
        ensemble.RandomForestClassifier: _check_forest,
        ensemble.RandomForestRegressor: _check_forest,
        ensemble.ExtraTreesClassifier: _check_forest,
        ensemble.ExtraTreesRegressor: _check_forest,
        ensemble.GradientBoostingClassifier: _check_boosting,
        ensemble.GradientBoostingRegressor: _check_boosting,
        tree.DecisionTreeClassifier: _check_single_tree,
        tree.DecisionTreeRegressor: _check_single_tree,
        tree.ExtraTreeClassifier: _check_single_tree,
        tree.ExtraTreeRegressor: _check_single_tree,
        linear_model.LogisticRegression: _check_linear,
        linear_model.LinearRegression: _check_linear,
        linear_model.Ridge: _check_linear,
        linear_model.Lasso: _check_linear,
        linear_model.ElasticNet: _check_linear,
        dummy.DummyClassifier: _check_dummy_classifier,
        dummy.DummyRegressor: _check_dummy_regressor,
    }


def unchecked(estimator: Any) -> str | None:
    """Why `estimator` cannot be vouched for, the first class in it that has no checker; None when it can."""
    from sklearn.base import BaseEstimator

    # the histogram models' own parts, which their checker compares with scikit-learn's
    own = {("_column_transformer", "ColumnTransformer"), ("_encoders", "OrdinalEncoder")}
    own |= {("_function_transformer", "FunctionTransformer"), ("_label", "LabelEncoder"), ("binning", "_BinMapper")}
    histogram = checkers().get(type(estimator)) is check_histogram_model
    for part in objects(estimator):
        kind = type(part)
        if not isinstance(part, BaseEstimator) or kind in checkers():
            continue
        if histogram and (kind.__module__.rpartition(".")[2], kind.__name__) in own:
            continue
        names = ", ".join(f"{known.__module__.split('.')[1]}.{known.__name__}" for known in checkers())
        return f"holds a {kind.__module__}.{kind.__name__}, which nothing checks: use one of sklearn's {names}."
    return None


def check_model(estimator: Any, features: int) -> None:
    """Raises DataError unless `estimator` can predict rows of `features` columns without harm.

    It and every estimator in it must be exactly of a class that has a checker. Afterwards its predictions read nothing
    outside its arrays, end, and are finite up to what sums of finite numbers may overflow to.
    """
    if why := unchecked(estimator):
        raise DataError(f"model file {why}")
    for part in objects(estimator):
        nothing_shadowed(part)
    width = vars(estimator).get("n_features_in_")
    if type(width) is not int or width != features:
        raise DataError(
            f"the model takes {width} features, its encoder gives {features}: they are not of one training."
        )
    checkers()[type(estimator)](estimator, features)


def _classifies(model: Any) -> bool:
    from sklearn.base import ClassifierMixin

    return isinstance(model, ClassifierMixin)


def _check_single_tree(model: Any, features: int) -> None:
    name = type(model).__name__
    exactly(f"{name} n_features_in_", model.n_features_in_, features)
    exactly(f"{name} n_outputs_", model.n_outputs_, 1)
    if _classifies(model):
        two_classes(name, model)
        exactly(f"{name} n_classes_", model.n_classes_, 2)
    check_cart_tree(f"{name} Tree", model.tree_, features, shares=_classifies(model))


def _check_forest(model: Any, features: int) -> None:
    from sklearn import ensemble, tree

    name = type(model).__name__
    single = {
        ensemble.RandomForestClassifier: tree.DecisionTreeClassifier,
        ensemble.RandomForestRegressor: tree.DecisionTreeRegressor,
        ensemble.ExtraTreesClassifier: tree.ExtraTreeClassifier,
        ensemble.ExtraTreesRegressor: tree.ExtraTreeRegressor,
    }[type(model)]
    exactly(f"{name} n_outputs_", model.n_outputs_, 1)
    if model.n_jobs is not None:
        exactly(f"{name} n_jobs", model.n_jobs, 1)
    if _classifies(model):
        two_classes(name, model)
        exactly(f"{name} n_classes_", model.n_classes_, 2)
    if type(model.estimators_) is not list or not model.estimators_:
        damaged(f"{name} estimators_", "must be a list of trees, at least one")
    for place, part in enumerate(model.estimators_):
        if type(part) is not single:
            damaged(f"{name} estimators_[{place}]", f"is a {type(part).__name__}, must be a {single.__name__}")
        _check_single_tree(part, features)


def _check_boosting(model: Any, features: int) -> None:
    from sklearn import dummy, ensemble, tree
    from sklearn._loss import loss

    name = type(model).__name__
    classifier = type(model) is ensemble.GradientBoostingClassifier
    exactly(f"{name} n_trees_per_iteration_", model.n_trees_per_iteration_, 1)
    number(f"{name} learning_rate", model.learning_rate)
    if classifier:
        two_classes(name, model)
        check_loss(name, model._loss, (loss.HalfBinomialLoss, loss.ExponentialLoss))
    else:
        losses = (loss.HalfSquaredError, loss.AbsoluteError, loss.HuberLoss, loss.PinballLoss)
        check_loss(name, model._loss, losses)
    first: Any = dummy.DummyClassifier if classifier else dummy.DummyRegressor
    if type(model.init_) is first:
        exactly(f"{name} init_.n_features_in_", model.init_.n_features_in_, features)
        checkers()[first](model.init_, features)
    elif type(model.init_) is not str or model.init_ != "zero":
        damaged(f"{name} init_", f"is a {type(model.init_).__name__}, must be 'zero' or a {first.__name__}")
    stages = numbers(f"{name} estimators_", model.estimators_, (None, 1), np.object_)
    if len(stages) == 0:
        damaged(f"{name} estimators_", "is empty")
    for place, part in enumerate(stages[:, 0]):
        if type(part) is not tree.DecisionTreeRegressor:
            damaged(f"{name} estimators_[{place}]", f"is a {type(part).__name__}, must be a DecisionTreeRegressor")
        _check_single_tree(part, features)


def _check_linear(model: Any, features: int) -> None:
    name = type(model).__name__
    if _classifies(model):
        two_classes(name, model)
        numbers(f"{name} coef_", model.coef_, (1, features))
        numbers(f"{name} intercept_", model.intercept_, (1,))
    else:
        numbers(f"{name} coef_", model.coef_, (features,))
        number(f"{name} intercept_", model.intercept_)


def _check_dummy_classifier(model: Any, _: int) -> None:
    name = type(model).__name__
    strategies = ("most_frequent", "prior", "stratified", "uniform", "constant")
    exactly(f"{name} n_outputs_", model.n_outputs_, 1)
    exactly(f"{name} n_classes_", model.n_classes_, 2)
    two_classes(name, model)
    shares = numbers(f"{name} class_prior_", model.class_prior_, (2,))
    if not (shares >= 0).all() or not np.isclose(shares.sum(), 1):
        damaged(f"{name} class_prior_", f"== {shares.tolist()}, must be shares in [0, 1] with the sum 1")
    if type(model._strategy) is not str or model._strategy not in strategies or model.sparse_output_ is not False:
        damaged(f"{name} _strategy", f"== {model._strategy!r}, must be one of {strategies} with plain answers")
    if model._strategy == "constant" and (type(model.constant) not in (bool, int) or model.constant not in (0, 1)):
        damaged(f"{name} constant", f"== {model.constant!r}, must be 0 or 1")
    if model.random_state is not None and (type(model.random_state) is not int or not 0 <= model.random_state < 2**32):
        damaged(f"{name} random_state", f"is a {type(model.random_state).__name__}, must be None or a seed")


def _check_dummy_regressor(model: Any, _: int) -> None:
    exactly("DummyRegressor n_outputs_", model.n_outputs_, 1)
    numbers("DummyRegressor constant_", model.constant_, (1, 1))
