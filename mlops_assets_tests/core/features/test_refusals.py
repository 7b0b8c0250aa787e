"""What cannot be said, and what is refused: each with where, what, which rule, what to do."""

import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.core.features import feature_table
from mlops_assets.declare import (
    ALWAYS,
    AtRequest,
    Column,
    Count,
    DataError,
    DeclarationError,
    Feature,
    Kind,
    Last,
    Mean,
    Rate,
    Sum,
    hours,
)
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS, same
from mlops_assets_tests.core.features.worlds import (
    BY_WHO,
    PEOPLE,
    SHOP,
    VISITS,
    minutes,
    rows,
    use_case,
    visit,
)

ASKED = rows(VISITS, visit(0), visit(1, done=-1, amount=3))
HISTORY = {"visits": ASKED, "people": rows(PEOPLE)}


def flights_with(feature: Feature) -> None:
    replace(FLIGHT_DELAYS, features=(feature,))


def test_no_feature_can_name_the_instant_its_window_is_cut_by() -> None:
    """A window cut by scheduled time, the leak of the textbooks, has no way to be written."""
    for kind in (Count, Sum, Mean, Rate, Last):
        assert not {"at", "known_at", "instant", "timestamp"} & set(kind.__dataclass_fields__)
    with pytest.raises(TypeError, match="known_at"):
        late: Any = Rate
        late(name="x", table="flights", key=("dest",), column="late", window=hours(6), known_at="sched_dep_utc")


def test_a_window_over_a_column_known_always_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"features\['x'\]: column == 'sched_dep_time', is known ALWAYS"):
        flights_with(Count(name="x", table="flights", key=("origin",), column="sched_dep_time", window=hours(3)))


def test_reading_the_outcome_of_the_request_itself_is_refused_as_a_leak() -> None:
    with pytest.raises(DeclarationError, match=r"reads 'arr_delay' of the request, known at 'outcome_utc'.*is a leak"):
        flights_with(AtRequest(name="x", fn=same, reads=("arr_delay",), kind=Kind.INT))


def test_a_key_that_is_known_after_the_value_is_refused_as_a_leak() -> None:
    desk = Column(name="desk", kind=Kind.STRING, known_at="paid", nullable=True)
    visits = replace(VISITS, columns=(*VISITS.columns, desk))
    by_desk = Last(name="x", table="visits", key=("who",), table_key=("desk",), column="amount", within=minutes(5))

    with pytest.raises(DeclarationError, match=r"features\['x'\] finds 'amount', known at 'done', by the key 'desk'"):
        feature_table(use_case((by_desk,), visits), ASKED, HISTORY)


def test_keys_that_can_never_be_equal_are_refused() -> None:
    odd = Last(name="x", table="people", key=("size",), table_key=("name",), column="colour")

    with pytest.raises(DeclarationError, match=r"compares key 'size' \(int\) with people\.name \(string\)"):
        feature_table(use_case((odd,)), ASKED, HISTORY)


def three(_: pa.Array) -> pa.Array:
    return pa.array([1, 2, 3])


def half(size: pa.Array) -> pa.Array:
    return pc.divide(pc.cast(size, pa.float64()), 0.0)


def text(size: pa.Array) -> pa.Array:
    return pc.cast(size, pa.string())


def broken(_: pa.Array) -> pa.Array:
    raise KeyError("moon")


@pytest.mark.parametrize(
    ("fn", "kind", "said"),
    [
        (three, Kind.INT, "'three' returned 3 values for 2 requests"),
        (text, Kind.INT, "'text' returned string, kind 'int' is int64"),
        (half, Kind.FLOAT, "'half' returned NaN or infinity"),
        (broken, Kind.INT, "its function 'broken' failed on 2 rows of ['size'] with KeyError: 'moon'"),
        (len, Kind.INT, "'len' returned a int, must be an Arrow array"),
    ],
)
def test_a_row_function_is_not_trusted(fn: Any, kind: Kind, said: str) -> None:
    feature = AtRequest(name="x", fn=fn, reads=("size",), kind=kind)

    with pytest.raises(DataError, match=re.escape(f"shop.features['x']: {said}")):
        feature_table(use_case((feature,)), ASKED, HISTORY)


def test_a_week_given_twice_is_refused_because_it_would_count_twice() -> None:
    twice = {**HISTORY, "visits": pa.concat_tables([ASKED, ASKED])}

    with pytest.raises(DataError, match=r"shop\.history\['visits'\] holds 2 rows too many .*'number': 0"):
        feature_table(SHOP, ASKED, twice)


def test_a_missing_table_and_a_missing_column_and_a_wrong_type_are_named() -> None:
    with pytest.raises(DataError, match=r"shop\.history\['people'\] is missing, there is \['visits'\]"):
        feature_table(SHOP, ASKED, {"visits": ASKED})
    with pytest.raises(DataError, match=r"shop\.history\['visits'\] has no column 'note'"):
        feature_table(SHOP, ASKED, {**HISTORY, "visits": ASKED.drop_columns(["note"])})
    small = ASKED.set_column(ASKED.column_names.index("size"), "size", ASKED["size"].cast(pa.int16()))
    with pytest.raises(DataError, match=r"shop\.requests\['size'\] is int16, a int must be int64"):
        feature_table(SHOP, small, HISTORY)


def test_a_request_without_an_instant_is_refused() -> None:
    asked = rows(VISITS, {**visit(0), "asked": None})

    with pytest.raises(DataError, match=r"shop\.requests\['asked'\] is null in 1 rows"):
        feature_table(SHOP, asked, HISTORY)


def test_a_feature_named_like_a_key_must_be_that_key() -> None:
    own = AtRequest(name="number", fn=same, reads=("number",), kind=Kind.INT)
    other = AtRequest(name="number", fn=same, reads=("size",), kind=Kind.INT)

    assert feature_table(use_case((own,)), ASKED, HISTORY).column_names.count("number") == 1
    with pytest.raises(DeclarationError, match=r"features\['number'\] has the name of another column"):
        feature_table(use_case((other,)), ASKED, HISTORY)
    with pytest.raises(DeclarationError, match="is the label's or the question's own column"):
        feature_table(use_case((Last(name="happy", **BY_WHO, column="happy", within=minutes(3)),)), ASKED, HISTORY)


def test_no_requests_give_no_rows_with_every_column() -> None:
    full = feature_table(SHOP, ASKED, HISTORY)

    assert feature_table(SHOP, ASKED.slice(0, 0), HISTORY).schema == full.schema
    assert feature_table(SHOP, ASKED, {name: table.slice(0, 0) for name, table in HISTORY.items()}).num_rows == 2


def test_an_instant_known_always_is_declared_as_such() -> None:
    assert FLIGHT_DELAYS.request_table.known_at["asked_utc"] == ALWAYS
