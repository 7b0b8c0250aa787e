"""The shipped flights as they are after validation, prepared independently of the validation room.

Derived columns come from pandas and its own time zone arithmetic, row groups by zone: an oracle for the code that makes
them in the pipeline. Only the tests use it.
"""

from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.declare import Kind
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

LANDING = Path(__file__).resolve().parents[3] / "data" / "landing" / "flight_delays"
CARIBBEAN = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
ARROW = {
    Kind.INT: pa.int64(), Kind.CLOCK: pa.int64(), Kind.FLOAT: pa.float64(), Kind.STRING: pa.string(),
    Kind.BOOL: pa.bool_(), Kind.INSTANT: pa.timestamp("us", "UTC"),
}  # fmt: skip


def landed(name: str, weeks: tuple[str, ...] | None) -> pd.DataFrame:
    """A landed table as a frame with nullable types; a weekly one for these weeks (None: all)."""
    files = [LANDING / f"{name}.parquet"]
    if not files[0].exists():
        files = [LANDING / name / f"{week}.parquet" for week in weeks or FLIGHT_DELAYS.partitions.keys()]
    rows = pa.concat_tables([pq.read_table(file) for file in files])
    return rows.to_pandas(types_mapper={pa.int16(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype()}.get)


def validated(name: str, frame: pd.DataFrame) -> pa.Table:
    """The frame with exactly the declared columns and Arrow types."""
    table = FLIGHT_DELAYS.table(name)
    columns = {column: pa.array(frame[column], from_pandas=True) for column in table.kinds}
    return pa.table({column: values.cast(ARROW[table.kinds[column]]) for column, values in columns.items()})


def scheduled_arrival(frame: pd.DataFrame) -> pd.Series:
    """The next time the scheduled wall clock shows at the destination."""
    zones = landed("airports", None).set_index("faa")["tzone"].to_dict() | CARIBBEAN
    arrivals = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    for zone, rows in frame.groupby(frame["dest"].map(zones)):
        leaves = rows["sched_dep_utc"].dt.tz_convert(zone)
        clock = rows["sched_arr_time"].astype("int64") % 2400
        past_midnight = pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
        wall = leaves.dt.tz_localize(None).dt.normalize() + past_midnight
        wall = wall.where(wall >= leaves.dt.tz_localize(None), wall + pd.Timedelta(days=1))
        lands = wall.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")  # True: the first of the two
        arrivals.loc[rows.index] = lands.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return arrivals


@cache
def flights(weeks: tuple[str, ...] | None = None) -> pa.Table:
    """Validated rows of the flights of these weeks (None: the year)."""
    frame = landed("flights", weeks).reset_index(drop=True)
    minutes = {name: pd.to_timedelta(frame[name], unit="min") for name in ("minute", "dep_delay", "arr_delay")}
    frame["sched_dep_utc"] = frame["time_hour"] + minutes["minute"]
    frame["asked_utc"] = frame["sched_dep_utc"] - pd.Timedelta(hours=2)
    frame["dep_utc"] = frame["sched_dep_utc"] + minutes["dep_delay"]
    frame["sched_arr_utc"] = scheduled_arrival(frame)
    frame["arr_utc"] = frame["sched_arr_utc"] + minutes["arr_delay"]
    frame["cancelled"] = frame["dep_time"].isna()
    frame["outcome_utc"] = frame["arr_utc"]
    never = frame["arr_utc"].isna()
    frame.loc[never, "outcome_utc"] = frame["sched_arr_utc"] + pd.Timedelta(hours=6)
    frame.loc[frame["cancelled"], "outcome_utc"] = frame["sched_dep_utc"] + pd.Timedelta(hours=3)
    frame["late"] = (frame["arr_delay"] > 15).astype("boolean")
    return validated("flights", frame)


@cache
def weather(weeks: tuple[str, ...] | None = None) -> pa.Table:
    """Validated rows of the weather of these weeks, without the one row of 1048 mph."""
    frame = landed("weather", weeks)
    frame = frame[~(frame["wind_speed"] > 253)].reset_index(drop=True)
    frame["published_utc"] = frame["time_hour"] + pd.Timedelta(hours=1)
    return validated("weather", frame)


@cache
def history(weeks: tuple[str, ...] | None = None) -> dict[str, pa.Table]:
    """All tables of the use case for these weeks (None: the year)."""
    static = {name: validated(name, landed(name, None)) for name in ("planes", "airports")}
    return {"flights": flights(weeks), "weather": weather(weeks), **static}


def week_and_history(week: str) -> tuple[pa.Table, dict[str, pa.Table]]:
    """The requests of one week, and everything its features may read."""
    axis = FLIGHT_DELAYS.partitions
    back = [axis.shift(week, -n) for n in range(FLIGHT_DELAYS.lookback_weeks, -1, -1)]
    return flights((week,)), history(tuple(key for key in back if key >= axis.start))


@pytest.fixture(scope="session")
def july() -> tuple[pa.Table, dict[str, pa.Table]]:
    """The week of 8 July 2013: the golden flight, thunderstorms, late aircraft."""
    return week_and_history("2013-07-08")
