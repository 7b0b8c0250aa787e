"""A rollout that is kept, moved by hand up the small ladder of `core/rollout/ladder.py`, and attacked."""

from typing import Any

from sqlalchemy import text

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.state import Row
from mlops_assets.declare import RolloutPlan
from mlops_assets.stores.serving.lease import Lease
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.core.rollout.ladder import CLIMB, PLAN, TERMS, WHEN_US, event, proven

TOLD: dict[str, Any] = {"who": "test", "why": "to see", "at_us": WHEN_US}


def opened(rollouts: Rollouts, version: int = 3, plan: RolloutPlan = PLAN, once: str = "") -> Row:
    """The version is nominated."""
    return rollouts.open(version, plan, TERMS.task, baseline_of=3, once=once, **TOLD)


def lease(rollouts: Rollouts) -> Lease:
    """The lease, taken from whoever had it."""
    taken = rollouts.leases.take("test", rollouts.leases.look())
    assert taken is not None
    return taken


def write(rollouts: Rollouts, kind: Kind, **facts: object) -> Row:
    """An event behind where it stands now, proven where it must be."""
    standing = rollouts.standing()
    told: Event = proven(standing, kind) if kind.increases else event(standing, kind, **facts)
    return rollouts.write(told, expect=standing.row.epoch, lease=lease(rollouts) if kind.increases else None)


def climbed(rollouts: Rollouts, steps: int, version: int = 3) -> Row:
    """After opening a rollout and so many steps of the ladder: 1 shadow, 2 and 3 canary, 4 soak, 5 final."""
    row = opened(rollouts, version)
    for kind in CLIMB[:steps]:
        row = write(rollouts, kind)
    return row


def by_hand(rollouts: Rollouts, statement: str, **values: object) -> None:
    """What somebody does to the tables with a client of the database."""
    with rollouts.database.writing() as connection:
        connection.execute(text(statement), values)
