"""A tiny use case and its weeks: parcels that arrive late or not, where weight, depot and rain decide.

Everything a training needs, small enough that a fit takes a tenth of a second.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.declare import (
    ALWAYS,
    AtRequest,
    Column,
    ConceptPolicy,
    DriftPolicy,
    Estimator,
    Kind,
    Label,
    Model,
    Promotion,
    Quality,
    Requests,
    Retraining,
    RolloutPlan,
    Table,
    Task,
    UseCase,
    Weekly,
    days,
    hours,
)

WEEKS = ("2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29")
TREES = Estimator(
    path="sklearn.ensemble.HistGradientBoostingClassifier",
    params={"max_iter": 20, "max_leaf_nodes": 7, "early_stopping": False},
    trusted=("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",),
    categories="categorical_features",
)
PRIOR = Estimator(path="sklearn.dummy.DummyClassifier", params={"strategy": "prior"})


def itself(value: pa.Array) -> pa.Array:
    """The column itself."""
    return value


def use_case(*, task: Task = Task.CLASSIFICATION, **changes: Any) -> UseCase:
    """The tiny use case; `changes` are fields of its Model, or `promotion`."""
    number = task is Task.REGRESSION
    columns = (
        Column(name="parcel", kind=Kind.INT, known_at=ALWAYS),
        Column(name="depot", kind=Kind.STRING, known_at=ALWAYS, nullable=True),
        Column(name="weight", kind=Kind.FLOAT, known_at=ALWAYS, nullable=True, unit="kg"),
        Column(name="stops", kind=Kind.INT, known_at=ALWAYS, nullable=True),
        Column(name="fragile", kind=Kind.BOOL, known_at=ALWAYS, nullable=True),
        Column(name="asked", kind=Kind.INSTANT, known_at=ALWAYS),
        Column(name="arrived", kind=Kind.INSTANT, known_at="arrived"),
        Column(name="late", kind=Kind.BOOL, known_at="arrived", nullable=True),
        Column(name="minutes", kind=Kind.FLOAT, known_at="arrived", nullable=True, unit="min"),
    )
    kinds = {"depot": Kind.STRING, "weight": Kind.FLOAT, "stops": Kind.INT, "fragile": Kind.BOOL}
    regressor = Estimator(
        path="sklearn.ensemble.HistGradientBoostingRegressor",
        params=TREES.params,
        trusted=TREES.trusted,
        categories="categorical_features",
    )
    model: dict[str, Any] = {
        "estimator": regressor if number else TREES,
        "baseline": Estimator(path="sklearn.dummy.DummyRegressor") if number else PRIOR,
        "seed": 7,
        "min_weeks": 3,
        "max_weeks": 10,
        "max_rows": 10_000,
        "validation_weeks": 2,
    }
    promotion = changes.pop("promotion", Promotion(metric="mae" if number else "log_loss", margin=0.001))
    return UseCase(
        name="parcels",
        doc="Will a parcel arrive late?",
        owners=("team:tests",),
        partitions=Weekly(start=WEEKS[0], end="2024-03-04", timezone="Europe/Berlin"),
        tables=(Table(name="parcels", landing="parcels/{partition}.parquet", key=("parcel",), columns=columns),),
        requests=Requests(table="parcels", as_of="asked", ahead=hours(2)),
        label=Label(column="minutes" if number else "late", task=task, maturity=days(2)),
        features=tuple(AtRequest(name=name, fn=itself, reads=(name,), kind=kind) for name, kind in kinds.items()),
        model=Model(**(model | changes)),
        promotion=promotion,
        drift=DriftPolicy(),
        rollout=RolloutPlan(quality=Quality(loss="absolute" if number else "log_loss", margin=0.003)),
        concept=ConceptPolicy(loss="absolute", most=50.0) if number else ConceptPolicy(loss="error"),
        retraining=Retraining(),
    )


def week(place: int, rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """The feature table of week number `place`: features, both labels, `label_known_at`; 5 % of labels are null."""
    random = np.random.default_rng([seed, place])
    begin = pd.Timestamp(WEEKS[0], tz="Europe/Berlin") + pd.Timedelta(weeks=place)
    asked = begin.tz_convert("UTC") + pd.to_timedelta(np.sort(random.integers(0, 7 * 86_400, rows)), unit="s")
    depot = random.choice(["north", "south", "east"], rows)
    weight = random.normal(10, 3, rows).round(2)
    minutes = 3 * (weight - 10) + 8 * (depot == "south") + random.normal(0, 6, rows)
    known = random.random(rows) > 0.05
    return pd.DataFrame(
        {
            "parcel": np.arange(rows) + 10_000 * place,
            "asked": asked,
            "depot": np.where(random.random(rows) < 0.03, None, depot),
            "weight": np.where(random.random(rows) < 0.1, np.nan, weight),
            "stops": random.integers(0, 9, rows),
            "fragile": np.where(random.random(rows) < 0.1, None, random.random(rows) < 0.5),
            "late": pd.Series(np.where(known, minutes > 5, None), dtype=object),
            "minutes": np.where(known, minutes, np.nan),
            "label_known_at": asked + pd.Timedelta(hours=5),
        }
    )


def weeks(count: int = 5, rows: int = 300, seed: int = 0) -> dict[str, pd.DataFrame]:
    """The first `count` weeks, keyed by partition."""
    return {WEEKS[place]: week(place, rows, seed) for place in range(count)}
