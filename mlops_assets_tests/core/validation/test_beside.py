"""Rows told by events beside a file's: every row is kept, refused with its reason, or waits for what it lacks."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.core.validation.events import told_table
from mlops_assets.core.validation.gate import Validated, judge
from mlops_assets.core.validation.told import Told, tell
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import NOON, VISITS, use_case, visit
from mlops_assets_tests.core.validation.departures import AIRPORTS, ARRIVED, DEPARTURE, FLIGHTS, LANDING, TIMETABLE
from mlops_assets_tests.core.validation.departures import WEEK as FLOWN
from mlops_assets_tests.core.validation.departures import told as told_flight

DAILY = dataclasses.replace(VISITS, day="asked", late_by=timedelta(days=1), max_quarantined_share=0.9)
SHOP = use_case(visits=DAILY)
WEEK = "2013-07-08"
ALWAYS = ("shop", "number", "who", "size", "asked")
DONE, PAID = ("done", "amount", "happy"), ("paid", "price", "note")
T = instant_us(NOON)
Row = dict[str, Any]


def file_of(*rows: Row) -> pa.Table:
    return pa.table({c.name: pa.array([r.get(c.name) for r in rows], ARROW[c.kind]) for c in DAILY.columns})


def told(row: Row, *groups: tuple[str, ...]) -> Told:
    """What events told of a row, a group a minute from noon on."""
    known = Told()
    for number, group in enumerate(groups):
        event = {n: row.get(n) for n in (*DAILY.key, *group)}
        known = tell(DAILY, known, event, T + number * 60_000_000)
    return known


def judged(landed: pa.Table, *rows: Told) -> Validated:
    return judge(SHOP, DAILY, landed, {}, WEEK, told_table(DAILY, rows))


def clean(verdict: Validated) -> dict[int, Row]:
    return {row["number"]: row for row in verdict.clean.to_pylist()}


def arrivals(row: Row) -> list[int | None]:
    return [None if (at := row[f"arrived@{g}"]) is None else instant_us(at) - T for g in ("always", "done", "paid")]


FULL = visit(1, 0, 5, 9, amount=3, happy=True, price=2.5, note="x")
OTHER = visit(2, 1, 6, amount=4, happy=False)


def test_a_files_row_keeps_the_arrivals_of_the_events_that_told_it_first() -> None:
    verdict = judged(file_of(FULL, OTHER), told(FULL, ALWAYS, DONE))

    rows = clean(verdict)
    assert (arrivals(rows[1]), arrivals(rows[2])) == ([0, 60_000_000, None], [None, None, None])
    assert {name: rows[1][name] for name in FULL} == FULL


def test_a_row_that_only_events_told_counts_like_a_landed_one() -> None:
    verdict = judged(file_of(OTHER), told(FULL, ALWAYS, DONE, PAID))

    assert {name: clean(verdict)[1][name] for name in FULL} == FULL
    assert verdict.quarantined.num_rows == 0


def test_a_landed_row_that_differs_from_what_an_event_told_first_is_quarantined_and_the_events_row_stands() -> None:
    verdict = judged(file_of(FULL | {"amount": 7, "note": None}, OTHER), told(FULL, ALWAYS, DONE))

    row = clean(verdict)[1]
    assert (row["amount"], row["note"], arrivals(row)) == (3, None, [0, 60_000_000, None])
    assert verdict.quarantined["amount"].to_pylist() == [7]
    assert verdict.quarantined["reasons"].to_pylist() == ["amount differs from what an event told first (met 7)"]


def test_a_null_in_the_file_differs_from_a_told_value_and_a_told_null_from_a_value() -> None:
    nothing = FULL | {"amount": None}

    assert judged(file_of(nothing), told(FULL, ALWAYS, DONE)).quarantined.num_rows == 1
    assert judged(file_of(FULL), told(nothing, ALWAYS, DONE)).quarantined.num_rows == 1
    assert judged(file_of(nothing), told(nothing, ALWAYS, DONE)).quarantined.num_rows == 0


def test_what_no_event_told_yet_is_null_with_all_that_derives_from_it() -> None:
    rows = told_table(FLIGHTS, [told_flight(TIMETABLE)])
    landed = rows.select([c.name for c in FLIGHTS.columns]).slice(0, 0)
    verdict = judge(FLIGHT_DELAYS, FLIGHTS, landed, AIRPORTS, FLOWN, rows)

    (row,) = verdict.clean.to_pylist()
    assert row["sched_dep_utc"] == datetime(2013, 1, 8, 10, 15, tzinfo=UTC)
    assert [row[name] for name in ("dep_time", "dep_utc", "arr_utc", "outcome_utc", "late", "cancelled")] == [None] * 6
    assert row["arrived@always"] == moment(ARRIVED)


def test_a_flight_told_to_its_end_is_what_a_file_makes_of_it() -> None:
    rows = told_table(FLIGHTS, [told_flight(TIMETABLE, DEPARTURE, LANDING)])
    landed = rows.select([c.name for c in FLIGHTS.columns])
    by_events = judge(FLIGHT_DELAYS, FLIGHTS, landed.slice(0, 0), AIRPORTS, FLOWN, rows)
    by_file = judge(FLIGHT_DELAYS, FLIGHTS, landed, AIRPORTS, FLOWN)

    assert by_events.clean.select(by_file.clean.column_names).to_pylist() == by_file.clean.to_pylist()


def test_a_row_of_which_a_column_that_may_not_be_null_is_not_told_waits() -> None:
    columns = tuple(dataclasses.replace(c, nullable=c.name != "price" and c.nullable) for c in DAILY.columns)
    strict = dataclasses.replace(DAILY, columns=columns)
    waiting = told_table(strict, [told(FULL, ALWAYS, DONE)])
    alone = judge(use_case(visits=strict), strict, file_of(), {}, WEEK, waiting)
    landed = judge(use_case(visits=strict), strict, file_of(FULL), {}, WEEK, waiting)

    assert (alone.clean.num_rows, alone.quarantined.num_rows) == (0, 0)
    assert arrivals(landed.clean.to_pylist()[0]) == [0, 60_000_000, None]


def test_without_events_the_columns_are_the_declared_ones() -> None:
    assert judged(file_of(FULL)).clean.column_names == list(DAILY.kinds)
    assert judge(SHOP, DAILY, file_of(FULL), {}, WEEK).clean.equals(judged(file_of(FULL)).clean)


def test_a_quarantined_row_is_numbered_among_the_landed_and_then_the_told() -> None:
    late = visit(3, 0, done=-5, amount=1)
    verdict = judged(file_of(OTHER, FULL | {"size": 8}, OTHER), told(FULL, ALWAYS))

    assert verdict.quarantined["row"].to_pylist() == [1, 2]
    assert judged(file_of(late)).quarantined["row"].to_pylist() == [0]


LANDS_AS = [
    ("shop", pa.dictionary(pa.int32(), pa.string())), ("shop", pa.large_string()), ("shop", pa.string_view()),
    ("asked", pa.timestamp("us", "America/New_York")), ("asked", pa.timestamp("ns", "UTC")),
    ("asked", pa.timestamp("s", "Europe/London")), ("size", pa.float64()), ("size", pa.int8()), ("size", pa.uint64()),
    ("price", pa.float32()), ("price", pa.int64()), ("price", pa.null()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), LANDS_AS, ids=str)
def test_told_rows_go_beside_a_file_in_whatever_arrow_type_its_columns_came(name: str, kind: pa.DataType) -> None:
    row = FULL | {"price": None if pa.types.is_null(kind) else 2.0}
    landed = file_of(row)
    column = pa.nulls(1) if pa.types.is_null(kind) else landed[name].cast(kind)
    landed = landed.set_column(landed.column_names.index(name), name, column)
    verdict = judged(landed, told(row, ALWAYS), told(OTHER | {"size": 300}, ALWAYS, DONE))

    assert verdict.quarantined.num_rows == 0
    assert {n: clean(verdict)[1][n] for n in row} == row
    assert clean(verdict)[2]["size"] == 300


VISIT = st.builds(
    visit, st.integers(1, 4), st.integers(-2, 2), st.sampled_from([None, -3, 3, 4]), st.sampled_from([None, 5]),
    amount=st.sampled_from([None, 1, 2]), note=st.sampled_from([None, "x"]), size=st.sampled_from([1, 2, None]),
)  # fmt: skip


def groups_of(row: Row) -> list[tuple[tuple[str, ...], ...]]:
    """The ways in which events may have told the row so far; none when they may not."""
    if row["size"] is None or (row["done"] is not None and row["done"] <= row["asked"]):
        return []
    return [(ALWAYS,), (ALWAYS, DONE), (ALWAYS, PAID), (ALWAYS, DONE, PAID)]


@given(st.lists(VISIT, max_size=6), st.lists(VISIT, max_size=4, unique_by=lambda row: row["number"]), st.data())
def test_every_row_is_clean_or_quarantined_and_no_told_row_is_lost(
    landed: list[Row], events: list[Row], data: st.DataObject
) -> None:
    known = [told(row, *data.draw(st.sampled_from(ways))) for row in events if (ways := groups_of(row))]
    verdict = judged(file_of(*landed), *known)

    beside = verdict.clean.num_rows + verdict.quarantined.num_rows - len(landed)
    standing = [row for row in verdict.clean.to_pylist() if row.get("arrived@always") is not None]
    assert 0 <= beside <= len(known)
    for one in known:
        mine = [row for row in standing if row["number"] == one.values["number"]]
        assert mine
        for row in mine:
            for group, names in (("always", ALWAYS), ("done", DONE), ("paid", PAID)):
                if group in one.arrived:
                    assert row[f"arrived@{group}"] == moment(int(one.arrived[group] or 0))
                    plain = {n: row[n].isoformat() if isinstance(row[n], datetime) else row[n] for n in names}
                    assert plain == {n: one.values[n] for n in names}


def test_a_told_row_stands_where_the_files_is_refused_for_another_reason() -> None:
    broken = {**FULL, "paid": None, "price": None, "note": None, "done": FULL["asked"] - timedelta(days=40)}
    refused = judged(file_of(broken, OTHER), told(FULL, ALWAYS))

    assert {**refused.by_rule} and refused.quarantined.num_rows == 1
    assert arrivals(clean(refused)[1]) == [0, None, None]
