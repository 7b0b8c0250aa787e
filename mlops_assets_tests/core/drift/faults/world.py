"""Ten weeks of a feed with everything that can break, and a column looked at alone."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.core.drift.faults import Look
from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.core.profile.columns import numbers
from mlops_assets.declare.drift import DriftPolicy, Monitored

POLICY = DriftPolicy()
WATCHED = (
    Monitored(name="distance", kind="numeric", unit="mile", stable=True),
    Monitored(name="minute", kind="numeric", unit="min", stable=True),
    Monitored(name="seats", kind="numeric", stable=True, feed="planes by tailnum"),
    Monitored(name="year", kind="numeric", stable=True, feed="planes by tailnum"),
    Monitored(name="delay", kind="numeric", unit="min", feed="flights by origin"),
    Monitored(name="temp", kind="numeric", unit="°F"),
    Monitored(name="wind", kind="numeric", unit="mph"),
    Monitored(name="rain", kind="numeric", unit="inch"),
    Monitored(name="late", kind="numeric"),
    Monitored(name="carrier", kind="category"),
    Monitored(name="score", kind="numeric"),
)


def week(rng: np.random.Generator, rows: int = 2000, *, mood: float = 0.0) -> pd.DataFrame:
    """One healthy week; `mood` moves what the weather moves, in sd."""
    delay = np.round(rng.gamma(1, 25 * np.exp(0.3 * mood), rows) - 12)
    known = rng.random(rows) > 0.17
    return pd.DataFrame(
        {
            "distance": rng.choice([187, 229, 529, 733, 1089, 1416, 2475, 2586], rows).astype(float),
            "minute": np.round(np.clip(rng.normal(800, 260, rows), 300, 1439)),
            "seats": np.where(known, rng.choice([20.0, 55.0, 149.0, 178.0, 200.0], rows), np.nan),
            "year": np.where(known, rng.integers(1985, 2014, rows), np.nan),
            "delay": delay,
            "temp": np.round(55 + 10 * rng.normal(mood, 1, rows)) * 1.08 - 3.6,
            "wind": 1.15078 * np.round(np.abs(rng.normal(9 + mood, 4, rows))),
            "rain": np.where(rng.random(rows) < 0.1, rng.integers(1, 40, rows) / 100, 0.0),
            "late": np.clip(rng.normal(0.25 + 0.03 * mood, 0.1, rows), 0, 1),
            "carrier": rng.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]),
            "score": 1 / (1 + np.exp(-delay / 30)),
        }
    )


def reference(weeks: int = 10, seed: int = 3) -> ReferenceProfile:
    """The profile of so many weeks, each in its own mood."""
    rng = np.random.default_rng(seed)
    frames = [week(rng, mood=rng.normal(0, 0.4)) for _ in range(weeks)]
    return build_profile(
        pd.concat(frames, ignore_index=True),
        window=np.repeat([f"2013-W{at:02}" for at in range(1, weeks + 1)], 2000),
        columns=WATCHED,
        prediction="score",
        policy=POLICY,
    )


def look(
    profile: ReferenceProfile, name: str, values: Any, *, moved: bool = True, policy: DriftPolicy = POLICY
) -> Look:
    """One column of a window, as a rule sees it."""
    column, rows = profile.column(name), pd.Series(values)
    return Look(
        profile=column,
        live=column.bins.tally(name, rows),
        moved=moved,
        said=f"{name!r} moved",
        read=partial(numbers, name, rows),
        policy=policy,
        level=policy.alpha / 2 / len(profile.columns),
    )
