"""What the gateways say of themselves: which epoch they follow, which versions they have loaded.

Here belongs writing and reading it. Who of them lives is for the reader to see, by `lease.Silence`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from mlops_assets.core.versions import canonical_json
from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.tables import GATEWAY

LOADING, READY, REFUSED = "loading", "ready", "refused"  # refused is followed by ": " and why


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One gateway process: `slots` by version is loading, ready, or "refused: why"; `beats` counts signs of life."""

    name: str
    epoch: int
    slots: Mapping[int, str]
    beats: int


class Heartbeats:
    """The gateways of a use case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, gateway: str, epoch: int, slots: Mapping[int, str]) -> None:
        """A sign of life of a gateway that follows `epoch`."""
        told = {"epoch": epoch, "slots": canonical_json({str(v): s for v, s in slots.items()}).decode()}
        c = GATEWAY.c
        with self._database.writing() as connection:
            mine = (c.use_case == self._database.use_case) & (c.gateway == gateway)
            if not connection.execute(update(GATEWAY).where(mine).values(**told, beats=c.beats + 1)).rowcount:
                who = {"use_case": self._database.use_case, "gateway": gateway}
                connection.execute(insert(GATEWAY).values(**who, **told, beats=1))

    def leave(self, gateway: str) -> None:
        """A gateway that ends says so; one that is killed cannot, and falls silent."""
        mine = (GATEWAY.c.use_case == self._database.use_case) & (GATEWAY.c.gateway == gateway)
        with self._database.writing() as connection:
            connection.execute(delete(GATEWAY).where(mine))

    def all(self) -> list[Gateway]:
        """Every gateway that ever said something and did not leave, by name."""
        c = GATEWAY.c
        asked = select(c.gateway, c.epoch, c.slots, c.beats).where(c.use_case == self._database.use_case)
        with self._database.reading() as connection:
            rows = connection.execute(asked.order_by(c.gateway)).tuples().all()
        return [
            Gateway(name=name, epoch=epoch, beats=beats, slots={int(v): s for v, s in json.loads(slots).items()})
            for name, epoch, slots, beats in rows
        ]
