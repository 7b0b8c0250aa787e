"""Deliveries that try to get past the gate, or to stop a whole week with one row: each row is judged alone."""

import datetime as dt
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.validation import Validated, validate
from mlops_assets.core.validation.instants import BEGIN, END, plus_minutes
from mlops_assets.core.validation.reasons import shown
from mlops_assets.declare import ALWAYS, Column, Compute, DeclarationError, Derived, Every, Kind, Plus, Table
from mlops_assets.declare.checking import ZONES
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS, minutes_between, weekday

LANDING = Path(__file__).parents[3] / "data" / "landing" / "flight_delays"
WEEK = "2013-02-11"
INSTANT = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def week() -> dict[str, pa.Table]:
    tables = {t.name: pq.read_table(LANDING / t.landing.format(partition=WEEK)) for t in FLIGHT_DELAYS.tables}
    return tables | {"flights": tables["flights"].slice(0, 600), "planes": tables["planes"].slice(0, 10)}


def with_values(table: pa.Table, column: str, values: dict[int, Any], kind: pa.DataType | None = None) -> pa.Table:
    kind = kind or table[column].type
    cells = table[column].cast(kind).to_pylist()
    for row, value in values.items():
        cells[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(cells, kind))


def judged(tables: dict[str, pa.Table], **changed: pa.Table) -> dict[str, Validated]:
    return validate(FLIGHT_DELAYS, tables | changed, WEEK)


def refused(verdict: Validated) -> dict[int, str]:
    rows = verdict.quarantined
    return dict(zip(rows["row"].to_pylist(), rows["reasons"].to_pylist(), strict=True))


# --- the environment -----------------------------------------------------------------------------------------------

ASK = f"""
import pyarrow as pa, pyarrow.parquet as pq
from mlops_assets_tests.core.validation import test_attacks as t
tables = {{x.name: pq.read_table(t.LANDING / x.landing.format(partition=t.WEEK)) for x in t.FLIGHT_DELAYS.tables}}
print(t.refused(t.validate(t.FLIGHT_DELAYS, tables, {WEEK!r})["weather"]))
"""


@pytest.mark.parametrize(
    "variable",
    ["PANDERA_VALIDATION_ENABLED=False", "PANDERA_VALIDATION_DEPTH=SCHEMA_ONLY", "PANDERA_CACHE_DATAFRAME=1"],
)
def test_no_environment_variable_turns_the_row_rules_off(variable: str) -> None:
    name, value = variable.split("=")
    done = subprocess.run(
        [sys.executable, "-c", ASK], env={**os.environ, name: value}, capture_output=True, text=True,
        cwd=Path(__file__).parents[3], check=False, timeout=120,
    )  # fmt: skip

    assert "wind_speed must be <= 253 mph (met 1048.36058)" in done.stdout, done.stderr


# --- instants ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.none() | st.integers(BEGIN, END - 1), st.none() | st.integers(-(2**63), 2**63 - 1))))
def test_minutes_added_are_those_of_whole_numbers_without_end(pairs: list[tuple[int | None, int | None]]) -> None:
    start = pa.chunked_array([pa.array([at for at, _ in pairs], pa.int64()).cast(INSTANT)])
    moved, beyond = plus_minutes(start, pa.chunked_array([pa.array([n for _, n in pairs], pa.int64())]))
    exact = [None if at is None or n is None else at + n * 60_000_000 for at, n in pairs]

    assert moved.cast(pa.int64()).to_pylist() == [at if at is not None and BEGIN <= at < END else None for at in exact]
    assert beyond.tolist() == [at is not None and not BEGIN <= at < END for at in exact]


@pytest.mark.parametrize("minutes", [2**56, -(2**56), 2**63 - 1, -(2**63), 400_000_000])
def test_a_sum_of_minutes_that_would_wrap_refuses_its_row_alone(week: dict[str, pa.Table], minutes: int) -> None:
    unbounded = replace(FLIGHT_DELAYS.request_table, columns=tuple(
        replace(c, ge=None, le=None) if c.name == "arr_delay" else c for c in FLIGHT_DELAYS.request_table.columns
    ))  # fmt: skip
    use_case = replace(FLIGHT_DELAYS, tables=(unbounded, *FLIGHT_DELAYS.tables[1:]))
    flights = with_values(week["flights"], "arr_delay", {4: minutes}, pa.int64())

    why = refused(validate(use_case, week | {"flights": flights}, WEEK)["flights"])

    assert list(why) == [4]
    assert "arr_utc = sched_arr_utc + arr_delay min lies outside the years 1678 .. 2261 (met 2013-02-1" in why[4]
    assert f"and {minutes})" in why[4]


@pytest.mark.parametrize(
    ("unit", "ticks", "said"),
    [
        ("us", 2**63 - 1, "9223372036854775807 us after 1970"),
        ("us", -(2**63), "-9223372036854775808 us after 1970"),
        ("us", 253_402_214_400_000_000, "9999-12-31T00:00:00+00:00"),
        ("us", END, "2262-01-01T00:00:00+00:00"),
        ("us", BEGIN - 1, "1677-12-31T23:59:59.999999+00:00"),
        ("s", 2**63 - 1, "9223372036854775807 s after 1970"),
        ("s", -(2**62), "-4611686018427387904 s after 1970"),
        ("ms", 2**63 - 1, "9223372036854775807 ms after 1970"),
        ("ns", 2**63 - 1, "2262-04-11T23:47:16.854775+00:00"),
    ],
)
def test_an_instant_out_of_reach_refuses_its_row_alone(
    week: dict[str, pa.Table], unit: str, ticks: int, said: str
) -> None:
    kind = pa.timestamp(unit, "UTC")
    cells = week["flights"]["time_hour"].cast(kind).cast(pa.int64()).to_pylist()
    cells[4] = ticks
    far = pa.array(cells, pa.int64()).cast(kind)
    position = week["flights"].column_names.index("time_hour")
    verdict = judged(week, flights=week["flights"].set_column(position, "time_hour", far))["flights"]

    assert list(refused(verdict)) == [4]
    assert f"time_hour lies outside the years 1678 .. 2261 (met {said})" in refused(verdict)[4]
    assert verdict.clean.num_rows == 599


@pytest.mark.parametrize("at", [BEGIN, END - 3_600_000_000])
def test_a_clock_at_the_edge_of_the_years_refuses_its_row_alone(week: dict[str, pa.Table], at: int) -> None:
    cells = week["flights"]["time_hour"].cast(INSTANT).cast(pa.int64()).to_pylist()
    cells[4] = at
    position = week["flights"].column_names.index("time_hour")
    edge = week["flights"].set_column(position, "time_hour", pa.array(cells, pa.int64()).cast(INSTANT))

    assert list(refused(judged(week, flights=edge)["flights"])) == [4]


def test_an_instant_that_a_function_computes_out_of_reach_refuses_its_row_alone(week: dict[str, pa.Table]) -> None:
    def far(visib: pa.Array) -> pa.Array:
        """An instant, far for the first row."""
        return pa.array([2**62 if n == 0 else 0 for n in range(len(visib))], pa.int64()).cast(INSTANT)

    weather = FLIGHT_DELAYS.table("weather")
    seen = Derived(name="seen", rule=Compute(fn=far, reads=("visib",)), known_at=ALWAYS)
    later = Derived(name="later", rule=Plus(of="seen", minutes=5), known_at=ALWAYS)
    wider = replace(weather, derived=(*weather.derived, seen, later))
    use_case = replace(FLIGHT_DELAYS, tables=tuple(wider if t is weather else t for t in FLIGHT_DELAYS.tables))

    why = refused(validate(use_case, week, WEEK)["weather"])
    assert why[0] == "seen lies outside the years 1678 .. 2261 (met 4611686018427387904 us after 1970)"
    assert len(why) == 2  # and the wind of 1048 mph


# --- a row's own outcome -------------------------------------------------------------------------------------------


def test_a_row_known_before_it_is_asked_never_sees_its_own_outcome(week: dict[str, pa.Table]) -> None:
    clean = judged(week)["flights"].clean
    block = minutes_between(clean["sched_dep_utc"], clean["sched_arr_utc"]).to_pylist()
    short = next(row for row, minutes in enumerate(block) if minutes <= 60 and row > 5)
    delays = with_values(week["flights"], "arr_delay", {short: -180, 5: None})
    early = refused(judged(week, flights=with_values(delays, "dep_delay", {5: -120}))["flights"])

    instant = r"2013-02-1[12]T\d\d:\d\d:00\+00:00"
    assert sorted(early) == [5, short]
    for row, name in ((short, "arr_utc"), (short, "outcome_utc"), (5, "dep_utc")):
        rule = f"{name} must come after asked_utc, or the row sees its own outcome"
        assert re.search(rf"{rule} \(met {instant} and {instant}\)", early[row])


@pytest.mark.slow
def test_no_shipped_flight_is_known_before_it_is_asked() -> None:
    weeks = FLIGHT_DELAYS.partitions.keys()
    for partition in weeks:
        tables = {t.name: pq.read_table(LANDING / t.landing.format(partition=partition)) for t in FLIGHT_DELAYS.tables}
        assert validate(FLIGHT_DELAYS, tables, partition)["flights"].quarantined.num_rows == 0, partition


# --- zones ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["tzlocal()", "dateutil//etc/passwd", "dateutil/", "Mars/Olympus", "America/Chicago ", "localtime",
             "UTC+3", "+05:00", "../UTC", "america/chicago", "EST5EDT4,M3.2.0"]
)  # fmt: skip
def test_a_zone_is_an_iana_name_or_its_rows_are_refused(week: dict[str, pa.Table], name: str) -> None:
    chicago = week["airports"]["faa"].to_pylist().index("ORD")
    verdict = judged(week, airports=with_values(week["airports"], "tzone", {chicago: name}))["flights"]
    bound = [row for row, dest in enumerate(week["flights"]["dest"].to_pylist()) if dest == "ORD"]

    assert list(refused(verdict)) == bound
    assert all(f"is no IANA zone, correct it or name one in Zone(otherwise=...) (met 'ORD' and {name!r})" in why
               for why in refused(verdict).values())  # fmt: skip
    assert verdict.clean.num_rows == 600 - len(bound)


def test_what_the_machine_is_set_to_is_no_zone() -> None:
    assert {"localtime", "Factory"}.isdisjoint(ZONES)
    assert {"America/New_York", "Europe/Berlin", "UTC"} <= ZONES


# --- reasons -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.int64(4963), "4963"),
        (np.float64(0.5), "0.5"),
        (np.bool_(True), "True"),
        (dt.datetime(2026, 9, 20, 23, 59, tzinfo=dt.UTC), "2026-09-20T23:59:00+00:00"),
        (pd.Timestamp("2026-09-20T23:59", tz="America/New_York"), "2026-09-21T03:59:00+00:00"),
        (pa.scalar(None, INSTANT), "null"),
        (pd.NA, "null"),
        ("x" * 100, "'" + "x" * 56 + "..."),
    ],
)
def test_a_reason_shows_plain_numbers_and_iso_instants(value: Any, said: str) -> None:
    assert shown(value) == said


def test_a_row_rule_shows_plain_numbers(week: dict[str, pa.Table]) -> None:
    why = refused(judged(week, flights=with_values(week["flights"], "dep_delay", {4: 4963}))["flights"])

    assert why[4].startswith("dep_delay must be <= 2880 min (met 4963)")


def test_a_row_of_another_week_is_told_the_week_and_its_time_zone(week: dict[str, pa.Table]) -> None:
    weather = with_values(week["weather"], "time_hour", {4: dt.datetime(2026, 9, 20, 23, tzinfo=dt.UTC)})

    assert (
        "time_hour lies outside the week of 2013-02-11 (2013-02-11T05:00:00+00:00 .. 2013-02-18T05:00:00+00:00, "
        "from Monday to Monday in America/New_York) (met 2026-09-20T23:00:00+00:00)"
    ) in refused(judged(week, weather=weather)["weather"])[4]


def test_a_null_that_follows_from_a_refused_value_is_no_second_reason(week: dict[str, pa.Table]) -> None:
    far = pa.scalar(253_402_214_400_000_000, INSTANT).as_py()
    why = refused(judged(week, flights=with_values(week["flights"], "time_hour", {4: far}, INSTANT))["flights"])

    assert "asked" not in why[4]
    assert "week" not in why[4]


# --- one bad row, the rest of the week -----------------------------------------------------------------------------


def test_an_impossible_date_has_no_weekday_and_stops_nobody(week: dict[str, pa.Table]) -> None:
    flights = with_values(week["flights"], "day", {4: 31})  # 31 February
    clean = judged(week, flights=flights)["flights"].clean
    weekdays = weekday(*(clean[name].combine_chunks() for name in ("year", "month", "day")))

    assert weekdays.null_count == 1
    assert weekdays.slice(0, 4).to_pylist() == [0, 0, 0, 0]


def test_a_function_never_meets_a_row_that_a_rule_refused(week: dict[str, pa.Table]) -> None:
    def strict(dep_delay: pa.Array) -> pa.Array:
        """Fails where a value breaks its declaration."""
        assert all(value is None or value <= 2880 for value in dep_delay.to_pylist())
        return dep_delay

    table = FLIGHT_DELAYS.request_table
    same = Derived(name="same", kind=Kind.INT, rule=Compute(fn=strict, reads=("dep_delay",)), known_at="dep_utc")
    use_case = replace(
        FLIGHT_DELAYS, tables=(replace(table, derived=(*table.derived, same)), *FLIGHT_DELAYS.tables[1:])
    )
    flights = with_values(week["flights"], "dep_delay", {0: 4963, 4: 4963, 599: 4963})
    verdict = validate(use_case, week | {"flights": flights}, WEEK)["flights"]

    assert sorted(refused(verdict)) == [0, 4, 599]
    assert verdict.clean["same"].to_pylist() == verdict.clean["dep_delay"].to_pylist()


def test_minus_zero_is_zero(week: dict[str, pa.Table]) -> None:
    first = week["weather"].slice(0, 1)
    twice = [with_values(first, "precip", {0: zero}) for zero in (0.0, -0.0)]
    verdict = judged(week, weather=pa.concat_tables([*twice, week["weather"].slice(1)]))["weather"]

    assert verdict.passed
    assert refused(verdict)[1] == "is an exact repeat of an earlier row"
    assert "-0.0" not in map(str, verdict.clean["precip"].to_pylist())


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["row", "reasons"])
def test_the_columns_of_the_quarantine_are_not_for_landed_ones(name: str, week: dict[str, pa.Table]) -> None:
    for wrong in (
        lambda: Column(name=name, kind=Kind.INT, known_at=ALWAYS),
        lambda: Derived(name=name, rule=Plus(of="at", minutes=1), known_at=ALWAYS),
    ):
        with pytest.raises(DeclarationError, match=rf"{name!r}: name == {name!r}, is a column of the quarantine: give"):
            wrong()
    undeclared = week["flights"].append_column(name, pa.nulls(600)).append_column(name, pa.nulls(600))
    verdict = judged(week, flights=undeclared)["flights"]

    assert not verdict.passed
    assert verdict.quarantined.column_names.count(name) == 1


def test_no_name_of_ours_breaks_the_gate(week: dict[str, pa.Table]) -> None:
    names = ("count_all", "tick", "tick_count", "row_min", "0")
    at = Column(name="at", kind=Kind.INSTANT, known_at=ALWAYS)
    columns = tuple(Column(name=name, kind=Kind.INT, known_at=ALWAYS) for name in names)
    table = Table(name="odd", landing="odd/{partition}.parquet", key=("at", *names), columns=(at, *columns), day="at",
                  every=Every(instant="at", step=dt.timedelta(days=1), by=names))  # fmt: skip
    use_case = replace(FLIGHT_DELAYS, tables=(*FLIGHT_DELAYS.tables, table))
    days = [dt.datetime(2013, 2, day, tzinfo=dt.UTC) for day in (12, 13, 14)]
    odd = pa.table({"at": pa.array(days, INSTANT), **{name: [1, 1, 1] for name in names}})
    verdict = validate(use_case, week | {"odd": pa.concat_tables([odd] * 2)}, WEEK)["odd"]

    assert list(refused(verdict)) == [3, 4, 5]
    assert verdict.clean.equals(odd)
    assert [rule.rule for rule in verdict.rules if not rule.passed] == ["quarantined"]  # half of them are repeats


@pytest.mark.parametrize(
    "landing",
    ["../visits/{partition}.parquet", "/etc/{partition}.parquet", "a/../../{partition}.parquet", "C:/{partition}.csv",
     "a\\b\\{partition}.csv", "a//{partition}.parquet", "", "{partition}/", "{other}/{partition}.parquet",
     "visits/{partition}", "visits/{partition}.pkl", "visits/{partition}.parquet.gz", "s3://b/{partition}.parquet"],
)  # fmt: skip
def test_a_table_lands_below_the_landing_zone_as_parquet_or_csv(landing: str) -> None:
    with pytest.raises(DeclarationError, match=r"^Table 'flights': landing == "):
        replace(FLIGHT_DELAYS.request_table, landing=landing)
    for fine in ("visits/{partition}.csv", "a/b/{partition}/visits.parquet"):
        assert replace(FLIGHT_DELAYS.request_table, landing=fine).landing == fine
