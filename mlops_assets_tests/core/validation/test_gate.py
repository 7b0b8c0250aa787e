"""The gate on a small world, on the shipped flights, and on sixty kinds of bad rows."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.validation import Validated, rule_names, validate
from mlops_assets.declare import UseCase
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

LANDING = Path(__file__).parents[3] / "data" / "landing" / "flight_delays"


def landed(partition: str, use_case: UseCase = FLIGHT_DELAYS) -> dict[str, pa.Table]:
    return {t.name: pq.read_table(LANDING / t.landing.format(partition=partition)) for t in use_case.tables}


@pytest.fixture(scope="module")
def week() -> dict[str, pa.Table]:
    tables = landed("2013-02-11")
    return tables | {"flights": tables["flights"].slice(0, 800), "planes": tables["planes"].slice(0, 10)}


@pytest.fixture(scope="module")
def untouched(week: dict[str, pa.Table]) -> dict[str, Validated]:
    return judged(week)


def judged(tables: dict[str, pa.Table], partition: str = "2013-02-11") -> dict[str, Validated]:
    return validate(FLIGHT_DELAYS, tables, partition)


def with_value(table: pa.Table, column: str, row: int, value: object, kind: pa.DataType | None = None) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    position = table.column_names.index(column)
    return table.set_column(position, column, pa.array(values, kind or table[column].type))


def failed(verdict: Validated) -> list[str]:
    return [rule.rule for rule in verdict.rules if not rule.passed]


def sentence(verdict: Validated, rule: str) -> str:
    return next(r.sentence for r in verdict.rules if r.rule == rule)


# --- the shipped oddities, met by declared rules -------------------------------------------------------------------


def test_the_wind_of_1048_mph_is_quarantined_with_its_reason(week: dict[str, pa.Table]) -> None:
    weather = judged(week)["weather"]

    assert weather.quarantined.num_rows == 1
    assert weather.quarantined["reasons"].to_pylist() == ["wind_speed must be <= 253 mph (met 1048.36058)"]
    assert weather.quarantined["wind_speed"].to_pylist() == [1048.36058]
    assert weather.passed


def test_2400_is_the_midnight_that_ends_the_day(week: dict[str, pa.Table]) -> None:
    flights = with_value(week["flights"], "sched_arr_time", 0, 2400)
    clean = judged(week | {"flights": flights})["flights"].clean

    assert clean["dest"][0].as_py() == "MDW"  # Chicago, six hours behind UTC
    assert clean["sched_arr_utc"][0].as_py() == dt.datetime(2013, 2, 12, 6, tzinfo=dt.UTC)


def test_an_airport_without_a_zone_gets_the_declared_one() -> None:
    flights = judged(landed("2013-01-07"), "2013-01-07")["flights"].clean
    san_juan = flights.filter(pa.compute.equal(flights["dest"], "SJU"))

    assert san_juan.num_rows > 50
    assert san_juan["sched_arr_utc"].null_count == 0


def test_an_airport_nobody_declared_is_quarantined_and_says_what_to_declare(week: dict[str, pa.Table]) -> None:
    flights = judged(week | {"flights": with_value(week["flights"], "dest", 3, "ZZZ")})["flights"]

    assert flights.quarantined["row"].to_pylist() == [3]
    assert "no Zone(otherwise=...) names it (met 'ZZZ')" in flights.quarantined["reasons"][0].as_py()


def test_missing_weather_hours_are_counted_and_within_the_declared_bound() -> None:
    weather = judged(landed("2013-10-21"), "2013-10-21")["weather"]

    assert weather.passed
    assert "160 of 168 steps of 1:00:00 are there (95.24%)" in sentence(weather, "completeness")


def test_a_day_without_weather_refuses_the_table(week: dict[str, pa.Table]) -> None:
    hours = week["weather"]["day"].to_numpy()
    weather = judged(week | {"weather": week["weather"].filter(pa.array(hours != 13))})["weather"]

    assert failed(weather) == ["completeness"]
    assert "was the sensor or its feed down?" in sentence(weather, "completeness")


def test_every_shipped_week_passes_and_loses_nothing() -> None:
    for partition in FLIGHT_DELAYS.partitions.keys()[::10]:
        tables = landed(partition)
        for name, verdict in judged(tables, partition).items():
            assert verdict.passed, (partition, name, verdict.rules)
            assert verdict.clean.num_rows + verdict.quarantined.num_rows == tables[name].num_rows


# --- bad rows ------------------------------------------------------------------------------------------------------

FUTURE = dt.datetime(2013, 2, 25, tzinfo=dt.UTC)
BAD_VALUES: dict[str, list[tuple[str, object, pa.DataType | None]]] = {
    "int": [("null", None, None), ("negative", -30_000, None), ("huge", 2**63 - 1, pa.int64()),
            ("beyond 64 bits", 2**64 - 1, pa.uint64()), ("half", 0.5, pa.float64()),
            ("inf", float("inf"), pa.float64()), ("10^300", 1e300, pa.float64())],
    "clock": [("99 minutes", 1299, None), ("2500", 2500, None), ("negative", -5, None)],
    "float": [("inf", float("inf"), None), ("-inf", float("-inf"), None), ("1e308", 1e308, None)],
    "string": [("NUL", "A\0", None), ("unicode", "Zürich ✈", None), ("empty", "", None), ("path", "../../x", None)],
    "instant": [("null", None, None), ("year 1900", dt.datetime(1900, 1, 1, tzinfo=dt.UTC), None),
                ("next week", FUTURE, None)],
}  # fmt: skip
# values no declared rule speaks of: an unbounded whole number, free text
FREE = {("weather", "year"), ("flights", "tailnum")}
SIGNED = {"dep_delay", "arr_delay"}  # have no unsigned form


def bad_cells() -> Iterator[tuple[str, str, str, object, pa.DataType | None]]:
    for table in FLIGHT_DELAYS.tables[:2]:
        for column in table.columns:
            for label, value, kind in BAD_VALUES[column.kind.value]:
                nullable = column.nullable and column.name not in table.key
                if kind == pa.uint64() and column.name in SIGNED:
                    continue
                if (value is None and nullable) or (table.name, column.name) in FREE:
                    continue
                yield table.name, column.name, label, value, kind


@pytest.mark.parametrize(("table", "column", "label", "value", "kind"), list(bad_cells()))
def test_a_bad_value_is_quarantined_and_nothing_is_lost(
    week: dict[str, pa.Table], untouched: dict[str, Validated],
    table: str, column: str, label: str, value: object, kind: pa.DataType | None,
) -> None:  # fmt: skip
    broken = with_value(week[table], column, 7, value, kind)
    before, after = untouched[table], judged(week | {table: broken})[table]

    assert 7 in after.quarantined["row"].to_pylist()
    assert after.quarantined.num_rows == before.quarantined.num_rows + 1
    assert after.clean.num_rows + after.quarantined.num_rows == broken.num_rows


def test_bytes_that_are_no_utf8_are_quarantined(week: dict[str, pa.Table]) -> None:
    carriers = [value.encode() for value in week["flights"]["carrier"].to_pylist()]
    carriers[5] = b"\xed\xa0\x80"  # a lone surrogate
    raw = pa.array(carriers, pa.binary())
    broken = pa.StringArray.from_buffers(len(raw), raw.buffers()[1], raw.buffers()[2])
    position = week["flights"].column_names.index("carrier")
    flights = judged(week | {"flights": week["flights"].set_column(position, "carrier", broken)})["flights"]

    assert flights.quarantined["row"].to_pylist() == [5]
    assert "carrier is not valid UTF-8" in flights.quarantined["reasons"][0].as_py()


def test_nan_is_how_numpy_says_null(week: dict[str, pa.Table]) -> None:
    weather = with_value(week["weather"], "pressure", 0, float("nan"))

    assert judged(week | {"weather": weather})["weather"].clean["pressure"][0].as_py() is None


def test_an_exact_repeat_is_quarantined_and_the_first_stays(week: dict[str, pa.Table]) -> None:
    twice = pa.concat_tables([week["flights"], week["flights"].slice(10, 2)])
    flights = judged(week | {"flights": twice})["flights"]

    assert flights.passed
    assert flights.quarantined["row"].to_pylist() == [800, 801]
    assert flights.clean.num_rows == 800


def test_two_different_rows_of_one_key_refuse_the_table(week: dict[str, pa.Table]) -> None:
    other = with_value(week["flights"].slice(10, 1), "dep_delay", 0, 999)
    flights = judged(week | {"flights": pa.concat_tables([week["flights"], other])})["flights"]

    assert failed(flights) == ["unique_key"]
    assert sentence(flights, "unique_key").startswith("2 rows share a key (year, month, day, carrier, flight, origin)")


# --- bad tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop_columns(["dep_delay"]), "columns ['dep_delay'] are missing"),
        (lambda t: t.rename_columns(["Year", *t.column_names[1:]]), "renamed to one of ['Year']?"),
        (lambda t: t.append_column("surprise", pa.nulls(t.num_rows)), "columns ['surprise'] are not declared"),
        (lambda t: t.set_column(0, "year", t["year"].cast(pa.string())), "'year' holds string, declared int"),
        (lambda t: t.set_column(18, "time_hour", t["time_hour"].cast(pa.timestamp("us"))), "with a time zone"),
        (lambda t: t.slice(0, 0), "0 clean rows"),
        (lambda t: t.slice(0, 100), "100 clean rows, at least 500 asked"),
        (lambda t: t.set_column(8, "arr_delay", pa.nulls(t.num_rows, pa.int16())), "is null in 100.00% of the rows"),
        (lambda t: t.set_column(12, "origin", pa.array(["LAX"] * t.num_rows)), "rows quarantined (100.00%)"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_in_words(
    week: dict[str, pa.Table], change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    flights = judged(week | {"flights": change(week["flights"])})["flights"]

    assert not flights.passed
    assert said in " ".join(rule.sentence for rule in flights.rules if not rule.passed)


def test_a_row_of_another_week_is_quarantined() -> None:
    tables = landed("2013-02-11")
    late = pa.concat_tables([tables["flights"], landed("2013-02-18")["flights"].slice(0, 3)])
    flights = judged(tables | {"flights": late})["flights"]

    assert flights.quarantined.num_rows == 3
    assert "lies outside the week of 2013-02-11" in flights.quarantined["reasons"][0].as_py()


def test_a_value_known_after_everyone_stopped_looking_is_quarantined() -> None:
    hasty = dataclasses.replace(FLIGHT_DELAYS.request_table, late_by=dt.timedelta(0))
    use_case = dataclasses.replace(FLIGHT_DELAYS, tables=(hasty, *FLIGHT_DELAYS.tables[1:]))
    flights = validate(use_case, landed("2013-02-11"), "2013-02-11")["flights"]

    assert flights.quarantined.num_rows > 10  # Sunday evening's flights land on Monday
    assert "outcome_utc is more than 0:00:00 after the week" in flights.quarantined["reasons"][0].as_py()


def test_row_order_and_chunks_change_nothing(week: dict[str, pa.Table]) -> None:
    order = np.random.default_rng(3).permutation(800)
    shuffled = week["flights"].take(pa.array(order))
    chunked = pa.concat_tables([shuffled.slice(0, 33), shuffled.slice(33)])
    key = [(name, "ascending") for name in FLIGHT_DELAYS.request_table.key]

    plain, mixed = judged(week)["flights"].clean, judged(week | {"flights": chunked})["flights"].clean
    assert plain.sort_by(key).combine_chunks() == mixed.sort_by(key).combine_chunks()


def test_the_rules_of_a_table_are_those_it_answers() -> None:
    for name, verdict in judged(landed("2013-02-11")).items():
        assert tuple(rule.rule for rule in verdict.rules) == rule_names(FLIGHT_DELAYS.table(name))
