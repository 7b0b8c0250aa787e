"""The whole shipped year through the core: a model of the first eight weeks, asked about the other forty-five."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_assets.core.features import feature_table
from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_frame
from mlops_assets.core.reference import judge_week, reference_profile
from mlops_assets.core.validation import validate
from mlops_assets.graph.features import history
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

pytestmark = pytest.mark.slow
LANDING = Path(__file__).parents[2] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()


@pytest.fixture(scope="module")
def year() -> dict[str, pd.DataFrame]:
    clean, frames = {}, {}
    for at, week in enumerate(WEEKS):
        landed = {t.name: pq.read_table(LANDING / t.landing.format(partition=week)) for t in FLIGHT_DELAYS.tables}
        clean[week] = {name: v.clean for name, v in validate(FLIGHT_DELAYS, landed, week).items()}
        looked_at = {w: clean[w] for w in WEEKS[max(0, at - FLIGHT_DELAYS.lookback_weeks) : at + 1]}
        table = feature_table(FLIGHT_DELAYS, clean[week]["flights"], history(FLIGHT_DELAYS, looked_at))
        frames[week] = to_frame(table)
    return frames


def test_a_model_of_eight_weeks_holds_over_the_year_as_measured(year: dict[str, pd.DataFrame]) -> None:
    model = fit(FLIGHT_DELAYS, {week: year[week] for week in WEEKS[:8]})
    rest = pd.concat([year[week] for week in WEEKS[8:]])
    rest = rest[rest["late"].notna()]
    late, score = rest["late"].astype(int).to_numpy(), model.scores(rest)

    assert len(rest) == 327_346 - 46_312
    assert 0.71 <= roc_auc_score(late, score) <= 0.76  # .712 with the measured features, .74 with the declared ones
    assert log_loss(late, score) <= 0.49  # .482 there


def test_drift_is_quiet_in_late_winter_and_loud_in_the_weeks_that_changed(year: dict[str, pd.DataFrame]) -> None:
    first = {week: year[week] for week in WEEKS[:8]}
    model = fit(FLIGHT_DELAYS, first)
    profile = reference_profile(FLIGHT_DELAYS, first, model.scorer)
    reports = {
        week: judge_week(FLIGHT_DELAYS, profile, year[week], model.scorer, model.importances)[0] for week in WEEKS[8:]
    }
    flags = {at + 9: len(report.drifted) for at, report in enumerate(reports.values())}

    assert np.mean([flags[w] for w in range(9, 17)]) <= 1
    assert {w for w in flags if reports[WEEKS[w - 1]].verdict.value == "ACT"} == {26, 28, 39, 51}
    assert min(flags[26], flags[39], flags[51]) >= 5
    assert reports[WEEKS[-1]].verdict.value == "INCONCLUSIVE"  # two days are no week
