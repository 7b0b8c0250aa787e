"""Cohorts of the tiny use case with a known truth: how often answers are wrong, day by day."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.performance import Level, PerformanceReport, performance_report
from mlops_assets.declare import ConceptPolicy, Task, UseCase
from mlops_assets_tests.core import tiny

POLICY = ConceptPolicy(loss="error", min_rows=100)
LEVEL = Level(mean=0.09, bound=0.10, effect=1.0, rows=10_000, blocks=14)


def use_case(**changes: Any) -> UseCase:
    """Parcels with small cohorts, sliced by depot; `changes` are fields of the concept policy."""
    parcels = tiny.use_case()
    promotion = replace(parcels.promotion, slices=("depot",), min_slice_rows=30)
    return replace(parcels, promotion=promotion, concept=replace(POLICY, **changes))


def regression(**changes: Any) -> UseCase:
    """The same, of a number in minutes."""
    parcels = tiny.use_case(task=Task.REGRESSION)
    policy = ConceptPolicy(loss="absolute", most=20.0, min_rows=100, calibration=2.0)
    label = replace(parcels.label, unit="min")
    return replace(parcels, label=label, concept=replace(policy, **changes))


def cohort(wrong: Sequence[float], *, per_day: int = 100, late: float = 0.3, seed: int = 0) -> pd.DataFrame:
    """A day for each share of `wrong` answers: of a share `late` of late parcels, predicted with .9 or .1."""
    random = np.random.default_rng(seed)
    rows = len(wrong) * per_day
    day = np.arange(rows) // per_day
    label = (random.random(rows) < late).astype(float)
    missed = random.random(rows) < np.asarray(wrong)[day]
    begin = pd.Timestamp("2024-01-01", tz="UTC")
    asked = begin + pd.to_timedelta(day * 86_400 + np.arange(rows) % per_day * 60 + 30_000, unit="s")
    return pd.DataFrame(
        {
            "parcel": np.arange(rows),
            "as_of": asked,
            "block": [f"2024-01-{1 + one:02}" for one in day],
            "prediction": np.where((label == 1) != missed, 0.9, 0.1),
            "label": label,
            "known": True,
            "depot": np.array(["north", "south"])[random.integers(0, 2, rows)],
        }
    )


def report(rows: pd.DataFrame, case: UseCase | None = None, **changes: Any) -> PerformanceReport:
    """The report of a matured cohort; `changes` are arguments of `performance_report`."""
    given: dict[str, Any] = {"model": "3", "level": LEVEL, "before": None, "reference_metrics": {"auc": 0.9}}
    given |= {"matured": True, "matures_at": "2024-01-10T00:00Z"} | changes
    return performance_report(case or use_case(), rows, **given)


def stormy_days(
    random: np.random.Generator, days: int, per_day: int, share: float, effect: float
) -> npt.NDArray[np.float64]:
    """Beta-binomial losses `[days, per_day]` of mean `share`, whose mean by days has `effect` times the variance."""
    within = (effect - 1) / (per_day - 1)
    scale = 1 / within - 1
    of_day = random.beta(share * scale, (1 - share) * scale, days)
    losses: npt.NDArray[np.float64] = (random.random((days, per_day)) < of_day[:, None]).astype(np.float64)
    return losses
