"""The shipped use case: its files are what its page says, its row functions what their names say."""

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.declare import AtRequest, Compute, Kind
from mlops_assets.use_cases import flight_delays
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

DATA = Path(__file__).parents[2] / "data"
LANDED = DATA / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()
INSTANT = pa.timestamp("us", "UTC")


# --- the shipped files ---------------------------------------------------------------------------------------------


def test_every_shipped_file_has_the_hash_that_is_written_down() -> None:
    lines = (LANDED / "SHA256SUMS").read_text().splitlines()
    written = {name: digest for digest, name in (line.split("  ") for line in lines)}
    shipped = {path.relative_to(LANDED).as_posix(): path for path in LANDED.rglob("*.parquet")}

    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in shipped.items()} == written


def files(table: str) -> list[Path]:
    pattern = FLIGHT_DELAYS.table(table).landing
    return [LANDED / pattern.format(partition=week) for week in (WEEKS if "{" in pattern else ("",))]


def test_there_is_one_file_a_week_for_every_week_of_the_axis() -> None:
    assert (len(WEEKS), WEEKS[0], WEEKS[-1]) == (53, "2012-12-31", "2013-12-30")
    for table in ("flights", "weather"):
        assert sorted((LANDED / table).iterdir()) == files(table)


@pytest.mark.parametrize("table", ["flights", "weather", "planes", "airports"])
def test_the_page_says_how_many_files_and_rows_there_are(table: str) -> None:
    page = (DATA / "README.md").read_text()
    ((count, rows),) = re.findall(
        rf"^\| `landing/flight_delays/{table}\S*` \| (\d+) \| ([\d,]+) \|", page, re.MULTILINE
    )

    assert int(count) == len(files(table))
    assert int(rows.replace(",", "")) == sum(pq.read_metadata(file).num_rows for file in files(table))


@pytest.mark.parametrize("table", ["flights", "weather", "planes", "airports"])
def test_a_shipped_file_has_the_declared_columns_in_their_order(table: str) -> None:
    declared = [column.name for column in FLIGHT_DELAYS.table(table).columns]

    assert {tuple(pq.read_schema(file).names) for file in files(table)} == {tuple(declared)}


@pytest.fixture(scope="module")
def year() -> pa.Table:
    """The whole year of flights, four columns of it."""
    read = ["dep_time", "arr_delay", "tailnum", "arr_time"]
    return pa.concat_tables(pq.read_table(file, columns=read) for file in files("flights"))


def test_the_oddities_on_the_page_are_in_the_files(year: pa.Table) -> None:
    departed = year["dep_time"].is_valid()
    diverted = year.filter(departed)["arr_delay"].null_count
    tailless = year.filter(year["tailnum"].is_null())
    midnights = [sum(value == 2400 for value in year[c].drop_null().to_pylist()) for c in ("dep_time", "arr_time")]

    assert year["dep_time"].null_count == 8_255
    assert diverted == 1_175
    assert (tailless.num_rows, tailless["dep_time"].null_count) == (2_512, 2_512)
    assert midnights == [29, 150]


# --- row functions against the same in plain Python ----------------------------------------------------------------


@given(st.lists(st.dates(date(1900, 1, 1), date(2199, 12, 31)), max_size=20))
def test_weekday_is_that_of_the_calendar(days: list[date]) -> None:
    parts = [pa.array([getattr(day, part) for day in days], pa.int64()) for part in ("year", "month", "day")]

    assert flight_delays.weekday(*parts).to_pylist() == [day.weekday() for day in days]


HHMM = st.none() | st.integers(0, 23).flatmap(lambda h: st.integers(0, 59).map(lambda m: 100 * h + m)) | st.just(2400)


@given(st.lists(HHMM, max_size=20))
def test_minute_of_day_counts_from_midnight_to_the_midnight_that_ends_the_day(clocks: list[int | None]) -> None:
    naive = [None if clock is None else int(f"{clock:04}"[:2]) * 60 + int(f"{clock:04}"[2:]) for clock in clocks]

    assert flight_delays.minute_of_day(pa.array(clocks, pa.int64())).to_pylist() == naive


INSTANTS = st.datetimes(datetime(2012, 12, 31), datetime(2014, 1, 6), timezones=st.just(UTC))
FLIGHT = st.fixed_dictionaries({
    "arrived": st.none() | INSTANTS,
    "dep_time": HHMM,
    "sched_dep": INSTANTS,
    "sched_arr": st.none() | INSTANTS,
})  # fmt: skip


def naive_outcome(flight: dict[str, Any]) -> datetime | None:
    if flight["arrived"] is not None:
        return flight["arrived"]
    if flight["dep_time"] is None:
        return flight["sched_dep"] + timedelta(hours=3)
    return None if flight["sched_arr"] is None else flight["sched_arr"] + timedelta(hours=6)


@given(st.lists(FLIGHT, max_size=12))
def test_an_outcome_is_known_at_arrival_or_3_h_after_a_cancelled_departure_or_6_h_after_a_missed_arrival(
    flights: list[dict[str, Any]],
) -> None:
    types = {"arrived": INSTANT, "dep_time": pa.int64(), "sched_dep": INSTANT, "sched_arr": INSTANT}
    columns = [pa.array([flight[name] for flight in flights], kind) for name, kind in types.items()]

    known = flight_delays.outcome_known(*columns)

    assert known.type == INSTANT
    assert known.to_pylist() == [naive_outcome(flight) for flight in flights]


@given(st.lists(st.none() | st.integers(-200, 3000), max_size=20))
def test_late_is_more_than_15_minutes_and_unknown_where_nothing_landed(delays: list[int | None]) -> None:
    naive = [None if delay is None else delay > 15 for delay in delays]

    assert flight_delays.is_late(pa.array(delays, pa.int64())).to_pylist() == naive


@given(st.lists(st.none() | st.integers(0, 2400), max_size=20))
def test_missing_is_true_or_false_and_never_unknown(values: list[int | None]) -> None:
    assert flight_delays.is_missing(pa.array(values, pa.int64())).to_pylist() == [value is None for value in values]


@given(st.lists(st.tuples(INSTANTS, st.none() | st.integers(-600, 6000)), max_size=20))
def test_minutes_between_two_whole_minutes_is_their_difference(spans: list[tuple[datetime, int | None]]) -> None:
    starts = [start.replace(second=0, microsecond=0) for start, _ in spans]
    ends = [None if n is None else at + timedelta(minutes=n) for at, (_, n) in zip(starts, spans, strict=True)]

    between = flight_delays.minutes_between(pa.array(starts, INSTANT), pa.array(ends, INSTANT))

    assert between.to_pylist() == [minutes for _, minutes in spans]


ROW_FUNCTIONS = {
    **{f.name: (f.fn, f.reads) for f in FLIGHT_DELAYS.features if isinstance(f, AtRequest)},
    **{
        d.name: (d.rule.fn, d.rule.reads)
        for t in FLIGHT_DELAYS.tables for d in t.derived if isinstance(d.rule, Compute)
    },
}  # fmt: skip
SAMPLES: dict[Kind, list[Any]] = {
    Kind.INT: [1, 2, 3, 4, 12, 9],
    Kind.CLOCK: [5, 1200, None, 2400, 0, 1959],
    Kind.STRING: ["EWR", "JFK", "LGA", "", "é", "EWR"],
    Kind.INSTANT: [datetime(2013, 3, day, 6, 59, tzinfo=UTC) for day in (9, 10, 11, 12, 30, 31)],
}
ARROW = {Kind.INT: pa.int64(), Kind.CLOCK: pa.int64(), Kind.STRING: pa.string(), Kind.INSTANT: INSTANT}


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_a_row_function_sees_one_row_at_a_time(name: str) -> None:
    fn, reads = ROW_FUNCTIONS[name]
    kinds = FLIGHT_DELAYS.request_table.kinds
    years = {"year": [2013, 2013, 2012, 2000, 1999, 2024]}
    rows = [pa.array(years.get(column, SAMPLES[kinds[column]]), ARROW[kinds[column]]) for column in reads]

    whole = fn(*rows).to_pylist()

    assert [fn(*(column.slice(row, 1) for column in rows)).to_pylist() for row in range(6)] == [[v] for v in whole]
    assert fn(*(column.slice(0, 0) for column in rows)).to_pylist() == []


# --- the declaration -----------------------------------------------------------------------------------------------


def test_what_is_excluded_from_the_model_is_still_a_feature() -> None:
    names = {feature.name for feature in FLIGHT_DELAYS.features}

    assert set(FLIGHT_DELAYS.model.excluded) <= names
    assert {"temp", "dewp", "pressure"} <= set(FLIGHT_DELAYS.model.excluded)
    assert {f.name for f in FLIGHT_DELAYS.model_features} == names - set(FLIGHT_DELAYS.model.excluded)


def test_no_feature_tests_whether_the_tail_number_is_missing() -> None:
    """It is missing only where a flight was cancelled: its absence gives the outcome away."""
    readers = [f.name for f in FLIGHT_DELAYS.features if isinstance(f, AtRequest) and "tailnum" in f.reads]

    assert readers == []


def test_nothing_of_the_outcome_is_known_when_it_is_asked() -> None:
    known = FLIGHT_DELAYS.request_table.known_at

    for column in ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "late", "cancelled"):
        assert known[column] in ("dep_utc", "arr_utc", "outcome_utc")
