"""The axis of a replay's pictures: whole weeks from a Monday, and nothing beyond its ends."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.plots.lanes import LETTER, Axis, Lane, axis_of, chart, moment, short
from mlops_assets.declare.errors import DataError


def labels(axis: Axis) -> list[tuple[float, str]]:
    """Where the ruler names its weeks, and how."""
    found = re.findall(r'<text x="([\d.]+)" y="11" class="month">(.*?)</text>', chart(axis, [], ""))
    return [(float(x), said) for x, said in found]


def test_an_axis_begins_with_the_monday_of_its_first_week_and_has_all_of_its_last() -> None:
    axis = axis_of(["2013-03-06", "2013-12-30"])

    assert (axis.first.date().isoformat(), axis.weeks) == ("2013-03-04", 44)
    assert axis.at("2013-03-04") == 0 and axis.at("2014-01-06") == axis.width


def test_what_lies_outside_stands_at_the_edge() -> None:
    axis = axis_of(["2013-03-04", "2013-03-11"])

    assert axis.at("2012-01-01") == 0
    assert axis.at("2026-11-23T22:00:00Z") == axis.width


def test_an_instant_may_be_of_any_zone_and_a_date_is_utc() -> None:
    assert moment("2013-03-04T02:00:00+02:00") == moment("2013-03-04") == moment("2013-03-04T00:00:00Z")


@pytest.mark.parametrize("text", ["", "soon", "2013-13-01"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="ISO 8601"):
        moment(text)


@given(st.integers(1, 160))
def test_labels_of_the_ruler_never_touch_and_stay_in_the_picture(weeks: int) -> None:
    first = moment("2013-03-04").toordinal()
    axis = axis_of(["2013-03-04", moment("2013-03-04").fromordinal(first + 7 * (weeks - 1)).date().isoformat()])
    found = labels(axis)

    assert axis.weeks == weeks and found[0][0] == 0
    assert all(x + LETTER * len(said) < following for (x, said), (following, _) in pairwise(found))
    assert found[-1][0] + LETTER * len(found[-1][1]) <= axis.width + 8 or weeks == 1


def test_few_weeks_are_named_by_their_day_and_many_by_their_month() -> None:
    assert [said for _, said in labels(axis_of(["2013-03-04", "2013-03-18"]))] == ["4 Mar", "11 Mar", "18 Mar"]
    months = [said for _, said in labels(axis_of(["2013-10-07", "2014-04-21"]))]
    assert months == ["Oct 2013", "Nov", "Dec", "Jan 2014", "Feb", "Mar", "Apr"]


def test_lanes_lie_below_each_other_and_a_name_too_long_for_its_place_is_whole_when_pointed_at() -> None:
    long = "carrier_mean_delay_of_the_last_28_days"
    drawn = chart(
        axis_of(["2013-03-04"]), [Lane(name="a", height=20, drawn=()), Lane(name=long, height=9, drawn=())], ""
    )

    assert re.findall(r"translate\(0 (\d+)\)", drawn) == ["22", "46"]
    assert f"{short(long, 24)}<title>{long}</title>" in drawn
