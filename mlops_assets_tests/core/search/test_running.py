"""One trial: which rows it may see, what it reports, and how the whole search ends in a model."""

from dataclasses import replace

import pandas as pd
import pytest

from mlops_assets.core import encoding
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.fitting import fit, fit_rows
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.search import run_trial, trials, with_params
from mlops_assets.core.training_window import training_window
from mlops_assets.declare import DataError, DeclarationError, Search, UseCase
from mlops_assets_tests.core import tiny

SEARCH = Search(space={"learning_rate": (0.05, 0.2), "max_leaf_nodes": (3, 7)}, trials=4)
CASE = tiny.use_case(min_weeks=4, search=SEARCH)
TUNING, VALIDATION = tiny.WEEKS[2], tiny.WEEKS[3:]


def flipped(frames: dict[str, pd.DataFrame], *weeks: str) -> dict[str, pd.DataFrame]:
    for week in weeks:
        frames[week]["late"] = frames[week]["late"].map({True: False, False: True})
    return frames


def test_the_weeks_that_validate_have_no_say_in_any_trial() -> None:
    for trial in trials(CASE.model):
        seen = run_trial(CASE, tiny.weeks(), trial)

        assert run_trial(CASE, flipped(tiny.weeks(), *VALIDATION), trial) == seen
        assert seen.tuning_weeks == (TUNING,)


def test_a_trial_is_trained_without_the_weeks_that_measure_it() -> None:
    trial = trials(CASE.model)[1]
    frames = tiny.weeks()
    train, _, _ = training_window(CASE, frames)
    before, tuning = train.week < TUNING, train.week == TUNING
    tried = with_params(CASE, trial.params)
    encoder = encoding.fit(tried, train.frame[before])
    with threads(1):
        array = encoder.encode(train.frame[before])
        scorer = fitted(tried, tried.model.estimator, encoder, array, train.label[before])
    by_hand = METRIC["log_loss"].of(train.label[tuning], scorer.predict(train.frame[tuning]))

    result = run_trial(CASE, frames, trial)

    assert (result.value, result.failure) == (by_hand, None)
    assert (result.rows, result.tuning_rows) == (before.sum(), tuning.sum())
    assert run_trial(CASE, flipped(frames, TUNING), trial).value != by_hand


def test_two_weeks_tune_when_two_are_declared() -> None:
    case = tiny.use_case(min_weeks=5, search=replace(SEARCH, tuning_weeks=2))

    assert run_trial(case, tiny.weeks(), trials(case.model)[0]).tuning_weeks == tiny.WEEKS[1:3]


def test_the_model_is_the_one_with_the_chosen_parameters_on_all_training_rows() -> None:
    model = fit(CASE, tiny.weeks())
    results = [run_trial(CASE, tiny.weeks(), trial) for trial in trials(CASE.model)]
    best = min(results, key=lambda result: result.value)
    alone = fit(replace(with_params(CASE, best.trial.params), model=replace(
        with_params(CASE, best.trial.params).model, search=None)), tiny.weeks())  # fmt: skip

    assert model.search is not None and model.search.chosen == best.trial
    assert model.search.results == tuple(results)
    assert best.trial.changed  # the declared parameters are not the best here
    assert model_digest(model.estimator, model.encoder) == model_digest(alone.estimator, alone.encoder)
    assert {name: model.params[name] for name in best.trial.changed} == dict(best.trial.changed)
    assert model.evidence()["search"] == model.search.to_json()
    assert (alone.search, alone.evidence()["search"]) == (None, None)


def test_trials_run_elsewhere_in_any_order_make_the_same_model() -> None:
    frames = tiny.weeks()
    results = [run_trial(CASE, frames, trial) for trial in reversed(trials(CASE.model))]

    made = fit_rows(CASE, *training_window(CASE, frames), results=results)

    assert made.evidence() == fit(CASE, frames).evidence()


def test_a_fit_without_its_trials_or_with_trials_of_nothing_is_refused() -> None:
    frames = tiny.weeks()
    result = run_trial(CASE, frames, trials(CASE.model)[0])
    with pytest.raises(DataError, match="run each declared trial once"):
        fit_rows(CASE, *training_window(CASE, frames))
    with pytest.raises(DataError, match="declares no search, met results of 1 trials"):
        fit_rows(tiny.use_case(), *training_window(CASE, frames), results=[result])


@pytest.mark.parametrize("change", [{"metric": "brier"}, {"tuning_weeks": tiny.WEEKS[1:2]}])
def test_results_of_other_weeks_or_another_metric_are_refused(change: dict[str, object]) -> None:
    frames = tiny.weeks()
    results = [replace(run_trial(CASE, frames, trial), **change) for trial in trials(CASE.model)]
    with pytest.raises(DataError, match="must be log_loss on 2024-01-15: run the trial again"):
        fit_rows(CASE, *training_window(CASE, frames), results=results)


@pytest.mark.parametrize(
    ("name", "values"),
    [("learning_rate", (-1, 0.2)), ("max_bins", (None, 64)), ("max_bins", ("many", 64)), ("max_bins", (-3, 64))],
)
def test_a_trial_that_scikit_learn_refuses_says_why_and_the_others_go_on(name: str, values: tuple[object, ...]) -> None:
    case = tiny.use_case(min_weeks=4, search=Search(space={name: values}, trials=3))
    model = fit(case, tiny.weeks())

    assert model.search is not None
    failed = model.search.results[1]
    assert failed.value is None and f"The '{name}' parameter" in str(failed.failure)
    assert model.search.chosen.key != failed.trial.key


def test_a_hyperparameter_that_the_estimator_does_not_have_is_a_wrong_declaration() -> None:
    case = tiny.use_case(min_weeks=4, search=Search(space={"leaves": (3, 7)}, trials=2))
    with pytest.raises(DeclarationError, match="leaves"):
        run_trial(case, tiny.weeks(), trials(case.model)[1])


def test_the_encoder_of_a_trial_keeps_as_many_categories_as_its_bins_hold() -> None:
    case = tiny.use_case(min_weeks=4, search=Search(space={"max_bins": (2, 64)}, trials=3))
    results = [run_trial(case, tiny.weeks(), trial) for trial in trials(case.model)]

    assert [result.failure for result in results] == [None] * 3
    assert results[1].value != results[0].value


def short(weeks: dict[str, int]) -> tuple[UseCase, dict[str, pd.DataFrame]]:
    frames = tiny.weeks()
    for week, known in weeks.items():
        frames[week].loc[known:, "late"] = None
    return CASE, frames


@pytest.mark.parametrize(
    ("case", "frames", "says"),
    [
        (*short({TUNING: 5}), "training rows lie of the tuning weeks 2024-01-15, must be at least 20"),
        (*short({tiny.WEEKS[0]: 0, tiny.WEEKS[1]: 3}), "training rows lie before the tuning weeks 2024-01-15"),
        (tiny.use_case(min_weeks=4, search=SEARCH, max_rows=200), tiny.weeks(), "declare a greater max_rows"),
        (tiny.use_case(), tiny.weeks(), "no search is declared"),
    ],
)
def test_rows_that_no_trial_can_be_measured_on_are_refused(
    case: UseCase, frames: dict[str, pd.DataFrame], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        run_trial(case, frames, trials(CASE.model)[0])


def test_row_order_and_threads_change_no_bit_of_a_trial() -> None:
    one, two = (replace(CASE, model=replace(CASE.model, threads=workers)) for workers in (1, 2))
    shuffled = {week: frame.sample(frac=1, random_state=3) for week, frame in reversed(tiny.weeks().items())}

    for trial in trials(CASE.model):
        assert run_trial(one, tiny.weeks(), trial) == run_trial(two, shuffled, trial)
