"""A served vector: the values of the feature table, how old they are, and what a request must give."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from mlops_assets.core.features import feature_table
from mlops_assets.core.online import MemoryStore, OnlineFeatures, PrunedError, Vector, reaches
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.online.skew import projected
from mlops_assets.declare import DataError, DeclarationError, Last, Mean, Rate, UseCase
from mlops_assets_tests.core.features.worlds import (
    BY_WHO,
    NOON,
    PEOPLE,
    SHOP,
    VISITS,
    histories,
    minutes,
    rows,
    use_case,
    visit,
)

NAMES = [feature.name for feature in SHOP.features]
RED = {"name": "Ann", "since": 1, "colour": "red"}
FILLED = use_case((
    Last(name="last", **BY_WHO, column="amount", within=minutes(5), missing=-1),
    Last(name="colour", table="people", key=("who",), table_key=("name",), column="colour", missing="none"),
    Mean(name="mean", **BY_WHO, column="amount", window=minutes(5), missing=0.5),
    Rate(name="rate", **BY_WHO, column="happy", window=minutes(5), missing=0.25),
))  # fmt: skip


def serving(*past: Any, shop: UseCase = SHOP, facts: tuple[Any, ...] = ()) -> OnlineFeatures:
    """The shop served from a store that was told these visits and facts."""
    return OnlineFeatures(shop, projected(shop, {"visits": rows(VISITS, *past), "people": rows(PEOPLE, *facts)}))


def noon(online: OnlineFeatures, **request: Any) -> Vector:
    return online.vector({**visit(0), **request})


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_served_values_are_those_of_the_feature_table(world: tuple[pa.Table, dict[str, pa.Table]]) -> None:
    requests, history = world
    online = OnlineFeatures(SHOP, projected(SHOP, history))
    key = [(name, "ascending") for name in SHOP.request_table.key]

    offline = feature_table(SHOP, requests, history, threads=1).select(NAMES)
    served = online.table(requests.sort_by(key)).select(NAMES)
    vectors = [dict(online.vector(request).values) for request in requests.sort_by(key).to_pylist()]

    assert served.schema.types == offline.schema.types
    assert repr(served.to_pylist()) == repr(offline.to_pylist()) == repr(vectors)  # 1, 1.0 and True differ


def test_a_value_is_as_old_as_the_newest_event_behind_it() -> None:
    online = serving(
        visit(1, done=-4, amount=7), visit(2, done=-1, amount=2), visit(3, paid=-2, price=1.5), facts=(RED,)
    )
    vector = noon(online)

    assert {name: vector.ages[name] for name in ("last_amount", "amounts", "last_price", "mean_price")} == {
        "last_amount": minutes(1), "amounts": minutes(1), "last_price": minutes(2), "mean_price": minutes(2),
    }  # fmt: skip
    assert (vector.values["colour"], vector.ages["colour"], vector.ages["twice"]) == ("red", None, None)


def test_what_nothing_is_known_of_has_no_age() -> None:
    vector = noon(serving(visit(1, done=-11, amount=7)))

    assert set(vector.ages.values()) == {None}
    assert list(vector.values) == list(vector.ages) == NAMES


@pytest.mark.parametrize("who", ["Nobody", None])
def test_an_unknown_and_a_null_key_give_the_declared_missing_values(who: str | None) -> None:
    vector = noon(serving(visit(1, done=-1, amount=7, happy=True), facts=(RED,), shop=FILLED), who=who)

    assert vector.values == {"last": -1, "colour": "none", "mean": 0.5, "rate": 0.25}
    assert noon(serving(shop=SHOP), who=who).values["notes"] == (None if who is None else 0)


def test_a_whole_number_that_is_missing_from_a_float_is_served_as_the_float_of_the_feature_table() -> None:
    shop = use_case((Mean(name="mean", **BY_WHO, column="amount", window=minutes(5), missing=0),))
    offline = feature_table(shop, rows(VISITS, visit(0)), {"visits": rows(VISITS), "people": rows(PEOPLE)})

    assert repr(noon(serving(shop=shop)).values["mean"]) == repr(offline["mean"][0].as_py()) == "0.0"


def test_what_is_known_is_served_where_a_missing_value_is_declared() -> None:
    vector = noon(serving(visit(1, done=-1, amount=7, happy=False), facts=(RED,), shop=FILLED))

    assert vector.values == {"last": 7, "colour": "red", "mean": 7.0, "rate": 0.0}


def test_a_question_of_another_instant_is_answered_as_of_then() -> None:
    online = serving(visit(1, done=3, amount=7))

    assert noon(online).values["last_amount"] is None
    later = online.vector(visit(0), NOON + minutes(3))
    assert (later.values["last_amount"], later.ages["last_amount"]) == (7, timedelta(0))


@pytest.mark.parametrize("absent", ["who", "shop", "size"])
def test_a_request_that_lacks_a_column_is_refused_by_its_name(absent: str) -> None:
    request = {name: value for name, value in visit(0).items() if name != absent}

    with pytest.raises(DataError, match=f"^shop: the request lacks '{absent}', .*null where there is none"):
        serving().vector(request)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"who": 7}, "key value 7 is a int, must be a string"),
        ({"size": "large"}, "shop: size == 'large' of the request is no int"),
        ({"size": 2**63}, "shop: size == 9223372036854775808 of the request is no int"),
        ({"asked": None}, "shop: as_of == None, must be an instant with its time zone"),
        ({"asked": datetime(2013, 1, 1)}, "must be an instant with its time zone"),
    ],
)
def test_a_request_of_another_kind_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as refused:
        noon(serving(), **wrong)

    assert said in str(refused.value)


def test_a_question_older_than_what_is_kept_is_refused() -> None:
    store = MemoryStore()
    store.prune(instant_us(NOON) + 1, reaches(SHOP))

    with pytest.raises(PrunedError, match="the oldest question whose history the online store still keeps"):
        OnlineFeatures(SHOP, store).vector(visit(0))


def test_a_declaration_that_would_leak_is_not_served() -> None:
    late = replace(SHOP.features[1], table_key=("note",))

    with pytest.raises(DeclarationError, match="that is a leak"):
        OnlineFeatures(use_case((late,)), MemoryStore())


def test_no_requests_are_an_empty_table_of_the_same_columns() -> None:
    served = serving().table(rows(VISITS))

    assert served.num_rows == 0
    assert served.column_names == ["shop", "number", "asked", *NAMES]
