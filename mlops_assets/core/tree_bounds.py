"""Trees that stay inside their arrays: every index a prediction would follow is checked before it is followed.

scikit-learn walks trees in compiled code without bounds checks, so a node index changed in a file reads memory that is
not the model's. Here belong those checks, on an estimator that was read but never yet used. Knows no files.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.declare.errors import DataError

_ROOTS = ("sklearn.", "numpy.", "scipy.")
_CATEGORIES = 256  # a bitset of 8 x 32: a category beyond it would be written outside


def check_trees(estimator: Any, features: int) -> None:
    """Raises DataError when a tree in `estimator` could leave its arrays on rows of `features` columns.

    Checked are histogram trees (HistGradientBoosting*) and CART trees (forests, boosting, single trees), wherever they
    stand inside other estimators. A child stands behind its parent, so that a walk ends.
    """
    width = getattr(estimator, "n_features_in_", features)
    if width != features:
        raise DataError(
            f"the model takes {width} features, its encoder gives {features}: they are not of one training."
        )
    for owner in _objects(estimator):
        name = type(owner).__name__
        if name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
            _check_histogram_trees(owner)
        elif name == "Tree" and type(owner).__module__ == "sklearn.tree._tree":
            _check_tree(owner)
        elif hasattr(owner, "tree_") and owner.tree_.n_features != owner.n_features_in_:
            raise DataError(
                f"{name} takes {owner.n_features_in_} features, its tree {owner.tree_.n_features}: damaged."
            )
        if isinstance(getattr(owner, "estimators_", None), list | np.ndarray):
            parts = [part for part in np.ravel(np.array(owner.estimators_, dtype=object)) if hasattr(part, "tree_")]
            if any(part.n_features_in_ > getattr(owner, "n_features_in_", 0) for part in parts):
                raise DataError(f"{name} holds a tree of more features than it takes itself: damaged.")
            if (stages := getattr(owner, "n_trees_per_iteration_", None)) and np.shape(owner.estimators_)[1:] != (
                stages,
            ):
                raise DataError(
                    f"{name} has trees of shape {np.shape(owner.estimators_)} for {stages} a step: damaged."
                )


def _objects(root: Any) -> Iterator[Any]:
    """Every scikit-learn object inside `root`, once, itself first."""
    waiting, seen = [root], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, np.ndarray):
            waiting.extend(value.ravel().tolist() if value.dtype.hasobject else ())
        elif type(value).__module__.startswith(_ROOTS):
            yield value
            waiting.extend(getattr(value, "__dict__", {}).values())


def _check_histogram_trees(model: Any) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    name = type(model).__name__
    features = int(model._n_features)
    # with category columns they are moved to the front: the mapper's own flags say which they are then
    flags = np.asarray(model._bin_mapper.is_categorical_, dtype=bool)
    if (
        features != model.n_features_in_
        or flags.shape != (features,)
        or len(model._bin_mapper.bin_thresholds_) != features
    ):
        raise DataError(f"{name} contradicts itself about its {model.n_features_in_} features: damaged.")
    for known, categorical in zip(model._bin_mapper.bin_thresholds_, flags, strict=True):
        values = np.asarray(known, dtype=np.float64)
        if categorical and not ((values >= 0) & (values < _CATEGORIES)).all():
            raise DataError(f"{name} knows a category outside 0..{_CATEGORIES - 1}: damaged.")
    if model._preprocessor is not None and model._preprocessor.transform(np.zeros((1, features))).shape[1] != features:
        raise DataError(f"{name} encodes its {features} features into another number of columns: damaged.")
    for place, tree in enumerate(tree for stage in model._predictors for tree in stage):
        where = f"{name} tree {place}"
        if not isinstance(tree, TreePredictor) or tree.nodes.dtype != PREDICTOR_RECORD_DTYPE or tree.nodes.ndim != 1:
            raise DataError(f"{where} is no histogram tree of this scikit-learn: damaged.")
        nodes, bitsets = tree.nodes, tree.raw_left_cat_bitsets
        if bitsets.dtype != np.uint32 or bitsets.ndim != 2 or bitsets.shape[1] != _CATEGORIES // 32:
            raise DataError(f"{where} has bitsets of shape {bitsets.shape}: damaged.")
        split = nodes["is_leaf"] == 0
        _check_nodes(where, nodes["left"], nodes["right"], nodes["feature_idx"], split, features)
        by_category = split & (nodes["is_categorical"] != 0)
        wrong = by_category & (nodes["bitset_idx"] >= len(bitsets))
        wrong[by_category] |= ~flags[nodes["feature_idx"][by_category]]
        if wrong.any():
            raise DataError(
                f"{where} node {int(np.flatnonzero(wrong)[0])} splits categories it does not have: damaged."
            )


def _check_tree(tree: Any) -> None:
    leaf = -1  # sklearn.tree._tree.TREE_LEAF
    left, right = tree.children_left, tree.children_right
    _check_nodes("Tree", left, right, tree.feature, left != leaf, int(tree.n_features))
    if tree.value.shape[0] != len(left):
        raise DataError(f"Tree has {len(left)} nodes and {tree.value.shape[0]} values: damaged.")


def _check_nodes(
    where: str,
    left: npt.NDArray[Any],
    right: npt.NDArray[Any],
    feature: npt.NDArray[Any],
    split: npt.NDArray[np.bool_],
    features: int,
) -> None:
    if len(left) == 0:
        raise DataError(f"{where} has no nodes: damaged.")
    own = np.arange(len(left))
    for side, child in (("left", left.astype(np.int64)), ("right", right.astype(np.int64))):
        wrong = split & ((child <= own) | (child >= len(left)))
        if wrong.any():
            node = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"{where} node {node} has its {side} child at {child[node]}, must be {node + 1} .. {len(left) - 1}: "
                "damaged, restore the version."
            )
    wrong = split & ((feature < 0) | (feature >= features))
    if wrong.any():
        node = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{where} node {node} reads feature {feature[node]}, must be 0 .. {features - 1}: "
            "damaged, restore the version."
        )
