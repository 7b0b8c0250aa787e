"""The choice among trials, and their results as records and back."""

import json
from dataclasses import replace

import pytest

from mlops_assets.core.search import Searched, TrialResult, choose, trials
from mlops_assets.declare import DataError, Search
from mlops_assets_tests.core import tiny

MODEL = tiny.use_case(
    min_weeks=4, search=Search(space={"max_leaf_nodes": (5, 15), "max_bins": (32, 64)}, trials=5)
).model


def results(*values: float | None, metric: str = "log_loss") -> list[TrialResult]:
    return [
        TrialResult(
            trial=trial, metric=metric, value=value, failure="no reason" if value is None else None,
            rows=500, tuning_rows=250, tuning_weeks=("2024-01-15",),
        )
        for trial, value in zip(trials(MODEL), values, strict=True)
    ]  # fmt: skip


def test_the_best_metric_is_chosen_whichever_way_it_counts() -> None:
    assert choose(MODEL, results(0.5, 0.4, 0.3, 0.6, 0.7)) == trials(MODEL)[2]
    assert choose(MODEL, results(0.5, 0.4, 0.3, 0.6, 0.7, metric="auc")) == trials(MODEL)[4]


def test_of_equals_the_earlier_is_chosen_in_whatever_order_they_come() -> None:
    equal = results(0.5, 0.4, 0.6, 0.4, 0.4)

    assert choose(MODEL, equal) == choose(MODEL, reversed(equal)) == trials(MODEL)[1]
    assert Searched.of(MODEL, reversed(equal)).results == tuple(equal)


def test_a_failed_trial_is_never_chosen() -> None:
    assert choose(MODEL, results(None, 0.9, None, 0.8, None)) == trials(MODEL)[3]


def test_when_all_have_failed_there_is_nothing_to_fit_and_the_reasons_are_told() -> None:
    with pytest.raises(DataError, match=r"all 5 trials have failed.*t00_\w+: no reason; t01"):
        choose(MODEL, results(*[None] * 5))


@pytest.mark.parametrize("taken", [slice(0, 4), slice(1, 5), slice(0, 0)])
def test_a_choice_needs_every_trial_once(taken: slice) -> None:
    made = results(0.5, 0.4, 0.3, 0.6, 0.7)
    with pytest.raises(DataError, match="run each declared trial once"):
        choose(MODEL, made[taken])
    with pytest.raises(DataError, match="run each declared trial once"):
        choose(MODEL, [*made, made[0]])


def test_results_of_another_search_are_refused() -> None:
    other = replace(MODEL, search=replace(MODEL.search, trials=4))
    with pytest.raises(DataError, match="run each declared trial once"):
        choose(other, results(0.5, 0.4, 0.3, 0.6, 0.7))


def test_a_result_is_json_and_comes_back_from_it() -> None:
    for result in results(0.5, None, 0.3, 0.6, 0.7):
        record = json.loads(json.dumps(result.to_json(), allow_nan=False))

        assert TrialResult.from_json(MODEL, record) == result


@pytest.mark.parametrize(
    "change",
    [
        {"trial": "t09_00000000"},
        {"params": {"max_iter": 21}},
        {"changed": {}},
        {"value": None},
        {"value": float("nan")},
        {"value": "good"},
        {"failure": "both"},
        {"metric": "luck"},
        {"surprise": 1},
    ],
)
def test_a_record_of_something_else_is_refused(change: dict[str, object]) -> None:
    record = results(0.5, 0.4, 0.3, 0.6, 0.7)[1].to_json()
    with pytest.raises(DataError, match="run the trial again"):
        TrialResult.from_json(MODEL, record | change)


def test_a_record_that_lacks_a_field_is_refused() -> None:
    for name in (record := results(0.5, 0.4, 0.3, 0.6, 0.7)[1].to_json()):
        with pytest.raises(DataError, match="run the trial again"):
            TrialResult.from_json(MODEL, {key: value for key, value in record.items() if key != name})


def test_what_was_searched_is_a_table_and_a_name() -> None:
    told = Searched.of(MODEL, results(0.5, 0.4, 0.3, None, 0.7)).to_json()

    assert told["chosen"] == trials(MODEL)[2].key
    assert [row["value"] for row in told["trials"]] == [0.5, 0.4, 0.3, None, 0.7]
    assert told["trials"][3]["failure"] == "no reason"
