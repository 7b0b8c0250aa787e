"""A week's files land whole, at their time, alike whenever they are played; a broken feed is named by the judge."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.features import feature_table
from mlops_assets.core.frames import to_frame
from mlops_assets.core.reference import judge_week, reference_profile
from mlops_assets.core.signals import Data
from mlops_assets.core.validation import validate
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph.arrivals import landed, seal
from mlops_assets.graph.features import history
from mlops_assets.replay.landing import BROKEN_FEED, land, spoiled
from mlops_assets.replay.world import World
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.settings import Settings
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING

SHIPPED = Path(__file__).parents[2] / "data" / "landing"
AT = datetime(2013, 3, 13, 4, 0, tzinfo=UTC)
WEEK, NEXT = "2013-03-04", "2013-03-11"


@pytest.fixture
def places(tmp_path: Path) -> Settings:
    return World.fresh(tmp_path / "world", {}).places


def source(use_case: UseCase) -> Landing:
    return Landing(SHIPPED / use_case.name)


def files(places: Settings) -> dict[str, tuple[bytes, int]]:
    """Path -> bytes and file time, s since 1970, of all that has landed."""
    root = Path(places.landing)
    return {str(p.relative_to(root)): (p.read_bytes(), int(p.stat().st_mtime)) for p in root.rglob("*") if p.is_file()}


# --- files


def test_a_week_lands_as_it_is_at_its_time_with_the_snapshots(places: Settings) -> None:
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, WEEK, AT)

    names = {f"flights/{WEEK}.parquet", f"weather/{WEEK}.parquet", "planes.parquet", "airports.parquet"}
    assert files(places) == {
        f"flight_delays/{name}": ((SHIPPED / "flight_delays" / name).read_bytes(), int(AT.timestamp()))
        for name in names
    }


def test_snapshots_land_once(places: Settings) -> None:
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, WEEK, AT)
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, NEXT, AT.replace(day=20))

    found = files(places)
    assert found["flight_delays/planes.parquet"][1] == int(AT.timestamp())
    assert found[f"flight_delays/flights/{NEXT}.parquet"][1] == int(AT.replace(day=20).timestamp())


def test_what_landed_looks_the_same_to_the_sensor_whenever_it_is_played(places: Settings, tmp_path: Path) -> None:
    again = World.fresh(tmp_path / "again", {}).places
    for one in (places, again):
        land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), one, WEEK, AT, [BROKEN_FEED])

    seals = [seal(landed(FLIGHT_DELAYS, one.landing).weeks[WEEK]) for one in (places, again)]
    assert seals[0] == seals[1]


def test_a_world_that_went_back_looks_the_same_to_the_sensor(tmp_path: Path) -> None:
    world = World.fresh(tmp_path / "played", {})
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), world.places, WEEK, AT)
    before = landed(FLIGHT_DELAYS, world.places.landing)
    world.checkpoint(None)
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), world.places, NEXT, AT)
    world.restore()

    assert landed(FLIGHT_DELAYS, world.places.landing) == before


def test_a_week_without_a_file_and_a_time_without_a_zone_are_refused(places: Settings) -> None:
    with pytest.raises(DataError, match=r"'flights/2015-01-05.parquet' is missing"):
        land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, "2015-01-05", AT)
    with pytest.raises(DataError, match="must be an instant with a zone"):
        land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, WEEK, AT.replace(tzinfo=None))
    assert files(places) == {}


def test_nothing_lands_outside_of_the_zone(places: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    zone = Path(places.landing) / "flight_delays"
    zone.mkdir(parents=True)
    (zone / "flights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="outside of"):
        land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, WEEK, AT)
    with pytest.raises(DataError, match="must be a folder"):
        land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), replace(places, landing="memory://zone"), WEEK, AT)

    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- sabotage


def shipped(use_case: UseCase, week: str) -> dict[str, pa.Table]:
    return {t.name: pq.read_table(SHIPPED / use_case.name / t.landing.format(partition=week)) for t in use_case.tables}


def test_a_broken_feed_of_flights_has_kilometres_for_miles_and_nothing_else(places: Settings) -> None:
    land(FLIGHT_DELAYS, source(FLIGHT_DELAYS), places, WEEK, AT, [BROKEN_FEED])

    path = f"flight_delays/flights/{WEEK}.parquet"
    whole, broken = pq.read_table(SHIPPED / path), pq.read_table(Path(places.landing) / path)
    assert broken.drop_columns("distance").equals(whole.drop_columns("distance"))
    assert broken.schema.remove_metadata().equals(whole.schema.remove_metadata())
    assert broken["distance"].to_pylist() == [round(mile * 1.609344) for mile in whole["distance"].to_pylist()]
    name = f"flight_delays/weather/{WEEK}.parquet"
    assert files(places)[name][0] == (SHIPPED / name).read_bytes()
    assert files(places)[path][1] == int(AT.timestamp())


def test_a_fault_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match="fault == 'wrong_model', must be 'broken_feed'"):
        spoiled(FLIGHT_DELAYS, "flights", shipped(FLIGHT_DELAYS, WEEK)["flights"], "wrong_model")


def test_a_use_case_with_nothing_to_break_is_told() -> None:
    drifting = tuple(replace(feature, stable=False) for feature in FLIGHT_DELAYS.features)
    with pytest.raises(DataError, match="no feature that is a stable number with a unit"):
        spoiled(replace(FLIGHT_DELAYS, features=drifting), "flights", pa.table({}), BROKEN_FEED)


def distances(*values: int | None) -> pa.Table:
    rows = shipped(FLIGHT_DELAYS, WEEK)["flights"].slice(0, len(values))
    return rows.set_column(rows.column_names.index("distance"), "distance", pa.array(values, pa.int64()))


def test_a_feed_breaks_within_what_the_gate_accepts() -> None:
    assert FLIGHT_DELAYS.table("flights").columns[15].le == 12_500
    nautical = spoiled(FLIGHT_DELAYS, "flights", distances(1_000, 12_500, None), BROKEN_FEED)
    assert nautical["distance"].to_pylist() == [869, 10_862, None]

    with pytest.raises(DataError, match="in any other unit would leave its declared bounds"):
        spoiled(FLIGHT_DELAYS, "flights", distances(None, None), BROKEN_FEED)


class Score:
    """Any score that does not look at what is broken."""

    def __init__(self, column: str) -> None:
        self._column = column

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return 1 / (1 + np.exp(-np.nan_to_num(frame[self._column].to_numpy(dtype=np.float64, na_value=0.0)) / 30))


@pytest.mark.parametrize(
    ("use_case", "table", "score", "column", "words"),
    [
        (FLIGHT_DELAYS, "flights", "origin_dep_delay_3h", "distance", "as if in kilometres"),
        (PARKING, "readings", "minute", "capacity", "scale x 2"),
    ],
)
def test_a_broken_feed_passes_the_gate_and_is_named_on_its_column(
    use_case: UseCase, table: str, score: str, column: str, words: str
) -> None:
    weeks, clean = use_case.partitions.keys()[1:5], {}
    frames, scorer = {}, Score(score)
    for week in weeks:
        tables = shipped(use_case, week)
        if week == weeks[-1]:
            tables = {name: spoiled(use_case, name, rows, BROKEN_FEED) for name, rows in tables.items()}
        verdicts = validate(use_case, tables, week)
        assert all(verdict.passed for verdict in verdicts.values())
        clean[week] = {name: verdict.clean for name, verdict in verdicts.items()}
        frames[week] = features(use_case, clean, week)
    *before, broken = weeks
    profile = reference_profile(use_case, {week: frames[week] for week in before[1:]}, scorer)

    report = judge_week(use_case, profile, frames[broken], scorer, None)[0]
    assert report.data is Data.FAULT
    named = {fault.columns: fault for fault in report.faults}
    assert words in named[(column,)].sentence and named[(column,)].kind.value == "unit"


def features(use_case: UseCase, clean: Mapping[str, Mapping[str, pa.Table]], week: str) -> pd.DataFrame:
    asked = clean[week][use_case.requests.table]
    return to_frame(feature_table(use_case, asked, history(use_case, clean)))
