"""Ingredients side by side, and what differs between them in words."""

from dataclasses import replace

import pytest

from mlops_assets.core.actions import Action
from mlops_assets.core.ingredients import differences, ingredients, told

MODEL, TRIAL = "shop/trained_model@2013-01-07", "shop/trial@2013-01-07.t00"
PLAIN = Action(
    asset="shop/trained_model",
    partition="2013-01-07",
    code={"mlops_assets.core.encoding.fit": "function:3e25"},
    config={"model.seed": 20130101},
    libraries={"scikit-learn": "1.9.1", "python": "3.11"},
    inputs={"shop/feature_table@2013-01-07": "f" * 64, TRIAL: "a" * 64},
)
TRIED = replace(PLAIN, asset="shop/trial", partition="2013-01-07.t00", inputs={})
RECORDED = {MODEL: PLAIN, TRIAL: TRIED}


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({"config": {"model.seed": 7}}, "config model.seed: 20130101 recorded, 7 here"),
        ({"config": {}}, "config model.seed: 20130101 recorded, absent here"),
        ({"config": {"model.seed": 20130101, "model.new": None}}, "config model.new: not recorded, null here"),
        ({"libraries": {"scikit-learn": "1.9.0", "python": "3.11"}},
         "library scikit-learn: 1.9.1 recorded, 1.9.0 here"),
        ({"code": {"mlops_assets.core.encoding.fit": "function:9f12"}}, "function core.encoding.fit changed"),
        ({"code": {}}, "function core.encoding.fit removed"),
    ],
)  # fmt: skip
def test_what_differs_is_said_recorded_against_here_and_once_for_a_model_and_its_trials(
    here: dict[str, object], said: str
) -> None:
    found = differences(RECORDED, {at: replace(action, **here) for at, action in RECORDED.items()})

    assert [told(change) for change in found] == [said]


def test_a_difference_of_the_trials_alone_is_told_too() -> None:
    tuning = replace(TRIED, code={"mlops_assets.core.search.running.run_trial_rows": "function:1111"})

    found = differences(RECORDED, {MODEL: PLAIN, TRIAL: tuning})

    assert [told(change) for change in found] == [
        "function core.encoding.fit removed", "function core.search.running.run_trial_rows added"
    ]  # fmt: skip


def test_equal_trainings_differ_in_no_line() -> None:
    lines = ingredients(RECORDED, RECORDED, MODEL, tried=True)

    assert [line.name for line in lines] == ["code", "configuration", "seed", "python", "scikit-learn", "trials"]
    assert all(line.same for line in lines)


def test_trials_that_were_not_run_are_not_called_the_same() -> None:
    *_, line = ingredients(RECORDED, RECORDED, MODEL, tried=False)

    assert (line.name, line.here, line.same) == ("trials", "not run", False)
