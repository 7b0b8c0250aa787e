"""What the gateways say of themselves: which epoch they follow, which versions they have loaded.

Here belongs writing and reading it. Who of them lives is for the reader to see, by `lease.Silence`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from mlops_assets.core.versions import canonical_json
from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.tables import GATEWAY

_C = GATEWAY.c
# made once: that takes longer than asking
_ALL = select(_C.gateway, _C.epoch, _C.slots, _C.beats).where(_C.use_case == bindparam("asked")).order_by(_C.gateway)
_BEAT = (
    update(GATEWAY)
    .where((_C.use_case == bindparam("asked")) & (_C.gateway == bindparam("whose")))
    .values(epoch=bindparam("now"), slots=bindparam("said"), beats=_C.beats + 1)
)

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
        use_case, said = self._database.use_case, canonical_json({str(v): s for v, s in slots.items()}).decode()
        with self._database.writing() as connection:
            told = {"asked": use_case, "whose": gateway, "now": epoch, "said": said}
            if not connection.execute(_BEAT, told).rowcount:
                first = {"use_case": use_case, "gateway": gateway, "epoch": epoch, "slots": said, "beats": 1}
                connection.execute(insert(GATEWAY).values(**first))

    def leave(self, gateway: str) -> None:
        """A gateway that ends says so; one that is killed cannot, and falls silent."""
        mine = (GATEWAY.c.use_case == self._database.use_case) & (GATEWAY.c.gateway == gateway)
        with self._database.writing() as connection:
            connection.execute(delete(GATEWAY).where(mine))

    def all(self) -> list[Gateway]:
        """Every gateway that ever said something and did not leave, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(_ALL, {"asked": self._database.use_case}).tuples().all()
        return [
            Gateway(name=name, epoch=epoch, beats=beats, slots={int(v): s for v, s in json.loads(slots).items()})
            for name, epoch, slots, beats in rows
        ]
