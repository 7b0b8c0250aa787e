"""Weeks of parcels as a replay reads them, and a gateway's world in which they are played."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, cast

import pyarrow as pa

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare import Quality, RolloutPlan, Step, UseCase
from mlops_assets.replay.stretches import Stretch, stretches
from mlops_assets.replay.weeks import Weeks
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.core import tiny

HOUR_US = 3_600_000_000
PLAN = RolloutPlan(
    quality=Quality(loss="brier", margin=0.1, block=None), steps=(Step(share=0.5, margin=10.0, least=100),),
    most_bad=0.4, shadow_least=200, soak_least=200, unit=("parcel",),
)  # fmt: skip


def use_case() -> UseCase:
    """The parcels, with a plan that a few hours of them fulfil."""
    return replace(tiny.use_case(), rollout=PLAN)


@cache
def _table(key: str, rows: int) -> pa.Table:
    frame = tiny.week(tiny.WEEKS.index(key), rows)
    names = ("parcel", "depot", "weight", "stops", "fragile", "late")
    kinds = {"fragile": pa.bool_(), "late": pa.bool_()}
    columns = {name: pa.array(frame[name], kinds.get(name), from_pandas=True) for name in names}
    instants = {"asked": frame["asked"], "arrived": frame["label_known_at"]}
    return pa.table(columns | {n: pa.array(s).cast(pa.timestamp("us", "UTC")) for n, s in instants.items()})


class Parcels:
    """So many parcels a week, in memory: what is asked of `replay.weeks.Weeks`."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.read: list[str] = []

    def tables(self, week: str) -> Mapping[str, pa.Table]:
        self.read.append(week)
        return {"parcels": _table(week, self.rows)}

    def sent(self, week: str, *, features: bool) -> tuple[pa.Table, pa.Table, tuple[str, ...]]:
        found = self.tables(week)["parcels"]
        return found, found, ("asked", "depot", "weight", "stops", "fragile", "parcel")


def weeks(rows: int = 2_000) -> Weeks:
    """Weeks of so many parcels."""
    return cast(Weeks, Parcels(rows))


def hours(count: int | None = None, **options: Any) -> list[Stretch]:
    """The first stretches, of an hour each."""
    return list(stretches(use_case(), weeks(), tiny.WEEKS[:1], seed=1, every_us=HOUR_US, **options))[:count]


def nominate(places: Settings, version: int, plan: RolloutPlan = PLAN) -> None:
    """Open a rollout of a version as the first week begins."""
    declared = use_case()
    begin, _ = declared.partitions.bounds(tiny.WEEKS[0])
    with Rollouts(places.serving, "parcels") as rollouts:
        rollouts.open(
            version, plan, declared.label.task, baseline_of=version, who="tests", why="it is new",
            at_us=instant_us(begin - timedelta(hours=1)),
        )  # fmt: skip
