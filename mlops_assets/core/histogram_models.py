"""HistGradientBoosting* read from a file: everything its predictions use, checked before the first of them.

Here belong the checks of the model around its trees: stages, baseline, loss, bins, and the encoder of its categories.
The encoder is compared with one that scikit-learn makes here; the one of the file is never called.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.fitted_state import check_loss, damaged, exactly, numbers, same, two_classes
from mlops_assets.core.tree_bounds import CATEGORIES, check_histogram_tree


def check_histogram_model(model: Any, features: int) -> None:
    """Raises DataError when a HistGradientBoosting* could leave its arrays, hang, or answer no finite number."""
    from sklearn._loss import loss
    from sklearn.ensemble import HistGradientBoostingClassifier

    name = type(model).__name__
    exactly(f"{name} _n_features", model._n_features, features)
    exactly(f"{name} n_trees_per_iteration_", model.n_trees_per_iteration_, 1)
    numbers(f"{name} _baseline_prediction", model._baseline_prediction, (1, 1))
    if "_in_fit" in vars(model):
        damaged(name, "stands in the middle of a fit")
    if type(model) is HistGradientBoostingClassifier:
        two_classes(name, model)
        check_loss(name, model._loss, (loss.HalfBinomialLoss,))
    else:
        expected = (loss.HalfSquaredError, loss.AbsoluteError, loss.HalfPoissonLoss, loss.HalfGammaLoss)
        check_loss(name, model._loss, (*expected, loss.PinballLoss))
    categorical = _checked_bins(name, model, features)
    _check_preprocessor(name, model, features, categorical)
    stages = model._predictors
    if type(stages) is not list or not 0 < len(stages) <= model.max_iter:
        damaged(
            f"{name} _predictors", f"must be a list of 1 .. max_iter == {model.max_iter!r} stages, is {_size(stages)}"
        )
    for place, stage in enumerate(stages):
        if type(stage) is not list or len(stage) != 1:
            damaged(f"{name} stage {place}", f"must be a list of one tree, is {_size(stage)}")
        check_histogram_tree(f"{name} tree {place}", stage[0], features, categorical)


def _checked_bins(name: str, model: Any, features: int) -> npt.NDArray[np.bool_]:
    """Which columns hold categories by the bins' own flags (they stand in front of the others), all checked."""
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper

    bins = model._bin_mapper
    if type(bins) is not _BinMapper:
        damaged(f"{name} _bin_mapper", f"is a {type(bins).__name__}, must be a _BinMapper")
    found = numbers(f"{name} _bin_mapper.is_categorical_", bins.is_categorical_, (features,), np.uint8)
    flags: npt.NDArray[np.bool_] = found.astype(bool)
    expected = model._is_categorical_remapped
    if flags.any() if expected is None else not same(expected, flags):
        damaged(name, "contradicts itself about which of its columns hold categories")
    if type(bins.bin_thresholds_) is not list or len(bins.bin_thresholds_) != features:
        damaged(f"{name} bin_thresholds_", f"must be a list of {features} arrays, is {_size(bins.bin_thresholds_)}")
    for place, (known, categorical) in enumerate(zip(bins.bin_thresholds_, flags, strict=True)):
        values = numbers(f"{name} bin_thresholds_[{place}]", known, (None,), finite=False)
        if categorical and not ((values >= 0) & (values < CATEGORIES)).all():
            damaged(name, f"knows a category outside 0..{CATEGORIES - 1}")
        if np.isnan(values).any():
            damaged(f"{name} bin_thresholds_[{place}]", "holds no number")
    return flags


def _check_preprocessor(name: str, model: Any, features: int, categorical: npt.NDArray[np.bool_]) -> None:
    """Raises DataError unless the encoder of categories is exactly what scikit-learn makes for these columns."""
    if model._preprocessor is None:
        if model.is_categorical_ is not None or categorical.any():
            damaged(name, "has category columns and no encoder of them")
        return
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    where = f"{name} _preprocessor"
    if type(model._preprocessor) is not ColumnTransformer:
        damaged(where, f"is a {type(model._preprocessor).__name__}, must be None or a ColumnTransformer")
    columns = numbers(f"{name} is_categorical_", model.is_categorical_, (features,), np.bool_)
    if categorical.tolist() != sorted(columns.tolist(), reverse=True):
        damaged(name, "contradicts itself about which of its columns hold categories")
    made = _preprocessor(columns)
    ours, found = _encoder(made), _encoder(model._preprocessor)
    if type(found) is not OrdinalEncoder:
        damaged(where, f"encodes with a {type(found).__name__}, must be an OrdinalEncoder")
    known = vars(found).get("categories_")
    if type(known) is not list or len(known) != columns.sum():
        damaged(f"{where} categories_", f"must be a list of {columns.sum()} arrays, is {_size(known)}")
    for place, values in enumerate(known):
        numbers(f"{where} categories_[{place}]", values, (None,), finite=False)
        told = values[:-1] if len(values) and np.isnan(values[-1]) else values  # a missing value stands last
        if not len(values) or len(told) >= CATEGORIES or not np.isfinite(told).all() or (np.diff(told) <= 0).any():
            damaged(
                f"{where} categories_[{place}]", f"must be 1 .. {CATEGORIES - 1} numbers in order, then at most one NaN"
            )
    ours.categories_ = known
    ours._missing_indices = {p: len(values) - 1 for p, values in enumerate(known) if np.isnan(values[-1])}
    if not same(model._preprocessor, made):
        damaged(where, "is no encoder of categories as scikit-learn makes it for a model fitted on arrays")


def _preprocessor(categorical: npt.NDArray[np.bool_]) -> Any:
    """scikit-learn's own encoder for these columns, with one category each."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(categorical_features=categorical)
    model._preprocess_X(np.zeros((2, len(categorical))), reset=True)
    return model._preprocessor


def _encoder(preprocessor: Any) -> Any:
    """The fitted part that the preprocessor names first, without calling anything of it; None when there is none."""
    fitted = vars(preprocessor).get("transformers_")
    first = fitted[0] if type(fitted) is list and fitted else None
    return first[1] if type(first) is tuple and len(first) == 3 else None


def _size(value: object) -> str:
    return f"{len(value)} of them" if isinstance(value, list) else f"a {type(value).__name__}"
