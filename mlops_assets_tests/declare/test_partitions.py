"""The axis of weeks: which keys exist, when a week begins, and what is said of a key that does not exist."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.declare import DataError, DeclarationError, Weekly

NEW_YORK = "America/New_York"
YEAR = Weekly(start="2012-12-31", end="2014-01-06", timezone=NEW_YORK)
OPEN = Weekly(start="2013-01-07", timezone=NEW_YORK)


def new_york(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(NEW_YORK))  # type: ignore[misc, arg-type]  # year, month, day and more


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"start": "2013-01-08"}, "start == '2013-01-08', is not a Monday: weeks are ISO weeks: name one by its Mond"),
        ({"start": "2013-02-30"}, "start == '2013-02-30', is not a date: write it like '2013-01-07'."),
        ({"start": "next week"}, "start == 'next week', is not a date"),
        ({"start": "2013-W02-1"}, "start == '2013-W02-1', is not how a key is written: write '2013-01-07'."),
        ({"start": "20130107"}, "start == '20130107', is not how a key is written: write '2013-01-07'."),
        ({"start": None}, "start == None, is not a date"),
        ({"start": date(2013, 1, 7)}, "start == datetime.date(2013, 1, 7), is not how a key is written"),
        ({"end": "2014-01-07"}, "end == '2014-01-07', is not a Monday"),
        ({"end": "2013-01-07"}, "end == '2013-01-07', must come after start == '2013-01-07': it is exclusive."),
        ({"end": "2012-12-31"}, "end == '2012-12-31', must come after start"),
    ],
)
def test_an_axis_that_cannot_be_true_is_refused_with_place_value_rule_and_remedy(wrong: Any, said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        Weekly(**{"start": "2013-01-07", **wrong})

    assert str(refused.value).startswith(f"Weekly: {said}")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "America", "../../etc/passwd", "x" * 300, "a\0b", None, 5])
def test_a_zone_that_does_not_exist_is_refused(zone: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Weekly: timezone == .*is no IANA zone: e\.g\. 'America/New_York'\."):
        Weekly(start="2013-01-07", timezone=zone)


def test_an_axis_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        YEAR.start = "2013-01-07"  # type: ignore[misc]  # the point of the test


def test_the_keys_are_all_mondays_from_start_to_end_without_the_end() -> None:
    keys = YEAR.keys()

    assert (len(keys), keys[0], keys[-1]) == (53, "2012-12-31", "2013-12-30")
    assert {date.fromisoformat(key).weekday() for key in keys} == {0}
    assert list(keys) == sorted(set(keys))


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (new_york(2013, 1, 7), None),
        (new_york(2013, 1, 13, 23, 59), None),
        (new_york(2013, 1, 14), "2013-01-07"),
        (datetime(2013, 1, 14, 4, 59, tzinfo=UTC), None),  # still Sunday in New York
        (datetime(2013, 1, 14, 5, 0, tzinfo=UTC), "2013-01-07"),
        (new_york(2013, 2, 1), "2013-01-21"),
    ],
)
def test_a_week_exists_once_it_is_over_where_it_is_counted(now: datetime, last: str | None) -> None:
    keys = OPEN.keys(now)

    assert (keys[-1] if keys else None) == last


def test_a_week_of_the_future_does_not_exist_even_before_the_end_of_the_axis() -> None:
    now = new_york(2013, 3, 6)

    assert YEAR.keys(now)[-1] == "2013-02-25"
    assert YEAR.keys(new_york(2030, 1, 1)) == YEAR.keys()
    with pytest.raises(DataError, match=r"key '2013-03-04' does not exist: keys are Mondays '2012-12-31' \.\. '2013-0"):
        YEAR.check("2013-03-04", now)
    assert YEAR.check("2013-03-04") == "2013-03-04"


def test_before_the_axis_begins_there_is_no_key() -> None:
    assert OPEN.keys(new_york(2012, 1, 1)) == ()
    with pytest.raises(DataError, match=r"keys are Mondays none yet \(0 weeks\)"):
        OPEN.check("2013-01-07", new_york(2012, 1, 1))


def test_an_axis_without_an_end_asks_for_the_present_moment() -> None:
    with pytest.raises(ValueError, match="an axis without an end needs the present moment"):
        OPEN.keys()


@pytest.mark.parametrize(
    ("key", "week"),
    [
        ("2013-01-09", "2013-01-07"),
        ("2013-01-13", "2013-01-07"),
        ("20130107", "2013-01-07"),
        ("2014-01-05", "2013-12-30"),
    ],
)
def test_a_day_is_told_which_week_it_lies_in(key: str, week: str) -> None:
    with pytest.raises(DataError) as refused:
        YEAR.check(key)

    assert str(refused.value) == (
        f"partition key '{key}' does not exist: keys are Mondays '2012-12-31' .. '2013-12-30' (53 weeks); "
        f"that day lies in week '{week}'. Nothing was run."
    )


@pytest.mark.parametrize(
    "key", ["2012-12-24", "2014-01-06", "2031-01-06", "../../etc", "week one", "", "2013-02-30", "é"]
)
def test_a_key_far_from_the_axis_is_told_which_keys_exist(key: str) -> None:
    with pytest.raises(DataError, match=r"'2012-12-31' \.\. '2013-12-30' \(53 weeks\)\. Nothing was run\."):
        YEAR.check(key)


@pytest.mark.parametrize(
    ("key", "begin", "end", "length"),
    [
        ("2013-01-07", "2013-01-07T05:00:00+00:00", "2013-01-14T05:00:00+00:00", 168),
        ("2013-03-04", "2013-03-04T05:00:00+00:00", "2013-03-11T04:00:00+00:00", 167),  # the clocks go forward
        ("2013-03-11", "2013-03-11T04:00:00+00:00", "2013-03-18T04:00:00+00:00", 168),
        ("2013-10-28", "2013-10-28T04:00:00+00:00", "2013-11-04T05:00:00+00:00", 169),  # and back
    ],
)
def test_a_week_is_as_long_as_its_clocks_say(key: str, begin: str, end: str, length: int) -> None:
    first, after = YEAR.bounds(key)

    assert (first.isoformat(), after.isoformat()) == (begin, end)
    assert after - first == timedelta(hours=length)


def test_the_weeks_touch_and_do_not_overlap() -> None:
    keys = YEAR.keys()

    assert all(YEAR.bounds(mine)[1] == YEAR.bounds(following)[0] for mine, following in pairwise(keys))


@pytest.mark.parametrize(
    ("key", "weeks", "there"),
    [
        ("2013-03-04", 1, "2013-03-11"),  # over the change of the clocks
        ("2013-10-28", 1, "2013-11-04"),
        ("2013-03-11", -1, "2013-03-04"),
        ("2012-12-31", -1, "2012-12-24"),  # outside of the axis: the caller asks `check`
        ("2013-12-30", 10, "2014-03-10"),
        ("2013-01-07", 0, "2013-01-07"),
    ],
)
def test_a_shift_counts_weeks_and_not_hours(key: str, weeks: int, there: str) -> None:
    assert YEAR.shift(key, weeks) == there
    assert YEAR.shift(there, -weeks) == key


@given(
    moment=st.datetimes(datetime(2013, 1, 1), datetime(2013, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(["UTC", NEW_YORK, "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"]),
)
def test_every_moment_lies_in_exactly_the_week_of_its_local_monday(moment: datetime, zone: str) -> None:
    axis = Weekly(start="2012-12-31", end="2014-01-06", timezone=zone)
    local = moment.astimezone(ZoneInfo(zone)).date()
    monday = (local - timedelta(days=local.weekday())).isoformat()
    weeks = (YEAR.shift(monday, n) for n in (-1, 0, 1))

    assert [key for key in weeks if axis.bounds(key)[0] <= moment < axis.bounds(key)[1]] == [monday]
