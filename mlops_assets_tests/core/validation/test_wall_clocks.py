"""Times that land without a zone: read by the clocks of the zone their column declares, never guessed."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.arrow_types import ARROW, landed_type
from mlops_assets.core.validation.conform import conform, schema_problems
from mlops_assets.core.validation.instants import from_wall_clock
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import ALWAYS, Column, DataError, Kind, Table
from mlops_assets.stores.files import parsed_table

AT = Column(name="at", kind=Kind.INSTANT, known_at=ALWAYS, zone="Europe/London")
TABLE = Table(name="readings", landing="readings/{partition}.csv", key=("at",), columns=(AT,))
NAIVE = pa.timestamp("us")


def conformed(values: pa.Array, table: Table = TABLE) -> tuple[list[dt.datetime | None], dict[int, str]]:
    reasons = Reasons(len(values))
    rows = conform(table, pa.table({"at": values}), reasons)
    assert rows.schema.field("at").type == ARROW[Kind.INSTANT]
    return rows["at"].to_pylist(), {row: reasons.of(row) for row in range(len(values)) if reasons.bad[row]}


def test_a_time_of_summer_and_one_of_winter_become_the_instants_they_were() -> None:
    walls = [dt.datetime(2016, 10, 29, 12), dt.datetime(2016, 10, 31, 12), None]

    instants, refused = conformed(pa.array(walls, NAIVE))
    assert instants == [
        dt.datetime(2016, 10, 29, 11, tzinfo=dt.UTC),
        dt.datetime(2016, 10, 31, 12, tzinfo=dt.UTC),
        None,
    ]
    assert refused == {}


def test_a_time_that_the_clocks_skip_or_show_twice_is_its_rows_reason() -> None:
    walls = [dt.datetime(2016, 3, 27, 1, 30), dt.datetime(2016, 10, 30, 1, 30), dt.datetime(2016, 10, 30, 2)]

    instants, refused = conformed(pa.array(walls, NAIVE))
    assert instants == [None, None, dt.datetime(2016, 10, 30, 2, tzinfo=dt.UTC)]
    assert refused == {
        0: "at is a time that the clocks of Europe/London skip (met 2016-03-27T01:30:00)",
        1: "at is a time that the clocks of Europe/London show twice (met 2016-10-30T01:30:00)",
    }


def naive(wall: dt.datetime, zone: str) -> tuple[dt.datetime | None, bool, bool]:
    """Both readings of the wall time, there and back: neither leads back to a skipped one, both to a repeated one."""
    both = [wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
    back = [moment for moment in both if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall]
    return (back[0] if len(set(back)) == 1 else None), not back, len(set(back)) == 2


CHANGES = ("2016-03-27T01:00", "2016-10-30T01:00", "2016-04-03T02:00", "2016-10-02T02:00", "2016-11-06T01:00")
WALLS = st.one_of(
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),
    st.builds(
        lambda change, minutes: dt.datetime.fromisoformat(change) + dt.timedelta(minutes=minutes),
        st.sampled_from(CHANGES), st.integers(-90, 150),
    ),
)  # fmt: skip
ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia", "UTC")


@given(st.lists(WALLS, max_size=12), st.sampled_from(ZONES))
def test_every_wall_time_is_the_one_instant_at_which_it_was_shown(walls: list[dt.datetime], zone: str) -> None:
    moments, skipped, repeated = from_wall_clock(pa.array(walls, NAIVE), zone)

    assert list(zip(moments.to_pylist(), skipped.tolist(), repeated.tolist(), strict=True)) == [
        naive(wall, zone) for wall in walls
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_wall_clock_of_any_unit_is_read(unit: str) -> None:
    noon = pa.array([dt.datetime(2016, 7, 1, 12)], NAIVE).cast(pa.timestamp(unit))

    assert conformed(noon) == ([dt.datetime(2016, 7, 1, 11, tzinfo=dt.UTC)], {})


@pytest.mark.parametrize(
    ("zone", "wall", "refused"),
    [
        ("Asia/Tokyo", "1678-01-01T00:00", True),
        ("America/New_York", "2261-12-31T23:00", True),
        ("Asia/Tokyo", "1500-01-01T00:00", True),
        ("Asia/Tokyo", "9999-12-31T23:00", True),
        ("Asia/Tokyo", "1678-01-02T00:00", False),
    ],
)
def test_a_wall_clock_out_of_reach_refuses_its_row_once(zone: str, wall: str, refused: bool) -> None:
    table = replace(TABLE, columns=(replace(AT, zone=zone),))
    instants, why = conformed(pa.array([wall]).cast(NAIVE), table)

    assert (instants[0] is None) == refused
    assert list(why) == ([0] if refused else [])
    assert not refused or why[0].count("lies outside the years 1678 .. 2261 (met ") == 1


def test_with_a_zone_declared_a_time_that_brings_its_own_is_a_schema_problem_and_the_other_way_round() -> None:
    wall, instant = pa.table({"at": pa.array([0], NAIVE)}), pa.table({"at": pa.array([0], ARROW[Kind.INSTANT])})
    plain = replace(TABLE, columns=(replace(AT, zone=None),))

    assert schema_problems(TABLE, wall) == schema_problems(plain, instant) == []
    assert schema_problems(TABLE, instant) == [
        "column 'at' holds timestamp[us, tz=UTC], declared instant: must be times without a time zone, as its zone's "
        "clocks show them"
    ]
    assert "must be times with a time zone" in schema_problems(plain, wall)[0]


def test_a_csv_gives_a_wall_clock_as_it_stands_and_no_zone_beside_it() -> None:
    columns = {"at": landed_type(AT)}
    landed = parsed_table(b"at\n2016-07-01 12:00:00\n2016-12-01T12:00:00.5\n", "week.csv", columns=columns)

    assert schema_problems(TABLE, landed) == []
    assert conformed(landed["at"].combine_chunks())[0] == [
        dt.datetime(2016, 7, 1, 11, tzinfo=dt.UTC), dt.datetime(2016, 12, 1, 12, 0, 0, 500_000, tzinfo=dt.UTC),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"week\.csv' cannot be read as CSV"):
        parsed_table(b"at\n2016-07-01T12:00:00Z\n", "week.csv", columns=columns)
