"""Broken feeds of real flights: from the landing files through the gate to the report, and the year without any.

The score is a plain function of two features, so that a fault moves it as it would move a model's.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.drift import DriftReport, TableVerdict
from mlops_assets.core.features import feature_table
from mlops_assets.core.frames import to_frame
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.reference import judge_week, reference_profile
from mlops_assets.core.signals import Data
from mlops_assets.core.validation import validate
from mlops_assets.graph.features import history
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

LANDING = Path(__file__).parents[2] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()
Tables = dict[str, pa.Table]
Change = Callable[[pa.Table], pa.Table]


class Score:
    """High when the origin and the aircraft were late."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        late = [
            frame[name].to_numpy(dtype=np.float64, na_value=0.0) for name in ("origin_dep_delay_3h", "tail_last_delay")
        ]
        return 1 / (1 + np.exp(-np.nan_to_num(sum(late)) / 30))


SCORE: Any = Score()


def landed(week: str) -> Tables:
    return {t.name: pq.read_table(LANDING / t.landing.format(partition=week)) for t in FLIGHT_DELAYS.tables}


def clean_of(week: str) -> Tables:
    return {name: verdict.clean for name, verdict in validate(FLIGHT_DELAYS, landed(week), week).items()}


def features(week: str, clean: Mapping[str, Tables]) -> pd.DataFrame:
    first = max(0, WEEKS.index(week) - FLIGHT_DELAYS.lookback_weeks)
    looked_at = {w: tables for w, tables in clean.items() if WEEKS[first] <= w <= week}
    return to_frame(feature_table(FLIGHT_DELAYS, clean[week]["flights"], history(FLIGHT_DELAYS, looked_at)))


class World:
    """A reference of some weeks, and the week after them, whole or with one table of its landing changed."""

    def __init__(self, weeks: list[str]) -> None:
        self.clean = {week: clean_of(week) for week in weeks[:-1]}
        frames = {week: features(week, self.clean) for week in weeks[1:-1]}  # the first is history
        self.profile: ReferenceProfile = reference_profile(FLIGHT_DELAYS, frames, SCORE)
        self.week = weeks[-1]

    def refused(self, table: str, change: Change) -> str:
        """What the gate says of the changed table, when it does not pass."""
        tables = landed(self.week)
        verdict = validate(FLIGHT_DELAYS, {**tables, table: change(tables[table])}, self.week)[table]
        return " ".join(rule.sentence for rule in verdict.rules if not rule.passed)

    def frame(self, table: str, change: Change) -> pd.DataFrame:
        tables = landed(self.week)
        verdicts = validate(FLIGHT_DELAYS, {**tables, table: change(tables[table])}, self.week)
        assert all(verdict.passed for verdict in verdicts.values())
        return features(self.week, {**self.clean, self.week: {n: v.clean for n, v in verdicts.items()}})

    def judged(self, frame: pd.DataFrame) -> DriftReport:
        return judge_week(FLIGHT_DELAYS, self.profile, frame, SCORE, None)[0]


@pytest.fixture(scope="module")
def small() -> World:
    """Two weeks of reference: enough to name a fault, too few to calibrate a threshold."""
    return World(WEEKS[5:9])


@pytest.fixture(scope="module")
def whole() -> World:
    """Eight weeks, as a model has."""
    return World(WEEKS[0:10])


# --- what breaks ---------------------------------------------------------------------------------------------------


def put(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def times(name: str, factor: float) -> Change:
    def change(table: pa.Table) -> pa.Table:
        return put(table, name, pc.cast(pc.multiply(table[name], factor), table.schema.field(name).type, safe=False))

    return change


def emptied(name: str, share: float = 0.3) -> Change:
    def change(table: pa.Table) -> pa.Table:
        gone = pa.array(np.random.default_rng(1).random(len(table)) < share)
        return put(table, name, pc.if_else(gone, pa.scalar(None, table[name].type), table[name]))

    return change


def hung(name: str, value: Any) -> Change:
    return lambda table: put(table, name, pa.array([value] * len(table), table[name].type))


def clock_in_utc(table: pa.Table) -> pa.Table:
    local = table["sched_dep_time"].to_numpy()
    minute = (local // 100 * 60 + local % 100 + 300) % 1440
    return put(table, "sched_dep_time", pa.array(minute // 60 * 100 + minute % 60))


def hour_in_local_time(table: pa.Table) -> pa.Table:
    return put(table, "time_hour", pc.subtract(table["time_hour"], pa.scalar(5 * 3600 * 10**6, pa.duration("us"))))


def other_spelling(table: pa.Table) -> pa.Table:
    return put(table, "tailnum", pc.utf8_lower(table["tailnum"]))


def delays_in_seconds(table: pa.Table) -> pa.Table:
    return times("arr_delay", 60)(times("dep_delay", 60)(table))


NAMED = [  # table, change, columns, kind, in words
    ("flights", times("distance", 1.609344), ("distance",), "unit", "as if in kilometres"),
    ("flights", clock_in_utc, ("dep_minute",), "clock", "shifted by +300 min (+5 h)"),
    ("flights", hour_in_local_time, ("block_min",), "clock", "shifted by +300 min (+5 h)"),
    (
        "planes",
        other_spelling,
        ("plane_seats", "plane_year"),
        "join",
        "the join stopped matching",
    ),
    ("planes", emptied("year"), ("plane_year",), "missing", "the feed lost its values"),
    ("weather", times("wind_speed", 1.609344), ("wind_speed",), "unit", "as if in km/h"),
    ("weather", hung("humid", 61.5), ("humid",), "stuck", "100 % of the rows are 61.5"),
    ("flights", hung("distance", 733), ("distance",), "stuck", "100 % of the rows are 733"),
    ("flights", emptied("tailnum"), ("plane_seats", "plane_year"), "join", "the join matches less than it did"),
]
REFUSED = [  # table, change, what the gate says: these never reach a report
    ("flights", delays_in_seconds, "'arr_delay must be >= -180 min'"),
    ("flights", emptied("distance"), "'distance must not be null'"),
    ("flights", emptied("arr_delay", 0.7), "'arr_delay' is null in"),
    ("planes", emptied("seats"), "'seats must not be null'"),
    ("weather", times("visib", 1.609344), "'visib must be <= 10 mile'"),
]


def assert_named(report: DriftReport, columns: tuple[str, ...], kind: str, words: str) -> None:
    by_columns = {fault.columns: fault for fault in report.faults}
    assert columns in by_columns
    assert by_columns[columns].kind.value == kind
    assert words in by_columns[columns].sentence
    assert report.verdict is TableVerdict.WATCH
    assert report.data is Data.FAULT


@pytest.mark.parametrize(("table", "change", "columns", "kind", "words"), NAMED[:4])
def test_a_broken_landing_file_is_named_on_its_column_and_never_acted_on(
    small: World, table: str, change: Change, columns: tuple[str, ...], kind: str, words: str
) -> None:
    assert_named(small.judged(small.frame(table, change)), columns, kind, words)


@pytest.mark.parametrize(("table", "change", "words"), REFUSED)
def test_what_cannot_be_true_is_refused_by_the_gate_and_names_its_column(
    small: World, table: str, change: Change, words: str
) -> None:
    assert words in small.refused(table, change)


@pytest.mark.slow
@pytest.mark.parametrize(("table", "change", "columns", "kind", "words"), NAMED)
def test_every_broken_landing_file_is_named_against_eight_weeks(
    whole: World, table: str, change: Change, columns: tuple[str, ...], kind: str, words: str
) -> None:
    assert_named(whole.judged(whole.frame(table, change)), columns, kind, words)


def test_an_untouched_week_has_no_fault(small: World) -> None:
    assert small.judged(small.frame("flights", lambda table: table)).faults == ()


def test_delays_in_seconds_among_the_features_are_named_column_by_column(small: World) -> None:
    frame = small.frame("flights", lambda table: table)
    delays = [name for name in frame if str(name).endswith(("_delay", "_delay_7d", "_delay_1h", "_delay_3h"))]

    report = small.judged(frame.assign(**{str(name): frame[name].astype("Float64") * 60 for name in delays}))

    assert {fault.columns[0] for fault in report.faults} == set(delays)
    assert all("as if in seconds" in fault.sentence for fault in report.faults)
    assert report.verdict is TableVerdict.WATCH


# --- features of the whole year ------------------------------------------------------------------------------------

# A null gust means that there was none: 28 % .. 91 % of a week's hours, so that 30 % fewer say nothing.
MAY_VANISH = {"wind_gust"}


@pytest.mark.slow
def test_thirty_percent_of_nulls_in_any_feature_is_named(whole: World) -> None:
    frame = whole.frame("flights", lambda table: table)
    gone = np.random.default_rng(3).random(len(frame)) < 0.3
    for feature in FLIGHT_DELAYS.model_features:
        report = whole.judged(frame.assign(**{feature.name: frame[feature.name].mask(gone)}))

        assert report.verdict is not TableVerdict.ACT
        named = [fault.columns for fault in report.faults]
        assert named == ([] if feature.name in MAY_VANISH else [(feature.name,)])


@pytest.mark.slow
def test_no_week_of_the_year_is_called_a_fault() -> None:
    clean: dict[str, Tables] = {}
    frames: dict[str, pd.DataFrame] = {}
    for week in WEEKS:
        clean[week] = clean_of(week)
        frames[week] = features(week, clean)
    for weeks in (8, 17, 26):
        profile = reference_profile(FLIGHT_DELAYS, {week: frames[week] for week in WEEKS[:weeks]}, SCORE)
        for week in WEEKS[weeks:]:
            assert judge_week(FLIGHT_DELAYS, profile, frames[week], SCORE, None)[0].faults == ()
