"""The value of a later row: against an oracle of a dozen obvious lines, and behind the gate."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.validation import Validated, validate
from mlops_assets.core.validation.following import following
from mlops_assets.declare import ALWAYS, AtRequest, Compute, Derived, Following, Kind, Requests
from mlops_assets.use_cases.parking import PARKING

INSTANT = pa.timestamp("us", "UTC")
START = dt.datetime(2016, 10, 30, tzinfo=dt.UTC)
Row = dict[str, Any]


def minutes(n: int) -> dt.timedelta:
    return dt.timedelta(minutes=n)


# --- the search ----------------------------------------------------------------------------------------------------


def naive(rows: list[Row], rule: Following) -> list[Any]:
    """For each row the value of the first of all rows, by instant and then by key, that lies in reach."""
    found = []
    for row in rows:
        mine = [row[name] for name in rule.by]
        reached = [] if row["at"] is None or None in mine else [
            other for other in rows
            if other["at"] is not None and [other[name] for name in rule.by] == mine
            and row["at"] + rule.after <= other["at"] < row["at"] + rule.after + rule.within
        ]  # fmt: skip
        first = min(reached, key=lambda other: (other["at"], other["key"]), default=None)
        found.append(None if first is None else first[rule.column])
    return found


def table(rows: list[Row]) -> pa.Table:
    types = {"key": pa.int64(), "who": pa.string(), "floor": pa.int64(), "at": INSTANT, "value": pa.int64()}
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()})


CLOSE = st.none() | st.integers(0, 12).map(lambda n: START + minutes(n))
ROWS = st.lists(
    st.fixed_dictionaries({
        "who": st.none() | st.sampled_from("ab"), "floor": st.none() | st.integers(0, 1), "at": CLOSE,
        "value": st.none() | st.integers(0, 9),
    }), max_size=25,
).map(lambda rows: [row | {"key": (7 * place) % 26} for place, row in enumerate(rows)])  # fmt: skip
RULES = st.builds(
    Following,
    column=st.sampled_from(["value", "at", "who"]),
    by=st.sampled_from([("who",), ("who", "floor")]),
    at=st.just("at"),
    after=st.integers(1, 6).map(minutes),
    within=st.integers(1, 6).map(minutes),
)


@settings(max_examples=400)
@given(ROWS, RULES, st.randoms(use_true_random=False))
def test_it_is_what_the_naive_search_finds_in_any_order_of_the_rows(
    rows: list[Row], rule: Following, random: Any
) -> None:
    shuffled = random.sample(rows, len(rows))
    cut = len(rows) // 2
    chunks = pa.concat_tables([table(shuffled[:cut]), table(shuffled[cut:])])

    assert following(table(rows), rule, key=("key",)).to_pylist() == naive(rows, rule)
    assert following(chunks, rule, key=("key",)).to_pylist() == naive(shuffled, rule)


def test_of_several_rows_at_one_instant_the_least_key_is_taken() -> None:
    rows = [{"key": key, "who": "a", "floor": 0, "at": START + minutes(at), "value": value}
            for key, at, value in ((9, 0, 0), (3, 5, 33), (2, 5, 22), (1, 6, 11))]  # fmt: skip
    rule = Following(column="value", by=("who",), at="at", after=minutes(5), within=minutes(5))

    assert following(table(rows), rule, key=("key",)).to_pylist()[0] == 22


@pytest.mark.parametrize("ticks", [-(9 * 10**15), 9 * 10**15])
def test_instants_far_apart_are_found_like_near_ones(ticks: int) -> None:
    at = pa.array([0, ticks, ticks + 60_000_000], pa.int64()).cast(INSTANT)
    rows = pa.table({"key": [1, 2, 3], "who": ["a", "a", "a"], "at": at, "value": [1, 2, 3]})
    rule = Following(column="value", by=("who",), at="at", after=minutes(1), within=minutes(1))

    assert following(rows, rule, key=("key",)).to_pylist() == [None, 3, None]


# --- behind the gate: car parks in the week of 7 November 2016 -----------------------------------------------------

MONDAY = dt.datetime(2016, 11, 7)
LANDED = pa.schema([("SystemCodeNumber", pa.string()), ("Capacity", pa.int64()), ("Occupancy", pa.int64()),
                    ("LastUpdated", pa.timestamp("us"))])  # fmt: skip


def reading(park: str, minute: int, cars: int) -> Row:
    return {"SystemCodeNumber": park, "Capacity": 100, "Occupancy": cars, "LastUpdated": MONDAY + minutes(minute)}


def judged(rows: list[Row]) -> Validated:
    return validate(PARKING, {"readings": pa.Table.from_pylist(rows, LANDED)}, "2016-11-07")["readings"]


def content(verdict: Validated) -> list[Row]:
    return sorted(verdict.clean.to_pylist(), key=lambda row: (row["SystemCodeNumber"], row["LastUpdated"]))


WEEK_MIN = 7 * 24 * 60
GOOD = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 9).map(lambda n: WEEK_MIN - 100 + 10 * n)), st.integers(0, 120),
    min_size=1, max_size=12,
).map(lambda found: [reading(park, minute, cars) for (park, minute), cars in found.items()])  # fmt: skip
REFUSED = st.lists(
    st.one_of(
        st.builds(reading, st.sampled_from("ab"), st.integers(WEEK_MIN - 100, WEEK_MIN - 1), st.integers(-9, -1)),
        st.builds(reading, st.sampled_from("ab"), st.integers(WEEK_MIN, WEEK_MIN + 100), st.integers(0, 120)),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(GOOD, REFUSED, st.data())
def test_a_quarantined_row_changes_no_other_rows_label(
    good: list[Row], refused: list[Row], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(good), max_size=3))
    everything = data.draw(st.permutations([*good, *refused, *repeats]))
    verdict = judged(everything)

    assert content(verdict) == content(judged(good))
    assert verdict.quarantined.num_rows == len(refused) + len(repeats)


def test_over_the_end_of_the_week_there_is_no_label() -> None:
    verdict = judged(
        [reading("a", WEEK_MIN - 90, 10), reading("a", WEEK_MIN - 30, 20), reading("a", WEEK_MIN + 30, 30)]
    )

    assert [row["ratio_in_1h"] for row in content(verdict)] == [0.2, None]
    assert "LastUpdated lies outside the week" in verdict.quarantined["reasons"][0].as_py()


def test_a_question_that_a_later_row_could_answer_already_is_quarantined() -> None:
    """Asked an hour after the reading, when the next one that counts may be there."""

    def asked(at: pa.Array, cars: pa.Array) -> pa.Array:
        """The reading and as many minutes as there are cars."""
        late = np.array(cars.to_pylist(), "timedelta64[m]").astype("timedelta64[us]")
        return pc.add(at, pa.array(late, pa.duration("us")))

    readings = PARKING.request_table
    columns = tuple(replace(c, known_at=ALWAYS) for c in readings.columns)
    when = Derived(name="asked", rule=Compute(fn=asked, reads=("LastUpdated", "Occupancy")), known_at=ALWAYS)
    table = replace(readings, columns=columns, derived=(when, *readings.derived[1:-1],
                    replace(readings.derived[-1], name="later", kind=Kind.INT, decimals=None,
                            rule=replace(readings.derived[-1].rule, column="Occupancy"))))  # fmt: skip
    same = AtRequest(name="cars", fn=lambda value: value, reads=("Occupancy",), kind=Kind.INT)
    late = replace(PARKING, tables=(table,), requests=Requests(table="readings", as_of="asked"), features=(same,),
                   label=replace(PARKING.label, column="later"),
                   promotion=replace(PARKING.promotion, slices=()))  # fmt: skip
    rows = pa.Table.from_pylist([reading("a", 0, 49), reading("b", 0, 50), reading("b", 55, 1)], LANDED)
    verdict = validate(late, {"readings": rows}, "2016-11-07")["readings"]

    assert verdict.quarantined["SystemCodeNumber"].to_pylist() == ["b"]
    assert verdict.quarantined["reasons"][0].as_py() == (
        "asked must come before LastUpdated + 0:50:00, or the row sees its own outcome "
        "(met 2016-11-07T00:50:00+00:00 and 2016-11-07T00:00:00+00:00)"
    )
