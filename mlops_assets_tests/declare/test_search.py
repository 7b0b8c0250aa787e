"""A declared search: what it may hold, and what is refused before anything is trained."""

import pytest

from mlops_assets.declare import DeclarationError, Search
from mlops_assets_tests.core import tiny

LEAVES = {"max_leaf_nodes": (7, 15)}


def test_the_grid_is_every_combination() -> None:
    assert Search(space={**LEAVES, "learning_rate": [0.03, 0.1, 0.3]}, trials=4).points == 6


def test_values_that_are_equal_numbers_of_different_kinds_are_different_values() -> None:
    assert Search(space={"max_features": (1, 1.0, True)}, trials=2).points == 3


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({}, "must map hyperparameters to values"),
        ((("a", 1),), "must map hyperparameters to values"),
        ({"learning rate": (1,)}, "is no hyperparameter's name"),
        ({3: (1,)}, "is no hyperparameter's name"),
        ({"random_state": (1, 2)}, "is set by the project"),
        ({"estimator__n_jobs": (1, 2)}, "is set by the project"),
        ({"warm_start": (True,)}, "is set by the project"),
        ({"max_iter": ()}, "must be a tuple of values"),
        ({"loss": "log_loss"}, "must be a tuple of values"),
        ({"max_iter": (10, 20, 10)}, "each value may stand once"),
        ({"learning_rate": (0.1, float("nan"))}, "must be a bool, a finite number, a text or None"),
        ({"max_iter": (10, (20,))}, "must be a bool, a finite number, a text or None"),
        ({f"p{n}": tuple(range(10)) for n in range(5)}, "must have at most 10,000"),
    ],
)
def test_a_space_that_cannot_be_tried_is_refused(space: object, says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        Search(space=space, trials=2)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(("trials", "says"), [(1, "at least 2"), (2.0, "whole number"), (4, "must not exceed")])
def test_the_number_of_trials_must_make_sense(trials: int, says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        Search(space=LEAVES, trials=trials)


def test_trials_are_compared_on_at_least_one_week() -> None:
    with pytest.raises(DeclarationError, match="tuning_weeks == 0, must be a whole number, at least 1"):
        Search(space=LEAVES, trials=2, tuning_weeks=0)


def test_a_week_must_be_left_to_train_on_beside_those_that_tune_and_validate() -> None:
    with pytest.raises(DeclarationError, match="min_weeks == 4, must be at least 5 with this search"):
        tiny.use_case(min_weeks=4, search=Search(space=LEAVES, trials=2, tuning_weeks=2))

    assert tiny.use_case(min_weeks=5, search=Search(space=LEAVES, trials=2, tuning_weeks=2)).model.search is not None


def test_the_positions_of_the_categories_are_nothing_to_search() -> None:
    with pytest.raises(DeclarationError, match="holds the positions of the categories"):
        tiny.use_case(min_weeks=4, search=Search(space={"categorical_features": (None, "from_dtype")}, trials=2))


@pytest.mark.parametrize("every", [0, 2.5, True])
def test_iterations_between_checkpoints_are_counted_from_1(every: object) -> None:
    with pytest.raises(DeclarationError, match="checkpoint_every"):
        tiny.use_case(checkpoint_every=every)
