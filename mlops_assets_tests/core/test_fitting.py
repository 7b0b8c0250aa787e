"""Training: the same rows give the same model, and the evidence is about rows it never saw."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.fitting import fit, fit_rows, predict, validate
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.training_window import training_window
from mlops_assets.declare import DataError, DeclarationError, Estimator, Promotion, Task
from mlops_assets_tests.core import tiny

FOREST = Estimator(
    path="sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 10}, trusted=("sklearn.tree._tree.Tree",)
)


@pytest.fixture(scope="module")
def model():
    return fit(tiny.use_case(), tiny.weeks())


@pytest.fixture(scope="module")
def regression():
    return fit(tiny.use_case(task=Task.REGRESSION), tiny.weeks())


def test_a_model_beats_its_baseline_on_weeks_it_never_saw(model, regression):
    assert model.metrics["log_loss"] < model.baseline_metrics["log_loss"] - 0.1
    assert regression.metrics["mae"] < regression.baseline_metrics["mae"] - 1


def test_metrics_are_those_of_the_judged_rows(model, regression):
    for one in (model, regression):
        for name, value in one.metrics.items():
            assert METRIC[name].of(one.validation["label"], one.validation["prediction"]) == value
        for name, value in one.baseline_metrics.items():
            rows = one.baseline_validation
            assert METRIC[name].of(rows["label"], rows["prediction"]) == value


@pytest.mark.parametrize("estimator", [tiny.TREES, FOREST], ids=["histogram trees", "forest"])
def test_row_order_week_order_and_threads_change_no_bit(estimator):
    frames = tiny.weeks()
    one = fit(tiny.use_case(estimator=estimator), frames)
    shuffled = {key: frames[key].sample(frac=1, random_state=5) for key in reversed(frames)}
    other = fit(tiny.use_case(estimator=estimator, threads=2), shuffled)

    assert model_digest(one.estimator, one.encoder) == model_digest(other.estimator, other.encoder)
    assert one.validation.equals(other.validation) and one.importances == other.importances
    assert one.metrics == other.metrics and one.weekly == other.weekly and one.calibration == other.calibration


def test_another_seed_is_another_forest():
    one, other = (fit(tiny.use_case(estimator=FOREST, seed=seed), tiny.weeks()) for seed in (1, 2))

    assert one.estimator.random_state == 1
    assert model_digest(one.estimator) != model_digest(other.estimator)


def test_labels_of_the_judging_weeks_never_reach_the_model(model):
    frames = tiny.weeks()
    for key in tiny.WEEKS[3:]:
        frames[key]["late"] = frames[key]["late"].map({True: False, False: True})

    flipped = fit(tiny.use_case(), frames)

    assert model_digest(flipped.estimator, flipped.encoder) == model_digest(model.estimator, model.encoder)


def test_the_seed_and_all_parameters_are_recorded(model):
    assert model.seed == 7 and model.params["random_state"] == 7 and model.params["categorical_features"] == [0]


def test_the_evidence_is_json_and_the_same_every_time(model):
    again = fit(tiny.use_case(), tiny.weeks())

    assert json.dumps(model.evidence(), allow_nan=False) == json.dumps(again.evidence(), allow_nan=False)


def test_importances_are_shares_and_noise_has_almost_none(model):
    assert sum(model.importances.values()) == pytest.approx(1) and min(model.importances.values()) >= 0
    assert max(model.importances, key=model.importances.__getitem__) == "weight"
    assert model.importances["stops"] + model.importances["fragile"] < 0.05


def test_a_week_is_measured_apart_and_says_whether_it_was_seen(model):
    assert [week.role for week in model.weekly] == ["train"] * 3 + ["validation"] * 2
    rows = model.validation.iloc[: model.weekly[3].rows]
    assert METRIC["log_loss"].of(rows["label"], rows["prediction"]) == model.weekly[3].model


def test_auc_of_a_week_of_one_class_is_unknown_rather_than_wrong():
    frames = tiny.weeks()
    frames["2024-01-01"]["late"] = False
    weekly = fit(tiny.use_case(promotion=Promotion(metric="auc", margin=0)), frames).weekly

    assert weekly[0].model is None and weekly[1].model > 0.5


def test_scores_are_chances_for_any_rows_of_the_features(model, regression):
    unseen = tiny.week(4, seed=9).drop(columns=["late", "minutes", "label_known_at", "asked"])
    chances = model.scores(unseen)

    assert chances.shape == (300,) and 0 <= chances.min() < chances.max() <= 1
    assert np.array_equal(predict(model, unseen), predict(model.scorer, unseen))
    assert np.isfinite(regression.scores(unseen)).all()
    assert len(model.scores(unseen.iloc[:0])) == 0


def test_a_champion_is_scored_on_the_same_rows(model):
    assert validate(tiny.use_case(), tiny.weeks(), model.scorer).equals(model.validation)


class Broken:
    """An estimator that answers what it is told."""

    classes_ = (0, 1)

    def __init__(self, answer):
        self.answer = answer

    def predict_proba(self, array):
        return np.column_stack([1 - np.full(len(array), self.answer), np.full(len(array), self.answer)])

    def predict(self, array):
        return np.full(len(array), self.answer)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -0.01, 1.01])
def test_an_answer_that_is_no_chance_is_refused(model, answer):
    scorer = Scorer(estimator=Broken(answer), encoder=model.encoder, task=Task.CLASSIFICATION)

    with pytest.raises(DataError, match=r"must be in \[0, 1\]"):
        scorer.predict(tiny.week(0))


def test_an_infinite_number_is_refused(model):
    scorer = Scorer(estimator=Broken(float("inf")), encoder=model.encoder, task=Task.REGRESSION)

    with pytest.raises(DataError, match="must be finite"):
        scorer.predict(tiny.week(0))


def test_an_infinite_feature_is_refused_by_name():
    frames = tiny.weeks()
    frames["2024-01-08"].loc[3, ["weight", "late"]] = [float("inf"), True]

    with pytest.raises(DataError, match=r"'weight'.*must be finite or null"):
        fit(tiny.use_case(), frames)


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (Estimator(path="sklearn.ensemble.NoSuchThing"), "no such class"),
        (Estimator(path="sklearn.nowhere.X"), "no such class"),
        (Estimator(path="sklearn.ensemble.RandomForestClassifier", params={"trees": 3}), "unexpected keyword"),
        (Estimator(path="sklearn.svm.LinearSVC"), "predict_proba"),
        (Estimator(path="sklearn.tree.DecisionTreeClassifier", categories="categorical_features"), "Invalid parameter"),
    ],
)
def test_an_estimator_scikit_learn_does_not_have_is_a_wrong_declaration(estimator, says):
    with pytest.raises(DeclarationError, match=says):
        fit(tiny.use_case(estimator=estimator), tiny.weeks())


def test_an_estimator_that_refuses_the_rows_says_so():
    with pytest.raises(DataError, match="LogisticRegression refused the 850 training rows"):
        fit(tiny.use_case(estimator=Estimator(path="sklearn.linear_model.LogisticRegression")), tiny.weeks())


def test_training_leaves_the_rows_and_the_declaration_as_they_were():
    case, frames = tiny.use_case(), tiny.weeks()
    fit(case, frames)

    assert dict(case.model.estimator.params) == dict(tiny.TREES.params)
    for key, frame in tiny.weeks().items():
        pd.testing.assert_frame_equal(frames[key], frame)


def test_importing_the_rooms_loads_none_of_the_heavy_libraries():
    rooms = "core.fitting, core.model_digest, core.promotion, core.plots.training, stores.registry, stores.models"
    code = "; ".join(f"import mlops_assets.{room}" for room in rooms.split(", "))
    code += (
        "; import sys; print([m for m in ('sklearn', 'scipy', 'mlflow', 'matplotlib', 'skops') if m in sys.modules])"
    )

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert told.strip() == "[]"


class Failing:
    """A place for checkpoints that cannot keep any."""

    def load(self, unfitted, features):
        return None

    def save(self, done, estimator):
        raise DeclarationError("holds types outside its list")

    def clear(self):
        pass


def test_a_checkpoint_that_the_declaration_forbids_is_not_blamed_on_the_rows():
    case, frames = tiny.use_case(checkpoint_every=5), tiny.weeks()

    with pytest.raises(DeclarationError, match="outside its list"):
        fit_rows(case, *training_window(case, frames), checkpoints=Failing())
