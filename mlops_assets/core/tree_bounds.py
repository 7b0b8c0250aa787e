"""Trees that stay inside their arrays: every index a prediction would follow is checked before it is followed.

scikit-learn walks trees in compiled code without bounds checks, so a node index changed in a file reads memory that is
not the model's. Here belong those checks, of one tree at a time; what holds the trees is checked by its own class's
checker. Knows no files.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.fitted_state import Array, damaged, numbers

CATEGORIES = 256  # a bitset of 8 x 32: a category beyond it would be written outside


def check_histogram_tree(where: str, tree: Any, features: int, categorical: npt.NDArray[np.bool_]) -> None:
    """Raises DataError when a tree of HistGradientBoosting* could leave its arrays, or answer no finite number.

    `categorical` says of each of the `features` columns whether it holds categories. A child stands behind its parent,
    so that a walk ends.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    if type(tree) is not TreePredictor:
        damaged(where, f"is a {type(tree).__name__}, no histogram tree of this scikit-learn")
    nodes = numbers(f"{where} nodes", tree.nodes, (None,), PREDICTOR_RECORD_DTYPE)
    bitsets = numbers(f"{where} bitsets", tree.raw_left_cat_bitsets, (None, CATEGORIES // 32), np.uint32)
    split = nodes["is_leaf"] == 0
    _check_nodes(where, nodes["left"], nodes["right"], nodes["feature_idx"], split, features)
    by_category = split & (nodes["is_categorical"] != 0)
    wrong = by_category & (nodes["bitset_idx"] >= len(bitsets))
    wrong[by_category] |= ~categorical[nodes["feature_idx"][by_category]]
    if wrong.any():
        damaged(f"{where} node {int(np.flatnonzero(wrong)[0])}", "splits categories it does not have")
    if (wrong := split & ~by_category & np.isnan(nodes["num_threshold"])).any():
        damaged(f"{where} node {int(np.flatnonzero(wrong)[0])}", "splits at no number")
    if (wrong := ~split & ~np.isfinite(nodes["value"])).any():
        node = int(np.flatnonzero(wrong)[0])
        damaged(f"{where} node {node}", f"answers {nodes['value'][node]}, must be finite")


def check_cart_tree(where: str, tree: Any, features: int, *, shares: bool) -> None:
    """The same for a tree of forests, boosting and single trees; `shares`: it answers the shares of two classes."""
    from sklearn.tree._tree import TREE_LEAF, Tree

    if type(tree) is not Tree:
        damaged(where, f"is a {type(tree).__name__}, no tree of this scikit-learn")
    if tree.n_features != features:
        damaged(where, f"takes {tree.n_features} features, must take {features}")
    left, right = tree.children_left, tree.children_right
    _check_nodes(where, left, right, tree.feature, left != TREE_LEAF, features)
    values = numbers(f"{where} values", tree.value, (len(left), 1, 2 if shares else 1))
    if shares and not ((values >= 0).all() and np.allclose(values.sum(axis=2), 1)):
        damaged(f"{where} values", "are no shares of two classes, which lie in [0, 1] and have the sum 1")


def _check_nodes(
    where: str, left: Array, right: Array, feature: Array, split: npt.NDArray[np.bool_], features: int
) -> None:
    if len(left) == 0:
        damaged(where, "has no nodes")
    own = np.arange(len(left))
    for side, child in (("left", left.astype(np.int64)), ("right", right.astype(np.int64))):
        wrong = split & ((child <= own) | (child >= len(left)))
        if wrong.any():
            node = int(np.flatnonzero(wrong)[0])
            damaged(
                f"{where} node {node}",
                f"has its {side} child at {child[node]}, must be {node + 1} .. {len(left) - 1}",
            )
    wrong = split & ((feature < 0) | (feature >= features))
    if wrong.any():
        node = int(np.flatnonzero(wrong)[0])
        damaged(f"{where} node {node}", f"reads feature {feature[node]}, must be 0 .. {features - 1}")
