"""What one more event may say of a row: whole groups, once, in values of the declared kinds."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.validation.told import Told, by_events, known_part, plain, tell, typed
from mlops_assets.declare import ALWAYS, Column, DataError, Kind
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.core.validation.departures import (
    ARRIVED,
    DEPARTURE,
    FLIGHTS,
    KEY,
    LANDING,
    TIMETABLE,
    told,
)

SECOND = 1_000_000
READINGS = PARKING.table("readings")
READING: dict[str, Any] = {"SystemCodeNumber": "BHMBCCMKT01", "Capacity": 577, "Occupancy": 61}


def refusal(*events: dict[str, Any]) -> str:
    *before, last = events
    known = told(*before)
    with pytest.raises(DataError) as refused:
        tell(FLIGHTS, known, last, ARRIVED)
    return str(refused.value)


# --- groups --------------------------------------------------------------------------------------------------------


def test_each_group_arrives_with_the_event_that_tells_it() -> None:
    known = told(TIMETABLE, DEPARTURE, LANDING)

    landed = ARRIVED + 2 * SECOND
    assert known.arrived == {ALWAYS: ARRIVED, "dep_utc": ARRIVED + SECOND, "arr_utc": landed, "outcome_utc": landed}
    assert set(known.values) == {column.name for column in FLIGHTS.columns}


def test_an_event_may_tell_several_groups_at_once() -> None:
    known = told({**TIMETABLE, **DEPARTURE, **LANDING})

    assert set(known.arrived.values()) == {ARRIVED}
    assert known.values == told(TIMETABLE, DEPARTURE, LANDING).values


def test_a_group_is_told_whole_nulls_included() -> None:
    half = {**KEY, "dep_time": 517}
    cancelled = told(TIMETABLE, {**DEPARTURE, "dep_time": None, "dep_delay": None})

    assert refusal(TIMETABLE, half) == (
        "dep_time is told without ['dep_delay'], known at dep_utc too: tell them at once, null where there is none"
    )
    assert cancelled.arrived["dep_utc"] == ARRIVED + SECOND
    assert cancelled.values["dep_time"] is None


def test_the_first_event_of_a_row_gives_what_is_always_known() -> None:
    assert "known always too" in refusal(DEPARTURE)


def test_what_says_when_a_value_became_known_comes_with_it_or_before_it() -> None:
    late = {**KEY, "arr_time": 830, "air_time": 227}

    assert refusal(TIMETABLE, DEPARTURE, late) == (
        "arr_time is told, but not what says when it became known (arr_utc): tell that with it or before it"
    )


def test_a_group_whose_instant_is_computed_from_another_groups_waits_for_that_group() -> None:
    """When a flight's outcome is known is computed from arr_utc, which is known with arr_time and air_time."""
    assert refusal(TIMETABLE, DEPARTURE, {**KEY, "arr_delay": 11}) == (
        "arr_delay is told, but not what says when it became known (outcome_utc): tell that with it or before it"
    )


@given(st.sets(st.sampled_from([c.name for c in FLIGHTS.columns if c.name not in KEY])))
def test_whatever_an_event_leaves_out_it_is_refused_or_leaves_a_row_that_can_be_judged(left_out: set[str]) -> None:
    whole = {**TIMETABLE, **DEPARTURE, **LANDING}
    try:
        known = tell(FLIGHTS, Told(), {n: v for n, v in whole.items() if n not in left_out}, ARRIVED)
    except DataError:
        return

    part = known_part(FLIGHTS, known.arrived)
    assert {c.name for c in part.columns} == set(known.values)


# --- told once -----------------------------------------------------------------------------------------------------


def test_the_same_again_says_nothing_new() -> None:
    known = told(TIMETABLE, DEPARTURE)

    assert tell(FLIGHTS, known, DEPARTURE, ARRIVED + 9 * SECOND) is known
    assert tell(FLIGHTS, known, {**DEPARTURE, "dep_delay": 2.0}, ARRIVED + 9 * SECOND) is known
    assert tell(FLIGHTS, known, {"time_hour": "2013-01-08T05:00:00-05:00"}, ARRIVED) is known


def test_what_was_told_once_stands() -> None:
    assert refusal(TIMETABLE, DEPARTURE, {**DEPARTURE, "dep_delay": 3}) == (
        "dep_delay is told as 3, but was 2 before: what was told once stands"
    )
    assert "told as None, but was 2 before" in refusal(TIMETABLE, DEPARTURE, {**DEPARTURE, "dep_delay": None})


def test_what_a_file_told_besides_is_left_out() -> None:
    known = told(TIMETABLE, DEPARTURE)
    more = Told(values={**known.values, "arr_delay": 1}, arrived={**known.arrived, "outcome_utc": None})

    assert by_events(FLIGHTS, more) == known


# --- values --------------------------------------------------------------------------------------------------------


def test_an_unknown_column_is_refused() -> None:
    assert refusal({**TIMETABLE, "gate": 4}).startswith("'gate' is no landed column of flights, must be one of ['year'")
    assert refusal({**TIMETABLE, "dep_utc": None}).startswith("'dep_utc' is no landed column")


def test_a_column_whose_name_is_no_text_is_refused_in_text() -> None:
    assert refusal({**TIMETABLE, "\ud800": 4}).encode()


INT, FLOAT, STRING, BOOL = Kind.INT, Kind.FLOAT, Kind.STRING, Kind.BOOL
WRONG: list[tuple[Kind, Any]] = [
    *((INT, value) for value in (True, "1", 1.5, 2**63, -(2**63) - 1, math.inf, 2.0**60, [1], {})),
    *((Kind.CLOCK, value) for value in (True, "515", 5.5)),
    *((FLOAT, value) for value in (True, "1.0", math.inf, -math.inf, 2**53 + 1, [1.0])),
    *((STRING, value) for value in (1, True, "\0", "a\0b", "\ud800", b"text")),
    *((BOOL, value) for value in (0, 1, "true", 1.0)),
    *((Kind.INSTANT, value) for value in (0, "yesterday", "2013-01-07", "2013-01-07T05:00:00", datetime(2013, 1, 7))),
]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_of_another_kind_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises(DataError, match=r"^x == .*, must be "):
        plain(Column(name="x", kind=kind, known_at=ALWAYS), value)


RIGHT: list[tuple[Kind, Any, Any]] = [
    (INT, 2**63 - 1, 2**63 - 1), (INT, -(2**63), -(2**63)), (INT, 5.0, 5), (INT, math.nan, None), (INT, None, None),
    (FLOAT, -0.0, 0.0), (FLOAT, 3, 3.0), (FLOAT, 2**53, 2.0**53), (FLOAT, 1.79e308, 1.79e308), (FLOAT, math.nan, None),
    (STRING, "", ""), (STRING, "é", "é"), (BOOL, False, False),
    (Kind.INSTANT, "2013-01-07T00:00:00-05:00", "2013-01-07T05:00:00+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "kept"), RIGHT)
def test_a_value_of_the_kind_is_kept_in_one_form(kind: Kind, value: object, kept: object) -> None:
    column = Column(name="x", kind=kind, known_at=ALWAYS)

    assert repr(plain(column, value)) == repr(kept)
    assert repr(plain(column, kept)) == repr(kept)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_one_in_whatever_zone_it_is_told(naive: datetime, offset_min: int) -> None:
    column = Column(name="x", kind=Kind.INSTANT, known_at=ALWAYS)
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    kept = plain(column, moment)

    assert kept == plain(column, moment.isoformat()) == plain(column, moment.astimezone(UTC))
    assert typed(column, kept) == moment


# --- wall clocks ---------------------------------------------------------------------------------------------------


def test_a_wall_clock_is_read_by_its_zone_and_another_zone_is_refused() -> None:
    summer = tell(READINGS, Told(), {**READING, "LastUpdated": "2016-10-29T12:00:00"}, ARRIVED)

    assert summer.values["LastUpdated"] == "2016-10-29T11:00:00+00:00"
    with pytest.raises(DataError, match="without a zone where the column declares one"):
        tell(READINGS, Told(), {**READING, "LastUpdated": "2016-10-29T12:00:00+00:00"}, ARRIVED)


@pytest.mark.parametrize("wall", ["2016-10-30T01:30:00", "2016-03-27T01:30:00"])
def test_a_wall_clock_shown_twice_or_never_is_refused(wall: str) -> None:
    with pytest.raises(DataError, match="is shown twice or never by the clocks of Europe/London"):
        tell(READINGS, Told(), {**READING, "LastUpdated": wall}, ARRIVED)
