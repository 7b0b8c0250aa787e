"""The picture of a search: the same bytes for the same results, small, and every trial can be read."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from mlops_assets.core.fitting import fit
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.trials import trials_svg
from mlops_assets.core.search import Searched, TrialResult, trials
from mlops_assets.declare import Search
from mlops_assets_tests.core import tiny
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.plots.seen import texts


def test_the_picture_says_each_trials_parameters_and_value_and_which_is_chosen() -> None:
    search = Search(space={"learning_rate": (0.05, -1)}, trials=3)
    found = fit(tiny.use_case(min_weeks=4, search=search), tiny.weeks()).search
    assert found is not None
    data = trials_svg(found)

    assert data == trials_svg(found)
    assert ElementTree.fromstring(data).tag.endswith("svg") and b"<dc:date>" not in data  # noqa: S314  our own bytes
    told = ["t00  as declared", "t01  learning_rate 0.05", "t02  learning_rate -1", "failed", "2024-01-15",
            "log loss in nats (lower is better)", f"3 trials: {found.chosen.key} is chosen",
            f"{found.results[0].value:.6g}", f"{found.results[1].value:.6g}"]  # fmt: skip
    assert [text for text in told if text.replace("  ", " ").encode() not in data.replace(b"  ", b" ")] == []


def test_of_many_trials_the_chosen_one_is_always_drawn_and_the_rest_counted() -> None:
    model = tiny.use_case(min_weeks=4, search=Search(space={"max_leaf_nodes": tuple(range(8, 108))}, trials=101)).model
    made = [
        TrialResult(trial=trial, metric="auc", value=0.5 + place / 1_000, failure=None, rows=500, tuning_rows=250,
                    tuning_weeks=("2024-01-15",))
        for place, trial in enumerate(trials(model))
    ]  # fmt: skip
    data = trials_svg(Searched.of(model, made))

    assert len(data) < 60_000
    assert b"max_leaf_nodes 107" in data and b"101 trials, 71 more not drawn: t100_" in data


@pytest.mark.parametrize("name", HOSTILE)
def test_no_parameter_and_no_week_breaks_the_picture(name: str) -> None:
    model = tiny.use_case(min_weeks=4, search=Search(space={"max_leaf_nodes": (8, 9)}, trials=3)).model
    made = [
        TrialResult(trial=replace(trial, changed={name: name}), metric="auc", value=0.5, failure=None, rows=500,
                    tuning_rows=250, tuning_weeks=(name,))
        for trial in trials(model)
    ]  # fmt: skip
    said = texts(trials_svg(Searched(results=tuple(made), chosen=made[0].trial)))

    assert f"t00  {visible(f'{name} {name}')}" in said
    assert any(text.endswith(f" on {visible(name)}") for text in said)
