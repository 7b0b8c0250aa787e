"""Models as files: what is saved comes back, and what is not ours is refused before it runs."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_assets.core.model_digest import model_digest
from mlops_assets.declare import DataError, DeclarationError
from mlops_assets.stores.models import ALWAYS_TRUSTED, dump, load, trusted_types

HISTOGRAM = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
CART = ("sklearn.tree._tree.Tree",)
CASES = {
    "histogram trees": (
        HistGradientBoostingClassifier(max_iter=5, categorical_features=[0], early_stopping=False, random_state=1),
        HISTOGRAM,
    ),
    "forest": (RandomForestClassifier(5, random_state=1), CART),
    "boosting": (GradientBoostingClassifier(n_estimators=3, random_state=1), CART),
    "logistic": (LogisticRegression(), ()),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def rows():
    random = np.random.default_rng(0)
    array = random.normal(size=(600, 4))
    array[:, 0] = random.integers(0, 5, 600)
    return array, (array[:, 1] + array[:, 0] > 2).astype(int)


def fitted(name):
    estimator, trusted = CASES[name]
    return estimator.fit(*rows()), trusted


@pytest.mark.parametrize("name", CASES)
def test_a_model_comes_back_as_it_was(name):
    model, trusted = fitted(name)

    back = load(dump(model, trusted), trusted, features=4, path=f"{type(model).__module__}.{type(model).__name__}")

    assert model_digest(back) == model_digest(model)
    assert np.array_equal(back.predict_proba(rows()[0]), model.predict_proba(rows()[0]))


@pytest.mark.parametrize("name", CASES)
def test_equal_models_have_equal_bytes(name):
    assert dump(*fitted(name)) == dump(*fitted(name))


def test_a_type_outside_the_list_is_refused_at_save_time_and_named():
    with pytest.raises(DeclarationError, match=r"TreePredictor.*declare Estimator\(trusted="):
        dump(fitted("histogram trees")[0], ())


def test_what_skops_cannot_save_is_a_wrong_declaration():
    model = make_pipeline(FunctionTransformer(lambda array: array), LogisticRegression()).fit(*rows())

    with pytest.raises(DeclarationError):
        dump(model, ())


def test_the_list_is_the_declarations_and_a_constant():
    assert trusted_types(("x.Y",)) == sorted(["x.Y", *ALWAYS_TRUSTED])


class Payload(BaseEstimator):
    """An estimator that acts when it is rebuilt."""

    def __init__(self, mark=None):
        self.mark = mark

    def __setstate__(self, state):
        raise RuntimeError("executed")


def test_a_skops_file_with_a_type_outside_the_list_never_runs():
    data = skops.io.dumps(Payload())

    with pytest.raises(DataError, match=r"Payload") as refused:
        load(data, HISTOGRAM, features=4)
    assert "executed" not in str(refused.value)


def test_the_files_own_wishes_do_not_widen_the_list():
    data = dump(*fitted("forest"))

    with pytest.raises(DataError, match=r"sklearn.tree._tree.Tree"):
        load(data, HISTOGRAM, features=4)


def test_a_class_other_than_declared_is_refused():
    data = dump(*fitted("logistic"))

    with pytest.raises(DataError, match=r"the declaration says sklearn\.dummy"):
        load(data, (), features=4, path="sklearn.dummy.DummyClassifier")


def test_a_file_that_is_no_estimator_is_refused():
    with pytest.raises(DataError, match="holds a dict"):
        load(skops.io.dumps({"a": 1}), (), features=4)


class Executes:
    def __reduce__(self):
        return exec, ("raise RuntimeError('executed')",)


def test_a_pickle_is_refused_and_not_run():
    for data in (pickle.dumps(Executes()), pickle.dumps(fitted("logistic")[0])):
        with pytest.raises(DataError, match="no skops file"):
            load(data, (), features=4)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_half_a_file_is_refused(share):
    data = dump(*fitted("histogram trees"))

    with pytest.raises(DataError):
        load(data[: int(len(data) * share)], HISTOGRAM, features=4)


def test_a_flipped_bit_is_never_taken_for_a_model():
    data = dump(*fitted("histogram trees"))
    digest = model_digest(fitted("histogram trees")[0])
    random = np.random.default_rng(0)
    silent = 0
    for place in random.integers(0, len(data), 60):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(random.integers(8))
        try:
            silent += model_digest(load(bytes(damaged), HISTOGRAM, features=4)) != digest
        except DataError:
            continue

    assert silent == 0


def rewritten(data, change):
    """The zip with `change(name, bytes)` applied to every member, checksums right again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def test_a_compressed_file_is_refused_before_it_unfolds():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("schema.json", b" " * 50_000_000)

    with pytest.raises(DataError, match="compressed"):
        load(out.getvalue(), (), features=4)


@pytest.mark.parametrize("schema", [b"", b"[]", b"{}", b"[" * 100_000, b'{"__loader__": "ObjectNode"}', b"\xff"])
def test_a_schema_that_is_none_is_refused(schema):
    data = rewritten(dump(*fitted("logistic")), lambda name, old: schema if name == "schema.json" else old)

    with pytest.raises(DataError):
        load(data, (), features=4)


def change_node(field, value, where=0):
    """Set one field of the first split of a fitted tree."""

    def change(model):
        tree = model._predictors[0][0]
        splits = np.flatnonzero(tree.nodes["is_leaf"] == 0)
        tree.nodes[field][splits[where]] = value

    return change


def drop_nodes(model):
    model._predictors[0][0].nodes = model._predictors[0][0].nodes[:3]


def widen(model):
    model.n_features_in_ = 5


def alien_category(model):
    model._bin_mapper.bin_thresholds_[0] = np.array([0.0, 300.0])


def fewer_columns(model):
    model._preprocessor = FunctionTransformer(np.ravel).fit(np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (change_node("left", 10_000), "left child at 10000"),
        (change_node("right", 0), "right child at 0"),
        (change_node("left", 0), "left child at 0"),
        (change_node("feature_idx", 4), "reads feature 4"),
        (change_node("feature_idx", -1), "reads feature -1"),
        (drop_nodes, "child at"),
        (widen, "takes 5 features"),
        (alien_category, "category outside"),
        (fewer_columns, "damaged"),
        (lambda model: model._predictors.__setitem__(0, [None]), "no histogram tree"),
    ],
)
def test_a_histogram_tree_that_leaves_its_arrays_is_refused(change, says):
    model, trusted = fitted("histogram trees")
    change(model)
    data = skops.io.dumps(model)

    with pytest.raises(DataError) as refused:
        load(data, [*trusted, "numpy.ravel"], features=4)

    assert says in str(refused.value)


def test_a_category_split_of_a_column_without_categories_is_refused():
    model, trusted = fitted("histogram trees")
    tree = model._predictors[0][0]
    numeric = np.flatnonzero((tree.nodes["is_leaf"] == 0) & (tree.nodes["is_categorical"] == 0))
    tree.nodes["is_categorical"][numeric[0]] = 1

    with pytest.raises(DataError, match="categories it does not have"):
        load(skops.io.dumps(model), trusted, features=4)


@pytest.mark.parametrize("name", ["forest", "boosting"])
@pytest.mark.parametrize(("field", "value"), [("left_child", 10_000), ("right_child", 0), ("feature", 4)])
def test_a_cart_tree_that_leaves_its_arrays_is_refused(name, field, value):
    model, trusted = fitted(name)
    data = dump(model, trusted)

    def change(member, old):
        if not member.endswith(".npy"):
            return old
        array = np.load(io.BytesIO(old))
        if array.dtype.names and field in array.dtype.names:
            array[field][0] = value
            new = io.BytesIO()
            np.save(new, array)
            return new.getvalue()
        return old

    with pytest.raises(DataError, match="Tree node 0"):
        load(rewritten(data, change), trusted, features=4)


def test_an_encoder_of_another_width_is_refused():
    model, trusted = fitted("forest")

    with pytest.raises(DataError, match="not of one training"):
        load(dump(model, trusted), trusted, features=5)


def test_the_schema_holds_no_addresses():
    with zipfile.ZipFile(io.BytesIO(dump(*fitted("forest")))) as archive:
        names = archive.namelist()
        ids = [node["__id__"] for node in walk(json.loads(archive.read("schema.json"))) if "__id__" in node]

    assert max(ids) < len(ids) and all(len(name) < 12 for name in names)


def walk(node):
    if isinstance(node, dict):
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(item)
