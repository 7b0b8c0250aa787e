"""A tiny world for the profile and the report: ten weeks of a feed that wobbles but is well."""

import numpy as np
import pandas as pd

from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.declare.drift import DriftPolicy, Monitored

WATCHED = (
    Monitored(name="temp", kind="numeric", unit="degF"),
    Monitored(name="distance", kind="numeric", unit="mile", stable=True),
    Monitored(name="hour", kind="numeric", unit="h"),
    Monitored(name="carrier", kind="category"),
    Monitored(name="score", kind="numeric"),
)
POLICY = DriftPolicy()


def week(rng: np.random.Generator, rows: int = 3000, *, wobble: float = 0.3) -> pd.DataFrame:
    """One week: `temp` and `score` have a mood of the week, the rest is drawn alike."""
    mood = rng.normal(0, wobble)
    return pd.DataFrame(
        {
            "temp": 60 + 15 * rng.normal(mood, 1, rows),
            "distance": rng.integers(80, 2500, rows),
            "hour": rng.integers(5, 23, rows).astype(float),
            "carrier": rng.choice(["UA", "B6", "EV", "DL", "OO"], rows, p=[0.4, 0.3, 0.2, 0.0995, 0.0005]),
            "score": 1 / (1 + np.exp(-rng.normal(mood, 1, rows))),
        }
    )


def reference_rows(*, weeks: int = 10, seed: int = 1, wobble: float = 0.3) -> tuple[pd.DataFrame, np.ndarray]:
    """Training rows and the window each belongs to."""
    rng = np.random.default_rng(seed)
    frames = [week(rng, wobble=wobble) for _ in range(weeks)]
    return pd.concat(frames, ignore_index=True), np.repeat([f"2013-W{w:02}" for w in range(1, weeks + 1)], 3000)


def reference(*, weeks: int = 10, policy: DriftPolicy = POLICY) -> ReferenceProfile:
    """The profile of those rows."""
    rows, windows = reference_rows(weeks=weeks)
    return build_profile(rows, window=windows, columns=WATCHED, prediction="score", policy=policy)
