"""The drift heat map: the most restless column first, and a cell for every week that was judged."""

import math
import re
from dataclasses import replace

from mlops_assets.core.plots.heatmap import by_drift, heat, heat_map
from mlops_assets.core.plots.lanes import axis_of
from mlops_assets_tests.core.accounts import account

YEAR = account()
WEEKS = YEAR.policies[0].weeks
AXIS = axis_of([YEAR.begin, YEAR.end])


def week(at: int, **drift: float):  # type: ignore[no-untyped-def]
    return replace(WEEKS[at], drift=drift, faults=())


def test_columns_come_by_how_often_they_drifted_then_how_far_then_by_name() -> None:
    weeks = [week(0, d=0.1, c=0.1, b=3.0, a=1.0), week(1, d=0.1, c=0.1, b=0.2, a=1.1)]

    assert by_drift(weeks) == [("a", 2), ("b", 1), ("c", 0), ("d", 0)]


def test_a_column_that_was_never_measured_is_none() -> None:
    assert by_drift([week(0, a=math.nan), week(1, b=math.inf)]) == [("b", 1)]


def test_at_its_threshold_a_column_has_drifted() -> None:
    assert [heat(ratio) for ratio in (-0.1, 0.49, 0.5, 0.999, 1.0, 1.5, 3.0, math.inf)] == [
        "h0", "h0", "h1", "h1", "h2", "h3", "h4", "h4",
    ]  # fmt: skip


def test_every_week_that_was_judged_is_a_cell_at_its_place_and_a_moved_one_says_how_far() -> None:
    weeks = [week(0, a=0.2), week(1), week(2, a=0.3), week(3, a=1.32)]
    picture = heat_map(weeks, by_drift(weeks), AXIS, faults=True)

    assert re.findall(r'd="([^"]*)" class="h0"', picture) == [f"M0 0h20v15h-20zM{2 * AXIS.step} 0h20v15h-20z"]
    assert re.findall(r"<path d=\"M(\d+) [^>]*class=\"h2\"><title>(.*?)</title>", picture) == [
        (str(3 * AXIS.step), f"a {weeks[3].week}: 1.32")
    ]


def test_a_broken_feed_is_marked_above_the_columns_where_it_is_asked_for() -> None:
    columns = by_drift(WEEKS)

    assert "2013-08-12: distance_miles: 1.61 times" in heat_map(WEEKS, columns, AXIS, faults=True)
    assert "feed fault" not in heat_map(WEEKS, columns, AXIS, faults=False)
    assert "feed fault" not in heat_map(WEEKS[:5], columns, AXIS, faults=True)
