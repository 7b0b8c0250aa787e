"""What the leak that cannot be declared would look like: outcome windows cut by event time.

The textbook mistake joins on event time: to a flight it counts every flight *scheduled* to leave before it, with its
outcome. Offline such a model looks better than the truth; when it is served, the outcomes are not there yet, and it is
worse than one that learned from what is known. The mistake is made here by hand, in pandas: no declaration can make it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from mlops_assets.core.features import feature_table
from mlops_assets.declare import AtRequest, Kind, Last, Mean, Rate
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.conftest import flights, history

WEEKS = FLIGHT_DELAYS.partitions.keys()
CATEGORIES = tuple(f.name for f in FLIGHT_DELAYS.model_features if FLIGHT_DELAYS.kind_of(f) is Kind.STRING)
# features whose window or last value is cut by the instant at which an outcome became known
OUTCOMES = tuple(
    f
    for f in FLIGHT_DELAYS.model_features
    if not isinstance(f, AtRequest) and f.table == "flights" and f.column in ("late", "arr_delay", "dep_delay")
)
SCHEDULED = {"late": "sched_dep_utc", "arr_delay": "sched_dep_utc", "dep_delay": "sched_dep_utc"}
NOW = pd.Timedelta(0)
JUST_BEFORE_DEPARTURE = pd.Timedelta(hours=2) - pd.Timedelta(microseconds=1)  # a flight does not count itself
Score = tuple[float, float]  # AUC, log loss


def point_in_time(first: int, last: int) -> pd.DataFrame:
    """The feature table of weeks first..last (1 is the first of the year), with what the leak needs to be computed."""
    back = max(0, first - 1 - FLIGHT_DELAYS.lookback_weeks)
    made = feature_table(FLIGHT_DELAYS, flights(WEEKS[first - 1 : last]), history(WEEKS[back:last]))
    return made.to_pandas()


def cut_by(
    instant_of: Mapping[str, str], table: pd.DataFrame, back: int, last: int, until: pd.Timedelta = NOW
) -> pd.DataFrame:
    """The same rows, each outcome seen from `instant_of` it on, up to as_of + `until`; of weeks back + 1 .. last."""
    events = flights(WEEKS[back:last]).to_pandas()
    leaky = table.reset_index(drop=True).copy()
    leaky["tailnum"] = table.merge(events, on=list(FLIGHT_DELAYS.request_table.key), how="left")["tailnum"].to_numpy()
    for feature in OUTCOMES:
        seen = instant_of[feature.column]
        values = events.dropna(subset=[feature.column, *feature.key]).sort_values(
            [seen, *FLIGHT_DELAYS.request_table.key]
        )
        values = values.assign(value=values[feature.column].astype(float))
        by = values.groupby(list(feature.key))["value"]
        values["n"], values["s"], values["at"] = by.cumcount() + 1, by.cumsum(), values[seen]
        right = values[[*feature.key, "at", "n", "s", "value"]].astype({"at": "datetime64[us, UTC]"})
        age = feature.within if isinstance(feature, Last) else feature.window
        now, then = (looked_up(leaky, right, feature.key, back_by) for back_by in (-until, pd.Timedelta(age) - until))
        if isinstance(feature, Last):
            leaky[feature.name] = now["value"].where(now["at"] > leaky["asked_utc"] + until - age)
            continue
        n, s = now["n"].fillna(0) - then["n"].fillna(0), now["s"].fillna(0) - then["s"].fillna(0)
        count = n.where(leaky[list(feature.key)].notna().all(axis=1))
        leaky[feature.name] = (s / n.where(n > 0)) if isinstance(feature, Mean | Rate) else count
    return leaky


def looked_up(rows: pd.DataFrame, right: pd.DataFrame, key: Sequence[str], back_by: pd.Timedelta) -> pd.DataFrame:
    """The last row of `right` at or before asked_utc - back_by, per key, in the order of `rows`."""
    asked = rows["asked_utc"].astype("datetime64[us, UTC]") - back_by
    left = rows[list(key)].assign(t=asked.astype("datetime64[us, UTC]"), row=np.arange(len(rows)))
    keyed = left.dropna(subset=list(key)).sort_values("t")
    found = pd.merge_asof(keyed, right, left_on="t", right_on="at", by=list(key))
    return found.set_index("row").reindex(np.arange(len(rows)))


def matrix(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """The model's features as floats; categories numbered as they stand in `like`."""
    out = rows[[f.name for f in FLIGHT_DELAYS.model_features]].copy()
    for name in CATEGORIES:
        out[name] = pd.Categorical(out[name], sorted(like[name].unique())).codes
        out[name] = out[name].where(out[name] >= 0)
    return out.astype(float)


def scores(train: pd.DataFrame, *tests: pd.DataFrame, rounds: int) -> list[Score]:
    """AUC and log loss of one model on each of the tests."""
    params = {**FLIGHT_DELAYS.model.estimator.params, "max_iter": rounds}
    model = HistGradientBoostingClassifier(categorical_features=list(CATEGORIES), random_state=1, **params)
    train = train[train["late"].notna()]
    with threadpool_limits(1):  # two OpenMP threads on a busy machine wait for each other more than they work
        model.fit(matrix(train, train), train["late"].astype(int))
    result = []
    for test in tests:
        test = test[test["late"].notna()]
        truth, chance = test["late"].astype(int), model.predict_proba(matrix(test, train))[:, 1]
        result.append((float(roc_auc_score(truth, chance)), float(log_loss(truth, chance))))
    return result


def three_ways(train: tuple[int, int], test: tuple[int, int], rounds: int) -> tuple[Score, Score, Score]:
    """(point in time, the leak offline, the leak as really served)."""
    known, asked = point_in_time(*train), point_in_time(*test)
    reach = FLIGHT_DELAYS.lookback_weeks
    leaky = [
        cut_by(SCHEDULED, t, max(0, w[0] - 1 - reach), w[1], JUST_BEFORE_DEPARTURE)
        for t, w in ((known, train), (asked, test))
    ]
    (honest,) = scores(known, asked, rounds=rounds)
    offline, served = scores(leaky[0], leaky[1], asked, rounds=rounds)
    return honest, offline, served


def test_windows_cut_by_schedule_look_better_and_are_worse() -> None:
    """A small version: three weeks of training, two of test."""
    honest, offline, served = three_ways((14, 16), (25, 26), rounds=60)

    assert offline[0] > honest[0] + 0.02 > served[0] + 0.04
    assert offline[1] < honest[1] - 0.02 < served[1] - 0.04


@pytest.mark.slow
def test_the_leak_of_the_year_looks_better_offline_and_is_worse_as_served() -> None:
    """Weeks 5-20, test 21-28: .767 / .513 point in time; the leak .816 / .463 offline, .706 / .563 as served."""
    honest, offline, served = three_ways((5, 20), (21, 28), rounds=150)

    assert honest == pytest.approx((0.767, 0.513), abs=0.01)
    assert offline == pytest.approx((0.816, 0.463), abs=0.01)
    assert served == pytest.approx((0.706, 0.563), abs=0.03)


def test_the_same_pandas_code_cut_by_known_at_gives_the_declared_features() -> None:
    """The leak is these features with one word changed, and nothing else."""
    table = point_in_time(14, 14)
    known_at = {name: FLIGHT_DELAYS.request_table.known_at[name] for name in SCHEDULED}

    by_hand = cut_by(known_at, table, 14 - 1 - FLIGHT_DELAYS.lookback_weeks, 14)

    for feature in OUTCOMES:
        pd.testing.assert_series_equal(
            by_hand[feature.name].astype(float), table[feature.name].astype(float), check_index=False
        )
