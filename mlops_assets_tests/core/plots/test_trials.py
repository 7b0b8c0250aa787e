"""The picture of a search: the same bytes for the same results, small, and every trial can be read."""

from xml.etree import ElementTree

from mlops_assets.core.fitting import fit
from mlops_assets.core.plots.trials import trials_svg
from mlops_assets.core.search import Searched, TrialResult, trials
from mlops_assets.declare import Search
from mlops_assets_tests.core import tiny


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
