"""The gate for single events: rows are judged as far as they are known, by the rules that files are judged by."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.validation import validate
from mlops_assets.core.validation.events import Verdict, event_table, judge_told, told_rows, told_table
from mlops_assets.core.validation.told import Told, tell
from mlops_assets.declare import DataError
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.core.validation.departures import (
    AIRPORTS,
    ARRIVED,
    DEPARTURE,
    FLIGHTS,
    LANDING,
    TIMETABLE,
    WEEK,
    told,
)

CANCELLED = {**LANDING, "dep_time": None, "dep_delay": None, "arr_time": None, "air_time": None, "arr_delay": None}


def judged(*rows: Told, arrived: int = ARRIVED) -> list[Verdict]:
    return judge_told(FLIGHT_DELAYS, FLIGHTS, rows, AIRPORTS, arrived)


def refusal(*events: dict[str, Any], arrived: int = ARRIVED) -> str:
    (verdict,) = judged(told(*events), arrived=arrived)
    assert verdict.week is None
    return verdict.reason


def by_file(**wrong: Any) -> str:
    """What the gate says of a file with this flight."""
    row = {**TIMETABLE, **DEPARTURE, **LANDING, "time_hour": datetime(2013, 1, 8, 10, tzinfo=UTC), **wrong}
    empty = {t.name: told_table(t, []).select([c.name for c in t.columns]) for t in FLIGHT_DELAYS.tables}
    houston = {"faa": "IAH", "name": "a", "lat": 0.0, "lon": 0.0, "alt": 0, "tz": 0, "dst": "N"}
    files = {
        "flights": pa.Table.from_pylist([row], empty["flights"].schema),
        "airports": pa.Table.from_pylist([houston | {"tzone": "America/Chicago"}], empty["airports"].schema),
    }
    (reasons,) = validate(FLIGHT_DELAYS, empty | files, WEEK)["flights"].quarantined["reasons"].to_pylist()
    return str(reasons)


WRONG = [
    {"distance": -5}, {"origin": "LAX"}, {"dest": "iah"}, {"hour": 24}, {"flight": None}, {"dep_delay": 3000},
    {"sched_arr_time": 2460}, {"air_time": 0}, {"dest": "XXX"}, {"tailnum": "x", "minute": 60},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_event_is_refused_in_the_words_in_which_its_row_in_a_file_is(wrong: dict[str, Any]) -> None:
    assert refusal({**TIMETABLE, **DEPARTURE, **LANDING, **wrong}) == by_file(**wrong)


def test_every_row_has_the_verdict_of_that_row_alone() -> None:
    rows = [
        told(TIMETABLE),
        told({**TIMETABLE, "flight": 2, "distance": -1}),
        told({**TIMETABLE, "flight": 3}, {**DEPARTURE, "flight": 3}),
        told({**TIMETABLE, "flight": 4, "time_hour": "2013-02-05T10:00:00+00:00"}),
        told({**TIMETABLE, "flight": 5}),
    ]

    assert judged(*rows) == [judged(row)[0] for row in rows]
    assert [verdict.week for verdict in judged(*rows)] == [WEEK, None, WEEK, "2013-02-04", WEEK]


# --- weeks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["2012-12-30T10:00:00+00:00", "2014-01-07T10:00:00+00:00"])
def test_a_row_outside_the_time_axis_is_refused(moment: str) -> None:
    said = refusal({**TIMETABLE, "time_hour": moment})

    assert said.startswith(f"sched_dep_utc == {moment[:10]}T10:15:00+00:00 lies in the week ")
    assert said.endswith(", outside the time axis 2012-12-31 .. 2014-01-06")


def test_an_event_may_arrive_until_no_feature_looks_that_far_back() -> None:
    last = instant_us(FLIGHT_DELAYS.partitions.bounds(WEEK)[1] + FLIGHTS.late_by)

    assert judged(told(TIMETABLE), arrived=last)[0].week == WEEK
    assert refusal(TIMETABLE, arrived=last + 1).startswith(
        "it arrived at 2013-01-17T05:00:00.000001+00:00, more than 3 days, 0:00:00 after its week 2013-01-07"
    )


def test_events_tell_rows_that_have_a_week() -> None:
    assert event_table(FLIGHT_DELAYS, "weather").name == "weather"
    for name in ("airports", "planes", "gates"):
        with pytest.raises(DataError, match=rf"events tell rows of \['flights', 'weather'\] .*, not of '{name}'"):
            event_table(FLIGHT_DELAYS, name)


# --- rows that are known in part -----------------------------------------------------------------------------------


def rows_of(*rows: Told) -> list[dict[str, Any]]:
    return told_rows(FLIGHT_DELAYS, FLIGHTS, rows, AIRPORTS).to_pylist()


def test_a_flight_that_has_not_departed_is_not_called_cancelled() -> None:
    (scheduled,), (cancelled,) = rows_of(told(TIMETABLE)), rows_of(told(TIMETABLE, CANCELLED))

    assert scheduled["sched_dep_utc"] == datetime(2013, 1, 8, 10, 15, tzinfo=UTC)
    assert (scheduled["cancelled"], scheduled["outcome_utc"], scheduled["late"]) == (None, None, None)
    assert (cancelled["cancelled"], cancelled["outcome_utc"]) == (True, datetime(2013, 1, 8, 13, 15, tzinfo=UTC))


def test_rows_known_to_any_degree_have_the_same_columns_and_their_arrivals() -> None:
    table = told_rows(FLIGHT_DELAYS, FLIGHTS, [told(TIMETABLE, CANCELLED), told(TIMETABLE, DEPARTURE)], AIRPORTS)

    assert table.column_names[: len(FLIGHTS.kinds)] == list(FLIGHTS.kinds)
    assert sorted(map(bool, table["arrived@outcome_utc"].to_pylist())) == [False, True]
    assert set(map(instant_us, table["arrived@dep_utc"].to_pylist())) == {ARRIVED + 1_000_000}


def test_told_rows_are_kept_in_the_form_in_which_files_land() -> None:
    reading = {"SystemCodeNumber": "a", "Capacity": 9, "Occupancy": 1, "LastUpdated": "2016-10-29T12:00:00"}
    readings = PARKING.table("readings")
    table = told_table(readings, [tell(readings, Told(), reading, ARRIVED)])

    assert table.schema.field("LastUpdated").type == pa.timestamp("us")
    assert table["LastUpdated"].to_pylist() == [datetime(2016, 10, 29, 12)]  # as the clocks showed


def test_a_question_of_the_row_itself_may_not_see_its_outcome() -> None:
    """A flight that departs more than two hours early would be known before it is asked about."""
    early = dataclasses.replace(
        FLIGHT_DELAYS, requests=dataclasses.replace(FLIGHT_DELAYS.requests, as_of="sched_dep_utc", ahead=timedelta(0))
    )
    row = told(TIMETABLE, {**DEPARTURE, "dep_delay": -2})
    (verdict,) = judge_told(early, FLIGHTS, [row], AIRPORTS, ARRIVED)

    assert verdict.reason.startswith("dep_utc must come after sched_dep_utc, or the row sees its own outcome")
