"""Every decision about a retraining: a row for each, however often it was made.

Here belongs writing them beside the ledger and reading them back. A sensor decides at every tick, mostly the same: that
raises the row's count of ticks and brings its numbers up to date. What makes another decision is another cause, another
sensor, or another guard that fails.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, case, insert, select, update

from mlops_assets.core.retraining.cause import Cause
from mlops_assets.core.retraining.guards import Guard
from mlops_assets.core.retraining.policy import Decision
from mlops_assets.core.versions import JSON, canonical_json, record_version
from mlops_assets.stores.records.tables import DECISION


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A decision of `sensor`, made `ticks` times between two instants (ISO 8601, UTC); its numbers are the last ones.

    `signal` is the name of a `Signal`, `signals` what the sensor gave as evidence.
    """

    use_case: str
    sensor: str
    window: str
    model: str
    signal: str
    key: str
    yes: bool
    reason: str
    guards: tuple[Guard, ...]
    signals: Mapping[str, Any]
    first_at: str
    last_at: str
    ticks: int


def put(
    connection: Connection, cause: Cause, decision: Decision, *, sensor: str, signals: Mapping[str, JSON], at: str
) -> bool:
    """Write a decision down, or count it once more; True when it is a new one. `at` is as the ledger writes it."""
    failing = [guard.name for guard in decision.guards if not guard.holds]
    who = {"use_case": cause.use_case, "sensor": sensor, "key": cause.key}
    id_, c = record_version(who | {"failing": failing}), DECISION.c
    told = {"reason": decision.reason, "guards": _json(guards_of(decision)), "signals": _json(dict(signals))}
    last = case((c.last_at < at, at), else_=c.last_at)
    again = update(DECISION).where(c.id == id_).values(**told, ticks=c.ticks + 1, last_at=last)
    if not connection.execute(again).rowcount:
        about = {"window": cause.window, "model": cause.model, "signal": cause.signal.name, "yes": decision.yes}
        connection.execute(insert(DECISION).values(id=id_, **who, **about, **told, first_at=at, last_at=at, ticks=1))
        return True
    return False


def read(connection: Connection, use_case: str, limit: int) -> list[Recorded]:
    """The decisions made last, the newest first."""
    c = DECISION.c
    asked = select(*(column for column in c if column.name != "id")).where(c.use_case == use_case)
    rows = connection.execute(asked.order_by(c.last_at.desc(), c.first_at.desc(), c.id).limit(limit)).mappings()
    return [
        Recorded(**{**row, "guards": _guards(row["guards"]), "signals": json.loads(row["signals"])}) for row in rows
    ]


def guards_of(decision: Decision) -> list[dict[str, JSON]]:
    """The guards of a decision as JSON."""
    return [asdict(guard) for guard in decision.guards]


def _guards(text: str) -> tuple[Guard, ...]:
    return tuple(Guard(**guard) for guard in json.loads(text))


def _json(value: JSON) -> str:
    return canonical_json(value).decode()
