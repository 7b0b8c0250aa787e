"""A flight as single events tell it: what the timetable says, its departure, its landing."""

from typing import Any

import pyarrow as pa

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.validation.told import Told, tell
from mlops_assets.declare import Table
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import NOON

WEEK = "2013-01-07"
FLIGHTS = FLIGHT_DELAYS.table("flights")
AIRPORTS = {"airports": pa.table({"faa": ["IAH"], "tzone": ["America/Chicago"]})}
KEY = {"year": 2013, "month": 1, "day": 8, "carrier": "UA", "flight": 1545, "origin": "EWR"}
TIMETABLE = {
    **KEY, "sched_dep_time": 515, "sched_arr_time": 819, "tailnum": "N14228", "dest": "IAH", "distance": 1400,
    "hour": 5, "minute": 15, "time_hour": "2013-01-08T10:00:00+00:00",
}  # fmt: skip
DEPARTURE = {**KEY, "dep_time": 517, "dep_delay": 2}
LANDING = {**KEY, "arr_time": 830, "air_time": 227, "arr_delay": 11}
ARRIVED = instant_us(NOON.replace(month=1, day=8))


def told(*events: dict[str, Any], table: Table = FLIGHTS, arrived: int = ARRIVED) -> Told:
    """What is known of a row after these events, a second apart."""
    known = Told()
    for number, event in enumerate(events):
        known = tell(table, known, event, arrived + number * 1_000_000)
    return known
