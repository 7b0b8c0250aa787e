"""The year of flights, walked: quiet in spring, two trainings where the world turned, most of what is to be had."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.features import feature_table
from mlops_assets.core.frames import to_frame
from mlops_assets.core.validation import validate
from mlops_assets.replay.backtest import Backtest, Span, as_matured, backtest
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

pytestmark = [pytest.mark.slow, pytest.mark.campaign]  # seven minutes of trainings
SHIPPED = Path(__file__).parents[2] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()
W09, W16, W17, W26 = WEEKS[8], WEEKS[15], "2013-04-22", "2013-06-24"


@pytest.fixture(scope="module")
def year() -> Backtest:
    use_case, clean, frames = FLIGHT_DELAYS, {}, {}
    for week in WEEKS:
        landed = {t.name: pq.read_table(SHIPPED / t.landing.format(partition=week)) for t in use_case.tables}
        clean[week] = {name: one.clean for name, one in validate(use_case, landed, week).items()}
        back = [key for key in use_case.partitions.window(week, -use_case.lookback_weeks, 0) if key in clean]
        seen = {
            t.name: clean[week][t.name] if t.snapshot else pa.concat_tables([clean[key][t.name] for key in back])
            for t in use_case.tables
        }
        made = feature_table(use_case, clean[week][use_case.requests.table], seen)
        frames[week] = as_matured(use_case, week, to_frame(made))
    return backtest(use_case, frames, Span(first=WEEKS[7], begin=W09, end=WEEKS[-1]), attainable=4)


def test_the_first_weeks_are_quiet(year: Backtest) -> None:
    quiet = [week for week in year.weeks if week.week <= W16]

    assert len(quiet) == 8
    assert {week.response for week in quiet} <= {"nothing", "watch"}


def test_the_weeks_in_which_the_world_turned_retrain_and_few_others(year: Backtest) -> None:
    trained = [one.week for one in year.retrained]

    assert {W17, W26} <= set(trained)
    assert len(trained) <= 5
    assert all(one.since for one in year.retrained if one.week in (W17, W26))


def test_four_fifths_of_what_is_to_be_had_is_had(year: Backtest) -> None:
    assert year.gain.share is not None
    assert year.gain.share >= 0.8


def test_a_week_of_two_days_is_not_judged_for_drift(year: Backtest) -> None:
    assert year.weeks[-1].drift == "INCONCLUSIVE"
