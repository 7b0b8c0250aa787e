"""Keys as bytes: they sort like the keys, none begins another, and what cannot be kept is refused."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features.keys import codes
from mlops_assets.core.online.naming import event, key_of
from mlops_assets.core.online.ordered import EVER, instant_us, moment, ordered
from mlops_assets.declare import ALWAYS, Column, DataError, Kind, Table

CALM = settings(deadline=None)
INT64 = st.integers(-(2**63), 2**63 - 1)
NOON = datetime(2013, 7, 10, 12, tzinfo=UTC)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INT: INT64 | st.integers(-2, 2),
    Kind.CLOCK: st.integers(0, 2400),
    Kind.BOOL: st.booleans(),
    Kind.FLOAT: st.floats(allow_nan=False),
    Kind.STRING: st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    Kind.INSTANT: st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
}


@st.composite
def keys(draw: st.DrawFn) -> tuple[list[Kind], list[tuple[Any, ...]]]:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    return kinds, draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in kinds)), min_size=1, max_size=12))


@CALM
@given(keys())
def test_keys_sort_like_those_of_the_feature_table(world: tuple[list[Kind], list[tuple[Any, ...]]]) -> None:
    kinds, rows = world
    columns = [
        pa.array([0.0 if value == 0.0 and kind is Kind.FLOAT else value for value in column], ARROW[kind])
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    numbers, _ = codes(columns)
    made = [ordered(row, kinds) for row in rows]

    for one in range(len(rows)):
        for other in range(len(rows)):
            assert (made[one] < made[other]) == (numbers[one] < numbers[other])
            assert (made[one] == made[other]) == (numbers[one] == numbers[other])


@CALM
@given(keys())
def test_no_key_begins_another(world: tuple[list[Kind], list[tuple[Any, ...]]]) -> None:
    kinds, rows = world
    made = {ordered(row, kinds) for row in rows}

    assert not [(one, other) for one in made for other in made if one != other and other.startswith(one)]


@CALM
@given(keys())
def test_a_key_is_read_back_from_its_bytes(world: tuple[list[Kind], list[tuple[Any, ...]]]) -> None:
    kinds, rows = world
    names = [f"k{place}" for place in range(len(kinds))]
    columns = tuple(Column(name=name, kind=kind, known_at=ALWAYS) for name, kind in zip(names, kinds, strict=True))
    table = Table(name="rows", landing="rows.parquet", key=tuple(names), columns=columns)

    for row in rows:
        told = [value.isoformat() if isinstance(value, datetime) else value for value in row]
        assert list(key_of(table, ordered(row, kinds)).values()) == told


def test_an_event_is_named_by_its_row_and_when_it_became_known() -> None:
    number = Column(name="number", kind=Kind.INT, known_at=ALWAYS)
    table = Table(name="rows", landing="rows.parquet", key=("number",), columns=(number,))
    row = ordered((-5,), (Kind.INT,))

    told = event(table, row, instant_us(NOON))
    assert told == "the event of rows {'number': -5} known at 2013-07-10T12:00:00+00:00"
    assert event(table, row, EVER) == "the event of rows {'number': -5} known always"


@CALM
@given(VALUES[Kind.INSTANT])
def test_an_instant_is_whole_microseconds(at: datetime) -> None:
    assert moment(instant_us(at)) == at


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("7", Kind.INT, "key value '7' is a str, must be a int"),
        (True, Kind.INT, "key value True is a bool, must be a int"),
        (1, Kind.BOOL, "key value 1 is a int, must be a bool"),
        (7, Kind.STRING, "key value 7 is a int, must be a string"),
        (b"x", Kind.STRING, "is a bytes, must be a string"),
        (1.5, Kind.CLOCK, "key value 1.5 is a float"),
        ("2013-01-01", Kind.INSTANT, "is a str, must be a instant"),
        (2**63, Kind.INT, "key value 9223372036854775808 is no int that can be kept"),
        (-(2**63) - 1, Kind.INT, "is no int that can be kept"),
        (10**400, Kind.FLOAT, "is no float that can be kept"),
        (datetime(2013, 1, 1), Kind.INSTANT, "is no instant that can be kept"),
        ("\ud800", Kind.STRING, "is no string that can be kept"),
    ],
)
def test_a_value_of_another_kind_is_refused(value: object, kind: Kind, said: str) -> None:
    with pytest.raises(DataError) as refused:
        ordered((value,), (kind,))

    assert said in str(refused.value)
