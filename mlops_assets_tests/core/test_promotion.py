"""The gate: three answers, an error bar over days, and never a pass on broken numbers."""

import json
import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.promotion import judge
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import DataError, DeclarationError, Promotion, Task
from mlops_assets.declare.promotion import METRICS_OF

LOG_LOSS = Promotion(metric="log_loss", margin=0.01)


def rows(prediction, days=14, per_day=40, seed=0):
    """Requests over `days`, of which a third happens; `prediction` of (label, noise) in (0, 1)."""
    random = np.random.default_rng(seed)
    count = days * per_day
    label = random.random(count) < 0.33
    return pd.DataFrame(
        {
            "parcel": np.arange(count),
            "as_of": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) // per_day, unit="D"),
            "block": [f"2024-01-{1 + n // per_day:02}" for n in range(count)],
            "label": label,
            "prediction": prediction(label, random.random(count)),
        }
    )


def good(label, noise):
    return np.where(label, 0.4 + 0.5 * noise, 0.05 + 0.5 * noise)


def poor(label, noise):
    return np.full(len(label), 0.33)


def naive(challenger, champion, name, alpha):
    """The jackknife over days in the most obvious words."""
    metric = METRIC[name]

    def gain(a, b):
        return metric.gain(metric.of(a["label"], a["prediction"]), metric.of(b["label"], b["prediction"]))

    days = sorted(set(challenger["block"]))
    without = [gain(challenger[challenger["block"] != day], champion[champion["block"] != day]) for day in days]
    mean = sum(without) / len(days)
    error = math.sqrt((len(days) - 1) / len(days) * sum((value - mean) ** 2 for value in without))
    reach = stats.t.ppf(1 - alpha, len(days) - 1) * error
    return gain(challenger, champion), error, reach


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, names in METRICS_OF.items() for name in names])
def test_the_bounds_equal_the_naive_jackknife(name, task):
    ours, theirs = rows(good), rows(lambda label, noise: 0.2 + 0.3 * noise)
    if task is Task.REGRESSION:
        ours, theirs = (side.assign(label=side["label"].astype(float)) for side in (ours, theirs))
    found = judge(Promotion(metric=name, margin=0, alpha=0.1), ours, theirs, task)

    improvement, error, reach = naive(ours, theirs, name, 0.1)
    assert found.improvement == pytest.approx(improvement, rel=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx((improvement - reach, improvement + reach), rel=1e-9)
    assert found.blocks == 14 and found.rows == 560


def test_a_storm_day_widens_the_error_bar():
    calm, same = rows(good), rows(poor)
    stormy = calm.copy()
    storm = stormy["block"] == "2024-01-07"
    stormy.loc[storm, "prediction"] = 0.5  # on one day the challenger knows nothing

    assert (
        judge(LOG_LOSS, stormy, same, Task.CLASSIFICATION).standard_error
        > judge(LOG_LOSS, calm, same, Task.CLASSIFICATION).standard_error
    )


def test_clearly_better_passes_clearly_worse_fails_and_the_same_fails_its_margin():
    better, worse = rows(good), rows(poor)

    assert judge(LOG_LOSS, better, worse, Task.CLASSIFICATION).verdict is Verdict.PASS
    assert judge(LOG_LOSS, worse, better, Task.CLASSIFICATION).verdict is Verdict.FAIL
    assert judge(LOG_LOSS, better, better, Task.CLASSIFICATION).verdict is Verdict.FAIL


def test_a_greater_auc_is_an_improvement():
    found = judge(Promotion(metric="auc", margin=0.01), rows(good), rows(poor), Task.CLASSIFICATION)

    assert found.verdict is Verdict.PASS and found.improvement > 0.2


def test_the_same_without_a_margin_is_inconclusive():
    found = judge(Promotion(metric="log_loss", margin=0), rows(good), rows(good), Task.CLASSIFICATION)

    assert found.verdict is Verdict.INCONCLUSIVE and found.improvement == 0


def test_better_by_chance_is_inconclusive():
    champion = rows(good)
    noisy = champion.assign(prediction=rows(good, seed=1)["prediction"])
    shifted = champion.copy()
    lucky = shifted["block"] == "2024-01-03"
    shifted.loc[lucky, "prediction"] = np.where(shifted.loc[lucky, "label"], 0.99, 0.01)

    found = judge(LOG_LOSS, shifted, champion, Task.CLASSIFICATION)

    assert found.improvement > LOG_LOSS.margin and found.lower < 0 and found.verdict is Verdict.INCONCLUSIVE
    assert judge(LOG_LOSS, noisy, champion, Task.CLASSIFICATION).verdict is Verdict.FAIL


@pytest.mark.parametrize("days", [1, 2, 4])
def test_fewer_than_five_days_are_inconclusive_however_good(days):
    found = judge(LOG_LOSS, rows(good, days), rows(poor, days), Task.CLASSIFICATION)

    assert found.verdict is Verdict.INCONCLUSIVE and found.blocks == days


def test_five_days_may_judge():
    assert judge(LOG_LOSS, rows(good, 5), rows(poor, 5), Task.CLASSIFICATION).verdict is Verdict.PASS


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -float("inf"), 1.5, -0.1, None])
def test_a_broken_answer_never_passes(answer):
    fine, broken = rows(good), rows(good).astype({"prediction": object})
    broken.loc[3, "prediction"] = answer

    assert judge(LOG_LOSS, broken, rows(poor), Task.CLASSIFICATION).verdict is Verdict.FAIL
    assert judge(LOG_LOSS, fine, broken, Task.CLASSIFICATION).verdict is Verdict.INCONCLUSIVE


def test_an_auc_that_a_day_decides_alone_is_inconclusive():
    side = rows(good)
    side["label"] = side["block"] == "2024-01-05"

    found = judge(Promotion(metric="auc", margin=0), side, side, Task.CLASSIFICATION)

    assert found.verdict is Verdict.INCONCLUSIVE and "both classes" in found.sentence


def test_the_order_of_rows_changes_nothing():
    ours, theirs = rows(good), rows(poor)

    assert judge(LOG_LOSS, ours.sample(frac=1, random_state=1), theirs, Task.CLASSIFICATION) == judge(
        LOG_LOSS, ours, theirs, Task.CLASSIFICATION
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda side: side.iloc[1:],
        lambda side: side.iloc[:0],
        lambda side: side.assign(parcel=side["parcel"] + 1),
        lambda side: side.assign(label=~side["label"]),
        lambda side: side.assign(block="2024-01-01"),
        lambda side: side.drop(columns="block"),
        lambda side: side.rename(columns={"parcel": "letter"}),
        lambda side: pd.concat([side, side.iloc[:1]]),
        lambda side: side.assign(label=side["label"].astype(object).where(side["parcel"] != 3, None)),
        lambda side: side.assign(as_of=side["as_of"] + pd.Timedelta(seconds=1)),
    ],
)
def test_other_requests_or_labels_are_refused(change):
    for ours, theirs in ((rows(good), change(rows(poor))), (change(rows(good)), rows(poor))):
        with pytest.raises(DataError):
            judge(LOG_LOSS, ours, theirs, Task.CLASSIFICATION)


def test_a_metric_of_another_task_is_a_wrong_declaration():
    with pytest.raises(DeclarationError, match="mae"):
        judge(Promotion(metric="mae", margin=0), rows(good), rows(poor), Task.CLASSIFICATION)


def test_a_judgement_is_json_and_says_number_bound_and_reason():
    found = judge(LOG_LOSS, rows(good), rows(poor), Task.CLASSIFICATION)

    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert record["verdict"] == "PASS"
    for part in ("PASS: log_loss", f"{found.improvement:+.4f}", f"{found.lower:+.4f}", "margin 0.01", "14 days"):
        assert part in found.sentence


def test_blocks_of_several_days_are_said_so():
    three_days = Promotion(metric="log_loss", margin=0.01, block=timedelta(days=3))
    ours, theirs = (
        side.assign(block=[three_days.block_of(day).isoformat() for day in side["as_of"].dt.date])
        for side in (rows(good), rows(poor))
    )
    few = [side[side["parcel"] < 200] for side in (ours, theirs)]

    found = judge(three_days, ours, theirs, Task.CLASSIFICATION)

    assert (found.blocks, found.block_days) == (5, 3) and "560 rows, 5 blocks of 3 days)" in found.sentence
    assert "2 blocks of 3 days, 5 are the least" in judge(three_days, *few, Task.CLASSIFICATION).sentence


def test_a_true_tie_passes_seldom():
    """Two equally good models, day effects included: PASS in at most about alpha of the trials."""
    passed = 0
    random = np.random.default_rng(0)
    for trial in range(200):
        side = rows(good, days=14, per_day=15, seed=trial)
        shift = np.repeat(random.normal(0, 0.05, 14), 15)
        other = side.assign(prediction=np.clip(side["prediction"] + shift, 0.01, 0.99))
        mirror = side.assign(prediction=np.clip(side["prediction"] - shift, 0.01, 0.99))
        found = judge(Promotion(metric="brier", margin=0), other, mirror, Task.CLASSIFICATION)
        passed += found.verdict is Verdict.PASS

    assert passed / 200 < 0.09
