"""Parcels of a new depot: first a few, which no alarm hears of, then a third of all.

The parcels of `tests/core/tiny.py`, and from `OPENED` on some of depot "west", all of them late. A model that never saw
the depot takes them for any others; one trained since knows better.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.declare import Retraining, UseCase, Weekly
from mlops_assets_tests.core import tiny

AXIS = Weekly(start="2024-01-01", end="2024-04-08", timezone="UTC")
WEEKS = AXIS.keys()
FIRST, OPENED, PLANTED = WEEKS[3], WEEKS[4], WEEKS[7]


def use_case(**changes: Any) -> UseCase:
    """Trained on four weeks at least; `changes` are fields of the use case."""
    declared = replace(tiny.use_case(min_weeks=4, max_weeks=20), partitions=AXIS, retraining=Retraining(fresh=1_000))
    return replace(declared, **changes)


def week(key: str, rows: int = 3_000) -> pd.DataFrame:
    """The feature table of a week."""
    place = WEEKS.index(key)
    frame = tiny.week(place, rows)
    share = 0.0 if key < OPENED else 0.05 if key < PLANTED else 0.35
    west = np.random.default_rng([9, place]).random(rows) < share
    late = frame["late"].mask(west & frame["late"].notna(), True)
    return frame.assign(depot=frame["depot"].mask(west, "west"), late=late.astype("boolean"))


def frames() -> dict[str, pd.DataFrame]:
    """All weeks, oldest first."""
    return {key: week(key) for key in WEEKS}
