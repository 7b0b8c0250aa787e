"""A tiny world for tests: visits of people to places, some known late, some never; and how to draw its histories.

`SHOP` is a whole use case with every kind of feature, one- and two-column keys, a key of another name, a snapshot.
Instants are minutes around an awkward moment (1970, a change of clocks), so that ties are common.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st

from mlops_assets.declare import (
    ALWAYS,
    AtRequest,
    Column,
    ConceptPolicy,
    Count,
    DriftPolicy,
    Estimator,
    Feature,
    Kind,
    Label,
    Last,
    Mean,
    Model,
    Promotion,
    Quality,
    Rate,
    Requests,
    Retraining,
    RolloutPlan,
    Sum,
    Table,
    Task,
    UseCase,
    Weekly,
)  # fmt: skip

ARROW = {
    Kind.INT: pa.int64(), Kind.FLOAT: pa.float64(), Kind.STRING: pa.string(), Kind.BOOL: pa.bool_(),
    Kind.INSTANT: pa.timestamp("us", "UTC"),
}  # fmt: skip


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def doubled(size: pa.Array) -> pa.Array:
    """Twice the size."""
    return pc.multiply(size, 2)


VISITS = Table(
    name="visits",
    landing="visits/{partition}.parquet",
    key=("shop", "number"),
    columns=(
        Column(name="shop", kind=Kind.STRING, known_at=ALWAYS),
        Column(name="number", kind=Kind.INT, known_at=ALWAYS),
        Column(name="who", kind=Kind.STRING, known_at=ALWAYS, nullable=True),
        Column(name="size", kind=Kind.INT, known_at=ALWAYS),
        Column(name="asked", kind=Kind.INSTANT, known_at=ALWAYS),
        Column(name="done", kind=Kind.INSTANT, known_at="done", nullable=True),
        Column(name="paid", kind=Kind.INSTANT, known_at="paid", nullable=True),
        Column(name="amount", kind=Kind.INT, known_at="done", nullable=True),
        Column(name="happy", kind=Kind.BOOL, known_at="done", nullable=True),
        Column(name="price", kind=Kind.FLOAT, known_at="paid", nullable=True, decimals=2),
        Column(name="note", kind=Kind.STRING, known_at="paid", nullable=True),
    ),
)
PEOPLE = Table(
    name="people",
    landing="people.parquet",
    key=("name", "since"),
    columns=(
        Column(name="name", kind=Kind.STRING, known_at=ALWAYS),
        Column(name="since", kind=Kind.INT, known_at=ALWAYS),
        Column(name="colour", kind=Kind.STRING, known_at=ALWAYS, nullable=True),
    ),
)
BY_WHO: Mapping[str, Any] = {"table": "visits", "key": ("who",)}
BY_BOTH: Mapping[str, Any] = {"table": "visits", "key": ("shop", "who")}
FEATURES: tuple[Feature, ...] = (
    AtRequest(name="twice", fn=doubled, reads=("size",), kind=Kind.INT),
    Last(name="last_amount", **BY_WHO, column="amount", within=minutes(10)),
    Last(name="last_price", **BY_WHO, column="price", within=minutes(5)),
    Last(name="last_note", **BY_BOTH, column="note", within=minutes(10)),
    Last(name="last_happy", **BY_BOTH, column="happy", within=minutes(3)),
    Last(name="colour", table="people", key=("who",), table_key=("name",), column="colour"),
    Count(name="notes", **BY_WHO, column="note", window=minutes(10)),
    Count(name="shop_visits", table="visits", key=("shop",), column="amount", window=minutes(5)),
    Sum(name="amounts", **BY_WHO, column="amount", window=minutes(5)),
    Sum(name="prices", **BY_BOTH, column="price", window=minutes(10)),
    Sum(name="happies", **BY_WHO, column="happy", window=minutes(10)),
    Mean(name="mean_amount", **BY_WHO, column="amount", window=minutes(10)),
    Mean(name="mean_price", **BY_WHO, column="price", window=minutes(10)),
    Rate(name="happy_rate", **BY_WHO, column="happy", window=minutes(5)),
)


def use_case(features: tuple[Feature, ...] = FEATURES, visits: Table = VISITS) -> UseCase:
    """The shop, with these features."""
    return UseCase(
        name="shop",
        doc="Will they be happy?",
        owners=("team:shop",),
        partitions=Weekly(start="2012-12-31"),
        tables=(visits, PEOPLE),
        requests=Requests(table="visits", as_of="asked"),
        label=Label(column="happy", task=Task.CLASSIFICATION, maturity=timedelta(days=1)),
        features=features,
        model=Model(
            estimator=Estimator(path="sklearn.ensemble.HistGradientBoostingClassifier"),
            baseline=Estimator(path="sklearn.dummy.DummyClassifier"),
            seed=1,
            min_weeks=3,
            max_weeks=8,
            max_rows=1000,
        ),
        promotion=Promotion(metric="log_loss", margin=0.001),
        drift=DriftPolicy(),
        rollout=RolloutPlan(quality=Quality(loss="log_loss", margin=0.003)),
        concept=ConceptPolicy(loss="error"),
        retraining=Retraining(),
    )


SHOP = use_case()
NOON = datetime(2013, 7, 10, 12, tzinfo=UTC)
# around the beginning of Unix time, in 1913, in both hours New York changed its clocks in 2013
MOMENTS = (
    NOON, datetime(1970, 1, 1, tzinfo=UTC), datetime(1913, 5, 1, tzinfo=UTC), datetime(2013, 3, 10, 7, tzinfo=UTC),
    datetime(2013, 11, 3, 6, tzinfo=UTC),
)  # fmt: skip


def rows(table: Table, *values: Mapping[str, Any]) -> pa.Table:
    """Rows of a table with its Arrow types; columns left out are null."""
    return pa.table({n: pa.array([v.get(n) for v in values], ARROW[kind]) for n, kind in table.kinds.items()})


def visit(number: int, asked: float = 0, done: float | None = None, paid: float | None = None, **values: Any) -> Any:
    """One visit of Ann to shop "a"; instants in minutes after noon."""
    at = {
        name: None if value is None else NOON + minutes(value)
        for name, value in (("asked", asked), ("done", done), ("paid", paid))
    }
    return {"shop": "a", "number": number, "who": "Ann", "size": 1, **at, **values}


@st.composite
def histories(draw: st.DrawFn) -> tuple[pa.Table, dict[str, pa.Table]]:
    """Requests and history: many ties of key and instant, late and unknown values, nulls in values and keys."""
    start = draw(st.sampled_from(MOMENTS))
    instant = st.integers(-12, 12).map(lambda n: start + minutes(n / 2))
    later = st.none() | instant
    large = st.sampled_from([2**53 + 1, -(2**53) - 1, 2**58 + 3, -(2**58)])
    one = st.fixed_dictionaries({
        "shop": st.sampled_from(["a", "é"]),
        "who": st.sampled_from(["Ann", "Bob", None]),
        "size": st.integers(-3, 3),
        "asked": instant,
        "done": later,
        "paid": later,
        "amount": st.none() | st.integers(-3, 3) | large,
        "happy": st.none() | st.booleans(),
        "price": st.none() | st.integers(-300, 300).map(lambda n: n / 100) | st.sampled_from([1e12 + 0.01, -0.0]),
        "note": st.none() | st.sampled_from(["x", "", "ÿ"]),
    })  # fmt: skip
    visits = draw(st.lists(one, max_size=16))
    numbers = draw(st.permutations(range(len(visits))))
    table = rows(VISITS, *({**v, "number": n} for v, n in zip(visits, numbers, strict=True)))
    people = draw(
        st.lists(st.tuples(st.sampled_from(["Ann", "Cy"]), st.integers(0, 3)), unique=True, max_size=3).flatmap(
            lambda keys: st.tuples(*(st.tuples(st.just(k), st.none() | st.sampled_from(["red", "blue"])) for k in keys))
        )
    )
    known = rows(PEOPLE, *({"name": n, "since": s, "colour": c} for (n, s), c in people))
    asked = table.slice(0, draw(st.integers(0, len(visits))))
    return asked, {"visits": table, "people": known}
