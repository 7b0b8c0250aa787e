"""The operator's routes: where the rollout stands, the brake, the way back. Each is one event, which says who and why.

Nothing here raises a share. What a command does is the rollout's business (`core/rollout/commands.py`); the events are
the audit, and the controller tells the ledger of them.
"""

import asyncio
from collections import deque
from math import ceil
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.guarded import Handler, changing, json_response
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.tokens import Role
from mlops_assets.stores.serving.log_records import plain

MOST_BYTES = 4096
MOST_A_MINUTE = 20  # pauses and resumptions: a script that has run wild fills no log. A way back is never refused.
_COMMANDS = ("pause", "resume", "abort")


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for whoever reads it later: one line, at most 1000 characters.

    `once` names the command: sent again it changes nothing.
    """

    why: str = "by hand"
    once: str = ""


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Back to a finalized version; null: to the champion while a rollout runs, else to the one before it."""

    to: int | None = None
    why: str = "by hand"
    once: str = ""


def routes(gateway: Gateway) -> list[Route]:
    """GET /rollout; POST /rollout/pause, /rollout/resume, /rollout/abort, /rollback."""

    async def state(_: Request) -> Response:
        try:
            row = await asyncio.to_thread(gateway.rollouts.row)
        except DataError as absent:
            raise not_now("unavailable", str(absent)) from absent
        routing = gateway.watch.current()
        told = {"in_force": routing.row.share, "alive": routing.alive, "honoured": routing.honoured}
        return json_response(row.to_json() | told | {"fault": routing.fault})

    made = [Route("/rollout", state, methods=["GET"], name="rollout")]
    often: deque[float] = deque(maxlen=MOST_A_MINUTE)
    for name in _COMMANDS:
        made.append(changing(gateway, f"/rollout/{name}", Role.OPERATOR, Reason, MOST_BYTES, _ordered(name, often)))
    return [*made, changing(gateway, "/rollback", Role.OPERATOR, Back, MOST_BYTES, _back)]


def _ordered(command: str, often: deque[float]) -> Handler[Reason]:
    async def order(gateway: Gateway, who: str, reason: Reason) -> dict[str, Any]:
        if command != "abort":
            _check_often(often, gateway.monotonic())
        ask = getattr(gateway.rollouts, command)
        row = await asyncio.to_thread(ask, who=who, why=plain(reason.why), at_us=gateway.clock_us(), once=reason.once)
        return dict(row.to_json())

    return order


def _check_often(often: deque[float], now: float) -> None:
    """Raises Refused when MOST_A_MINUTE came within the last minute."""
    if len(often) == MOST_A_MINUTE and now - often[0] < 60:
        wait = ceil(60 - (now - often[0]))
        raise Refused(429, "too_often", f"{MOST_A_MINUTE} a minute are the most: wait {wait} s.", retry_after=wait)
    often.append(now)


async def _back(gateway: Gateway, who: str, back: Back) -> dict[str, Any]:
    restore, at_us = gateway.rollouts.restore, gateway.clock_us()
    row = await asyncio.to_thread(restore, back.to, who=who, why=plain(back.why), at_us=at_us, once=back.once)
    return row.to_json()
