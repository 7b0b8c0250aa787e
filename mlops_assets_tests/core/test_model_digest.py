"""The model digest: the same for the same learned state, another for another."""

import pickle
import subprocess
import sys
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.model_digest import model_digest, state_digest
from mlops_assets.declare import DataError, Kind

MODELS = {
    "histogram trees": HistGradientBoostingClassifier(max_iter=5, categorical_features=[0], random_state=1),
    "stopped early": HistGradientBoostingClassifier(max_iter=4, early_stopping=True, max_features=0.5, random_state=1),
    "forest": RandomForestClassifier(5, random_state=1),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=1),
    "logistic": LogisticRegression(),
    "prior": DummyClassifier(),
    "pipeline": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "vote": VotingClassifier([("a", LogisticRegression()), ("b", DummyClassifier())]),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def rows():
    random = np.random.default_rng(0)
    array = random.normal(size=(300, 4))
    array[:, 0] = random.integers(0, 5, 300)
    return array, (array[:, 1] + array[:, 0] > 2).astype(int)


def fitted(name, **changes):
    return clone(MODELS[name]).set_params(**changes).fit(*rows())


def digests():
    return {name: model_digest(fitted(name)) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_a_pickle_there_and_back_is_the_same_model(name):
    model = fitted(name)

    assert model_digest(pickle.loads(pickle.dumps(model))) == model_digest(model)  # noqa: S301  our own bytes
    assert model_digest(fitted(name)) == model_digest(model)


@pytest.mark.parametrize("name", ["histogram trees", "forest"])
def test_threads_and_talk_are_not_part_of_a_model(name):
    with threadpool_limits(1):
        quiet = fitted(name)
    with threadpool_limits(2):
        busy = fitted(name, **({"n_jobs": 2} if name == "forest" else {}))

    assert model_digest(quiet) == model_digest(busy)
    assert model_digest(quiet.set_params(verbose=3)) == model_digest(busy)


def test_another_process_with_another_hash_seed_agrees():
    here = Path(__file__).resolve().parents[2]
    code = "from mlops_assets_tests.core.test_model_digest import digests; print(digests())"
    told = {
        seed: subprocess.run(
            [sys.executable, "-c", code],
            cwd=here,
            env={
                "PYTHONHASHSEED": seed,
                "OMP_NUM_THREADS": threads,
                "OMP_WAIT_POLICY": "passive",
                "PYTHONPATH": str(here),
            },
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed, threads in (("1", "1"), ("4242", "2"))
    }

    assert told["1"] == told["4242"] == str(digests())


@pytest.mark.parametrize("field", ["value", "num_threshold", "feature_idx", "left", "missing_go_to_left"])
def test_one_changed_node_is_another_model(field):
    model = fitted("histogram trees")
    before = model_digest(model)
    nodes = model._predictors[2][0].nodes
    nodes[field][0] = nodes[field][0] + 1

    assert model_digest(model) != before


def test_a_parameter_or_the_seed_makes_another_model():
    plain = model_digest(fitted("histogram trees"))

    assert model_digest(fitted("histogram trees", learning_rate=0.11)) != plain
    assert model_digest(fitted("histogram trees", random_state=2)) != plain
    assert model_digest(fitted("forest", random_state=2)) != model_digest(fitted("forest"))
    assert model_digest(fitted("logistic", C=2.0)) != model_digest(fitted("logistic"))


def test_the_encoder_is_part_of_the_model():
    model = fitted("prior")
    one, other = (
        Encoder(features=("a",), kinds=(Kind.STRING,), categories={"a": names}) for names in (("x",), ("x", "y"))
    )

    assert len({model_digest(model), model_digest(model, one), model_digest(model, other)}) == 3


def test_golden_digests_of_plain_state():
    """These may change only with a new format tag: a registered digest must mean the same for ever."""
    nodes = np.zeros(2, dtype=[("left", "<i4"), ("gain", "<f8")])
    state = {"tree": nodes, "seed": 7, "names": ("a", None), "rng": np.random.RandomState(3), "f": np.float64(0.1)}

    assert state_digest(state) == "cd6abad22a7165409d62fd71341918300bdd4836957908e772b147521e6361a1"
    assert (
        model_digest(DummyClassifier().fit([[0], [0]], [0, 1]))
        == "202838190a1ba7a8b3e37a77bcccc548b57d9d66f718d1a8554352a57f48a5a1"
    )


def test_padding_memory_order_and_byte_order_are_not_content():
    packed = np.zeros(3, dtype=[("a", "u1"), ("b", "<f8")])
    padded = np.frombuffer(b"\xaa" * 48, dtype=np.dtype([("a", "u1"), ("b", "<f8")], align=True)).copy()
    padded["a"], padded["b"] = 0, 0
    square = np.arange(6.0).reshape(2, 3)

    assert state_digest(packed) == state_digest(padded)
    assert state_digest(square) == state_digest(np.asfortranarray(square)) == state_digest(square.astype(">f8"))
    assert state_digest(square) != state_digest(square.reshape(3, 2)) != state_digest(square.reshape(3, 2).T)


def test_values_that_look_alike_differ():
    alike = [1, 1.0, True, "1", b"1", np.int64(1), np.float32(1), [1], (1,), {1}, {1: None}, np.array(1), np.array([1])]
    alike += [0.0, -0.0, None, "", b"", [], (), {}, [[]], [None], np.array([]), ["ab"], ["a", "b"]]

    assert len({state_digest(value) for value in alike}) == len(alike)


def test_order_matters_where_it_means_something():
    assert state_digest({"a": 1, "b": 2}) == state_digest({"b": 2, "a": 1})
    assert state_digest({3, 1, 2}) == state_digest({2, 3, 1})
    assert state_digest([1, 2]) != state_digest([2, 1])
    assert state_digest(OrderedDict(a=1)) != state_digest({"a": 1})


def test_random_states_are_their_state():
    one, same, moved = (np.random.RandomState(5) for _ in range(3))
    moved.random_sample()

    assert state_digest(one) == state_digest(same) != state_digest(moved)
    assert state_digest(np.random.default_rng(1)) != state_digest(np.random.default_rng(2))


def test_sharing_is_not_content_but_a_cycle_is_walked_once():
    part = [1.5]
    ring, other = [part], [[1.5]]
    ring.append(ring)
    other.append(other)

    assert state_digest([part, part]) == state_digest([[1.5], [1.5]])
    assert state_digest(ring) == state_digest(other)


class Odd:
    """A class of nobody the digest knows."""


@pytest.mark.parametrize("value", [Odd(), Odd, lambda: 0, partial(Odd), open, iter([]), Path(), (x for x in ())])
def test_a_kind_that_is_not_known_is_refused_with_its_place(value):
    if value is open:
        value = sys.stdout
    with pytest.raises(DataError, match=r"value\['deep'\]\[1\].* has no canonical form"):
        state_digest({"deep": [0, value]})
