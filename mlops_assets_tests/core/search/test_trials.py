"""Which trials a declared search makes, and what they are called."""

import re
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.search import Trial, trials
from mlops_assets.declare import Estimator, Search
from mlops_assets.declare.modelling import Model
from mlops_assets_tests.core import tiny

SPACE = {"learning_rate": (0.03, 0.1), "max_leaf_nodes": (7, 15, 31)}


def model(seed: int = 7, **search: object) -> Model:
    return tiny.use_case(min_weeks=5, seed=seed, search=Search(**({"space": SPACE} | search))).model


def changes(found: tuple[Trial, ...]) -> list[dict[str, object]]:
    return [dict(trial.changed) for trial in found]


def test_without_a_search_there_are_no_trials() -> None:
    assert trials(tiny.use_case().model) == ()


def test_the_declared_parameters_come_first_then_the_grid_in_declared_order() -> None:
    found = trials(model(trials=7))

    assert changes(found) == [
        {},
        {"learning_rate": 0.03},  # max_leaf_nodes 7 is declared
        {"learning_rate": 0.03, "max_leaf_nodes": 15},
        {"learning_rate": 0.03, "max_leaf_nodes": 31},
        {"learning_rate": 0.1},
        {"learning_rate": 0.1, "max_leaf_nodes": 15},
        {"learning_rate": 0.1, "max_leaf_nodes": 31},
    ]
    assert dict(found[0].params) == dict(tiny.TREES.params)
    assert dict(found[2].params) == {**tiny.TREES.params, "learning_rate": 0.03, "max_leaf_nodes": 15}


def test_a_declared_point_of_the_grid_is_tried_once() -> None:
    assert changes(trials(model(space={"max_leaf_nodes": (7, 15)}, trials=3))) == [{}, {"max_leaf_nodes": 15}]


@given(seed=st.integers(0, 2**32), count=st.integers(2, 7))
def test_a_sample_repeats_nothing_and_a_greater_one_keeps_the_smaller(seed: int, count: int) -> None:
    smaller, all_ = changes(trials(model(seed=seed, trials=count))), changes(trials(model(trials=7)))

    assert len(smaller) == count and smaller[0] == {}
    assert [point for point in all_ if point in smaller] == smaller  # in declared order, so nothing twice
    if count < 7:
        greater = changes(trials(model(seed=seed, trials=count + 1)))
        assert all(point in greater for point in smaller)


def test_another_seed_draws_another_sample() -> None:
    assert len({str(changes(trials(model(seed=seed, trials=3)))) for seed in range(20)}) > 5


def test_a_key_can_name_a_step_and_follows_the_parameters_alone() -> None:
    found = trials(model(trials=7))

    assert all(re.fullmatch(r"t\d\d_[0-9a-f]{8}", trial.key) for trial in found)
    assert len({trial.key.partition("_")[2] for trial in found}) == 7
    other = tiny.use_case(
        min_weeks=5,
        estimator=Estimator(path=tiny.TREES.path, params=dict(reversed(tiny.TREES.params.items()))),
        search=Search(space=SPACE, trials=7),
    )
    assert [trial.key for trial in trials(other.model)] == [trial.key for trial in found]


def test_every_process_draws_the_same_sample_whatever_its_hash_seed() -> None:
    code = (
        "from mlops_assets_tests.core.search.test_trials import model; from mlops_assets.core.search import trials; "
        "print([trial.key for trial in trials(model(trials=4))])"
    )
    root = str(Path(__file__).parents[3])
    told = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, env={"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            check=True, capture_output=True, text=True,
        ).stdout.strip()
        for seed in ("0", "4242")
    ]  # fmt: skip

    assert told == [str([trial.key for trial in trials(model(trials=4))])] * 2
