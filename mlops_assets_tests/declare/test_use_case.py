"""A use case checks every name against every other when it is built."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from mlops_assets.declare import (
    ALWAYS,
    Column,
    DeclarationError,
    Derived,
    Estimator,
    Kind,
    Label,
    Last,
    Model,
    NextClock,
    Promotion,
    Requests,
    Table,
    Task,
    Zone,
    days,
    hours,
)
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import BY_WHO, FEATURES, PEOPLE, SHOP, VISITS, minutes

FOREST = Estimator(path="sklearn.ensemble.RandomForestClassifier")
PLACES = Table(
    name="places",
    landing="places.parquet",
    key=("code",),
    columns=tuple(Column(name=n, kind=Kind.STRING, known_at=ALWAYS) for n in ("code", "tz")),
)


def label(column: str, task: Task = Task.CLASSIFICATION) -> Label:
    return Label(column=column, task=task, maturity=days(1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tables": (VISITS, PEOPLE, PEOPLE)}, "shop: tables == ['people'], each name may stand once"),
        ({"features": (*FEATURES, FEATURES[0])}, "shop: features == ['twice'], each name may stand once"),
        ({"tables": ()}, "shop.requests: table == 'visits', names nothing that is declared: use one of []"),
        ({"requests": Requests(table="gone", as_of="asked")}, "shop.requests: table == 'gone', names nothing"),
        (
            {"requests": Requests(table="visits", as_of="gone")},
            "as_of == 'gone', names nothing that is declared: use o",
        ),
        (
            {"requests": Requests(table="visits", as_of="size")},
            "as_of == 'size', names nothing that is declared: use o",
        ),
        ({"requests": Requests(table="visits", as_of="done")}, "as_of == 'done', is not known ALWAYS"),
        ({"label": label("gone")}, "shop.label: column == 'gone', names nothing that is declared"),
        ({"label": label("amount")}, "column == 'amount (int)', a classification label is bool: derive such a column"),
        ({"label": label("note", Task.REGRESSION)}, "column == 'note (string)', a regression label is int or float"),
        ({"label": label("size", Task.REGRESSION)}, "column == 'size', is known ALWAYS: a label known beforehand"),
        ({"promotion": Promotion(metric="mae", margin=0)}, "shop.promotion: metric == 'mae', names nothing that is de"),
        ({"model": replace(SHOP.model, excluded=("gone",))}, "shop.model: excluded == 'gone', names nothing"),
    ],
)
def test_a_use_case_that_cannot_be_true_is_refused_with_place_value_rule_and_remedy(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        replace(SHOP, **changes)

    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_metric_of_the_wrong_task_lists_those_of_the_right_one() -> None:
    with pytest.raises(DeclarationError, match=r"metric == 'auc', .*use one of \['mae', 'rmse'\]"):
        replace(SHOP, label=label("amount", Task.REGRESSION), promotion=Promotion(metric="auc", margin=0))


def test_requests_come_week_by_week() -> None:
    at = Column(name="at", kind=Kind.INSTANT, known_at=ALWAYS)
    still = Table(name="still", landing="still.parquet", key=("at",), columns=(at,))

    with pytest.raises(DeclarationError, match=r"shop\.requests: table == 'still', is a snapshot"):
        replace(SHOP, tables=(VISITS, PEOPLE, still), requests=Requests(table="still", as_of="at"))


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "CON", "nul.txt", "é", "ａ", "x" * 300, "", ".", "a b", "a\0"])
def test_a_use_case_whose_name_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"^use case == .*rename it\.$") as refused:
        replace(SHOP, name=name)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"table": "gone"}, "zone.table == 'gone', names nothing that is declared: use one of ['people', 'places', 'v"),
        ({"key": "gone"}, "zone.key == 'gone', names nothing that is declared: use one of ['code', 'tz']."),
        ({"column": "gone"}, "zone.column == 'gone', names nothing that is declared: use one of ['code', 'tz']."),
    ],
)
def test_a_zone_that_is_looked_up_nowhere_is_refused(wrong: dict[str, str], said: str) -> None:
    zone = Zone(place="shop", **{"table": "places", "key": "code", "column": "tz", **wrong})
    closing = Derived(name="closing", rule=NextClock(clock="size", after="asked", zone=zone), known_at=ALWAYS)

    with pytest.raises(DeclarationError) as refused:
        replace(SHOP, tables=(replace(VISITS, derived=(closing,)), PEOPLE, PLACES))
    assert str(refused.value).startswith(f"shop.tables['visits'].derived['closing']: {said}")


@pytest.mark.parametrize(
    "path", ["", "os.system", "xgboost.XGBClassifier", "sklearnx.Trap", "../sklearn.x", "builtins.eval"]
)
def test_an_estimator_lies_in_scikit_learn(path: str) -> None:
    with pytest.raises(DeclarationError, match=r"path == .*, must lie in scikit-learn: e\.g\. 'sklearn\."):
        Estimator(path=path)


@pytest.mark.parametrize("name", ["random_state", "n_jobs"])
def test_what_the_project_sets_is_no_hyperparameter(name: str) -> None:
    with pytest.raises(DeclarationError, match=rf"params\['{name}'\] == 7, is set by the project: use Model"):
        Estimator(path="sklearn.ensemble.RandomForestClassifier", params={name: 7})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"validation_weeks": 0}, "Model: validation_weeks == 0, must be at least 1"),
        ({"min_weeks": 2}, "Model: min_weeks == 2, must lie between validation_weeks + 1 and max_weeks"),
        ({"min_weeks": 9}, "Model: min_weeks == 9, must lie between validation_weeks + 1 and max_weeks"),
        ({"max_weeks": 101}, "Model: max_weeks == 101, must be at most 100"),
        ({"max_rows": 0}, "Model: max_rows/threads == (0, 1), must be positive"),
        ({"threads": 0}, "Model: max_rows/threads == (1000, 0), must be positive"),
    ],
)
def test_a_model_is_made_of_some_weeks_and_judged_by_others(wrong: dict[str, int], said: str) -> None:
    fields: dict[str, Any] = {"min_weeks": 3, "max_weeks": 8, "max_rows": 1000, **wrong}
    with pytest.raises(DeclarationError) as refused:
        Model(estimator=FOREST, baseline=FOREST, seed=1, **fields)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metric": "accuracy"}, "metric == 'accuracy', names nothing that is declared: use one of ['auc', 'brier'"),
        ({"margin": -0.1}, "margin == -0.1, must be >= 0"),
        ({"margin": float("nan")}, "margin == nan, must be >= 0"),
        ({"alpha": 0.0}, "alpha == 0.0, must be 0 < alpha < 0.5"),
        ({"alpha": 0.5}, "alpha == 0.5, must be 0 < alpha < 0.5"),
        ({"alpha": float("nan")}, "alpha == nan"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        Promotion(**{"metric": "auc", "margin": 0.0, **wrong})

    assert str(refused.value).startswith(f"Promotion: {said}")


def test_no_question_is_asked_a_negative_time_ahead_and_no_label_is_mature_before_its_week_ends() -> None:
    with pytest.raises(DeclarationError, match=r"Requests: ahead == .*must not be negative"):
        Requests(table="visits", as_of="asked", ahead=-hours(1))
    with pytest.raises(DeclarationError, match=r"Label: maturity == .*must not be negative"):
        Label(column="happy", task=Task.CLASSIFICATION, maturity=-hours(1))
    wrong: Any = "classification"
    with pytest.raises(DeclarationError, match="Label: task == 'classification', names nothing"):
        label("happy", wrong)


def test_records_are_frozen_to_the_bottom() -> None:
    params = {"max_depth": 3}
    estimator = replace(FOREST, params=params)
    params["max_depth"] = 4

    assert estimator.params["max_depth"] == 3
    with pytest.raises(TypeError):
        estimator.params["max_depth"] = 5  # type: ignore[index]  # the point of the test
    for record in (SHOP, SHOP.model, SHOP.label, SHOP.requests, SHOP.promotion, estimator):
        first = next(iter(record.__dataclass_fields__))
        with pytest.raises(FrozenInstanceError):
            setattr(record, first, "other")


def test_the_model_sees_every_feature_that_is_not_excluded_in_declared_order() -> None:
    some = replace(SHOP, model=replace(SHOP.model, excluded=("twice", "notes")))

    assert [f.name for f in some.model_features] == [f.name for f in FEATURES if f.name not in ("twice", "notes")]
    assert SHOP.model_features == FEATURES


@pytest.mark.parametrize(
    ("within", "late_by", "ahead", "weeks"),
    [
        (days(7), days(0), days(0), 1),
        (days(7), hours(1), days(0), 2),
        (days(6), hours(12), hours(12), 1),
        (days(6), hours(12), hours(13), 2),
        (minutes(1), days(0), days(0), 1),
        (days(28), days(3), hours(2), 5),
    ],
)
def test_how_far_back_features_reach_covers_age_lateness_and_asking_ahead(
    within: Any, late_by: Any, ahead: Any, weeks: int
) -> None:
    last = Last(name="x", **BY_WHO, column="amount", within=within)
    declared = replace(
        SHOP,
        tables=(replace(VISITS, late_by=late_by), PEOPLE),
        features=(last,),
        requests=replace(SHOP.requests, ahead=ahead),
    )

    assert declared.lookback_weeks == weeks


def test_the_shipped_use_case_looks_back_five_weeks() -> None:
    assert FLIGHT_DELAYS.lookback_weeks == 5  # 28 days, 3 days late, asked 2 h ahead
    assert FLIGHT_DELAYS.request_table.name == "flights"
    with pytest.raises(KeyError):
        FLIGHT_DELAYS.table("gone")
