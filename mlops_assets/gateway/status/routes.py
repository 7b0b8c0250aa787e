"""GET / and GET /status.json: the status, read anew at most twice a second however many look."""

import asyncio
import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.guarded import json_response
from mlops_assets.gateway.refusals import not_now
from mlops_assets.gateway.status.gathering import Gathering
from mlops_assets.gateway.status.page import page, policy
from mlops_assets.gateway.status.record import Status

KEPT_S = 0.5


def routes(gateway: Gateway) -> list[Route]:
    """The two routes."""
    seen = _Seen(gateway)

    async def as_page(_: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {
            "content-security-policy": policy(nonce),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return Response(page(await seen.now(), nonce), media_type="text/html", headers=headers)

    async def as_json(_: Request) -> Response:
        return json_response((await seen.now()).to_json())

    return [Route("/", as_page, methods=["GET"], name="status"),
            Route("/status.json", as_json, methods=["GET"], name="status.json")]  # fmt: skip


class _Seen:
    """The last status read; whoever asks while it is read waits for the same reading."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._gathering = Gathering(gateway.rollouts, gateway.log.recent, gateway.clock_us, gateway.monotonic)
        self._reading: asyncio.Task[Status] | None = None
        self._began = 0.0

    async def now(self) -> Status:
        """The status, read no longer than KEPT_S ago. Raises Refused when a database does not answer."""
        now = self._gateway.monotonic()
        if self._reading is None or (self._reading.done() and now - self._began > KEPT_S):
            self._began = now
            routing = self._gateway.watch.current()
            self._reading = asyncio.create_task(asyncio.to_thread(self._gathering.status, routing))
        try:
            return await asyncio.shield(self._reading)
        except MlopsError as absent:
            raise not_now("unavailable", str(absent)) from absent
