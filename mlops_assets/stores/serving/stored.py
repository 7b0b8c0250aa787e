"""Events and row of a rollout in their tables: read back as they are, written whole.

Here belongs the way between records and columns. What of it is believed is the business of whoever asks.
"""

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, insert, select, update

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.serving.lease import Lease
from mlops_assets.stores.serving.tables import EVENT, LEASE, ROLLOUT

_LISTS = ("finalized", "waiting")  # columns that hold JSON
_EVENTS = (  # made once: that takes longer than asking
    select(*(column for column in EVENT.c if column.name != "use_case"))
    .where((EVENT.c.use_case == bindparam("asked")) & (EVENT.c.epoch > bindparam("since")))
    .order_by(EVENT.c.epoch)
)


def missing(standing: Standing, events: list[Event]) -> str:
    """What is wrong when `events`, read from the last one that `standing` knows on, do not begin with it; or ""."""
    if not standing.row.epoch or (events and (events[0].epoch, events[0].hash) == (standing.row.epoch, standing.hash)):
        return ""
    return (
        f"event {standing.row.epoch} of the rollouts of {standing.row.use_case} is gone or another than it was: put "
        "back what is right from a backup"
    )


def read_events(connection: Connection, use_case: str, since: int) -> list[Event]:
    """The events after an epoch, in order. Raises DamagedError for what is none."""
    found = []
    for row in connection.execute(_EVENTS, {"asked": use_case, "since": since}).mappings():
        try:
            found.append(Event(**{**row, "kind": Kind(row["kind"]), "facts": _object(row["facts"])}))
        except (ValueError, TypeError) as wrong:
            raise DamagedError(f"event {row['epoch']} of the rollouts of {use_case} is none ({wrong}).") from wrong
    return found


def peek(connection: Connection, use_case: str) -> tuple[dict[str, Any] | None, Lease | None]:
    """The columns of the row as they are, which are not believed, and the lease; None where there is none."""
    row = connection.execute(_PEEK, {"asked": use_case}).one()
    columns = {column.name: value for column, value in zip(ROLLOUT.c, row, strict=False)}
    lease = Lease(*row[-3:]) if row[-1] is not None else None
    return (columns if columns["use_case"] is not None else None), lease


def _peek() -> Select[Any]:
    asked = select(bindparam("asked", type_=Text).label("use_case")).subquery()
    joined = asked.outerjoin(ROLLOUT, ROLLOUT.c.use_case == asked.c.use_case)
    joined = joined.outerjoin(LEASE, LEASE.c.use_case == asked.c.use_case)
    return select(*ROLLOUT.c, LEASE.c.holder, LEASE.c.token, LEASE.c.beats).select_from(joined)


_PEEK = _peek()


def columns_of(row: Row) -> dict[str, Any]:
    """The row as the table holds it, by column."""
    told = row.to_json()
    return told | {name: canonical_json(told[name]).decode() for name in _LISTS}


def put(connection: Connection, row: Row) -> None:
    """Write the row in the place of whatever stands there."""
    columns = columns_of(row)
    if not connection.execute(update(ROLLOUT).where(ROLLOUT.c.use_case == row.use_case).values(**columns)).rowcount:
        connection.execute(insert(ROLLOUT).values(**columns))


def append(connection: Connection, use_case: str, event: Event) -> None:
    """Write a sealed event."""
    told = asdict(event) | {"kind": event.kind.value, "facts": canonical_json(dict(event.facts)).decode()}
    connection.execute(insert(EVENT).values(use_case=use_case, **told))


def is_told(connection: Connection, use_case: str, once: str) -> bool:
    """True when the event of that name was written."""
    c = EVENT.c
    return connection.execute(select(c.epoch).where((c.use_case == use_case) & (c.once == once))).first() is not None


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its facts are no object")
    return found
