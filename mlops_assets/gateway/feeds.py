"""The feeds' routes: what turned out to be true, and what became known.

Both may be sent again, late and in any order: what is there stays. Each item has an outcome of its own, so that one bad
row holds up no other.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.routing import Route

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.guarded import changing
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.tokens import Role
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.feature_store import feature_store
from mlops_assets.stores.serving.log_records import Labelled, Told, checked

MOST_BYTES = 1 << 20
MOST_ITEMS = 1000  # of one body
MOST_WAITING = 8  # bodies of events; they are taken one at a time


class Matured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of a request. `known_at`: an instant with its zone; now when it is left out."""

    id: str
    label: bool | int | float
    known_at: datetime | None = None


class Became(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a table as far as they are known. `arrived`: an instant with its zone; now when it is left out."""

    table: str
    rows: list[dict[str, Any]]
    arrived: datetime | None = None


_SAID = {Told.WRITTEN: "accepted", Told.WAITING: "waiting", Told.REPEATED: "duplicate", Told.CONFLICT: "conflict"}


def routes(gateway: Gateway) -> list[Route]:
    """POST /outcomes and POST /events."""
    events = Events(gateway)
    return [
        changing(gateway, "/outcomes", Role.FEED, list[Matured], MOST_BYTES, outcomes),
        changing(gateway, "/events", Role.FEED, Became, MOST_BYTES, events.accept),
    ]


async def outcomes(gateway: Gateway, who: str, sent: Sequence[Matured]) -> dict[str, Any]:
    """`{"items": [{"id", "status"}, ...], "counts"}`, in the order sent: accepted, duplicate, waiting (kept, no answer

    of that id yet), conflict (another label was told before and stands), refused; with a `reason` where there is one.
    """
    _check_count("outcomes", len(sent))
    now = gateway.clock_us()
    items: list[dict[str, Any]] = []
    fine: list[tuple[dict[str, Any], Labelled]] = []
    for one in sent:
        item = {"id": one.id, "status": "refused"}
        items.append(item)
        try:
            fine.append((item, _labelled(gateway, one, now)))
        except DataError as wrong:
            item["reason"] = str(wrong)
    if fine:
        for (item, _), outcome in zip(fine, await gateway.log.write([record for _, record in fine]), strict=True):
            item["status"] = _SAID[outcome.told]
            if outcome.told is Told.CONFLICT and isinstance(outcome.stored, Labelled):
                item["reason"] = f"the label was told as {outcome.stored.label:g} before, which stands"
    return _counted(items)


def _labelled(gateway: Gateway, one: Matured, now: int) -> Labelled:
    if gateway.use_case.label.task is Task.CLASSIFICATION and one.label not in (0, 1):
        raise DataError(f"label == {one.label}, must be true or false")
    known_us = _instant("known_at", one.known_at, now)
    record = Labelled(id=one.id, label=float(one.label), known_us=known_us, arrived_us=now)
    checked([record])
    return record


def _instant(name: str, given: datetime | None, now: int) -> int:
    """An instant that has passed, us since 1970. Raises DataError."""
    if given is None:
        return now
    if given.tzinfo is None:
        raise DataError(f"{name} == {given.isoformat()} has no zone: write it like 2013-01-28T10:05:00Z")
    if (found := instant_us(given.astimezone(UTC))) > now:
        raise DataError(f"{name} == {given.isoformat()} lies in the future: nothing is known before it is")
    return found


class Events:
    """The way of events into the feature store, in a thread of its own: it waits for disks."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._waiting = 0

    async def accept(self, gateway: Gateway, who: str, became: Became) -> dict[str, Any]:
        """`{"items": [{"status"}, ...], "counts"}`, in the order sent: accepted, duplicate, or quarantined with its

        `reason`. Raises DataError for a table that events cannot tell of, Refused when too many bodies wait.
        """
        _check_count("rows", len(became.rows))
        try:
            arrived_us = _instant("arrived", became.arrived, gateway.clock_us())
        except DataError as wrong:
            raise Refused(400, "malformed", str(wrong), where="arrived") from wrong
        if self._waiting >= MOST_WAITING:
            raise not_now("busy", f"{self._waiting} bodies of events wait to be taken: send it again.")
        self._waiting += 1
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._take, became, arrived_us)
        work.add_done_callback(self._taken)
        try:
            return _counted(await asyncio.shield(work))  # one who hangs up leaves it to be done all the same
        except (OSError, sqlite3.Error) as broken:
            raise not_now("unavailable", f"the feature store cannot be written ({broken}): send it again.") from broken

    def _taken(self, _: object) -> None:
        self._waiting -= 1

    def _take(self, became: Became, arrived_us: int) -> list[dict[str, Any]]:
        """Opening takes 8 ms, judging the rows some 300: nothing is kept open from one body to the next."""
        places, use_case = self._gateway.places, self._gateway.use_case
        assets = AssetStore(places.store)
        with feature_store(use_case, online=places.online, journals=places.journal, assets=assets) as (way, _):
            outcomes = way.accept(became.table, became.rows, arrived_us)
        return [{"status": one.status} | ({"reason": one.reason} if one.reason else {}) for one in outcomes]


def _check_count(what: str, count: int) -> None:
    if not 1 <= count <= MOST_ITEMS:
        raise Refused(413 if count else 400, "items", f"{count} {what}, must be 1 to {MOST_ITEMS}: split them.")


def _counted(items: list[dict[str, Any]]) -> dict[str, Any]:
    counts: Mapping[str, int] = Counter(item["status"] for item in items)
    return {"items": items, "counts": dict(sorted(counts.items()))}
