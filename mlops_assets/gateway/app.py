"""The ASGI application: which path is what, and one form for everything that is refused.

Predictions have the shortest way; the operator's routes, the feeds and the status page are Starlette's.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from mlops_assets.gateway import inference, invocations, metrics, openapi
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.replies import (
    MOST_BYTES,
    HungUp,
    Incoming,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    body_of,
    refusal,
    request_id,
    too_large,
)

Handler = Callable[[Gateway, Incoming, str], Awaitable[Reply]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOG = logging.getLogger("mlops_assets.gateway")
_READ = {"GET", "HEAD"}


async def ping(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """MLflow's health check: 200 when predictions would be answered."""
    fault = unready(gateway)
    return Reply(b"\n", 503 if fault else 200, headers=((b"retry-after", b"1"),) if fault else ())


async def version(_gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """The version of MLflow's protocol that is spoken."""
    return Reply(invocations.PROTOCOL.encode(), content_type="text/plain")


async def alive(_gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """The process lives."""
    return Reply(b'{"status":"ok"}')


async def ready(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """Predictions would be answered."""
    if fault := unready(gateway):
        raise Refused(503, "not_ready", fault, retry_after=1)
    return Reply(b'{"status":"ready"}')


async def counts(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """Prometheus' text."""
    routing = gateway.watch.current()
    row = routing.row
    gauges = {
        "epoch": row.epoch, "challenger_share": row.share, "champion_version": row.champion,
        "challenger_version": row.challenger or 0, "controller_alive": routing.alive, "row_honoured": routing.honoured,
        "log_waiting": gateway.log.waiting,
    }  # fmt: skip
    return Reply(metrics.exposition(gateway.stats.slab, gauges), content_type=metrics.CONTENT_TYPE)


async def document(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """The OpenAPI document."""
    return Reply(openapi.document(gateway.use_case))


async def page(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """The same as a page."""
    return Reply(openapi.page(gateway.use_case), content_type="text/html; charset=utf-8")


def unready(gateway: Gateway) -> str:
    """Why predictions would not be answered now; empty when they would."""
    routing = gateway.watch.current()
    row = routing.row
    if not routing.honoured and not row.epoch:
        return f"where the rollout stands cannot be read: {routing.fault}"
    if not row.champion and not row.baseline_of:
        return "no model was nominated yet"
    if not gateway.slots.is_ready(row.champion):
        state = gateway.slots.states.get(row.champion, "asked for")
        return f"the champion {gateway.use_case.name}@{row.champion} is not ready: {state}"
    return gateway.batcher.closed


_HERE: Mapping[str, Mapping[str, tuple[str, Handler]]] = {
    "/invocations": {"POST": ("invocations", invocations.invoke)},
    "/ping": dict.fromkeys(_READ, ("read", ping)),
    "/health": dict.fromkeys(_READ, ("read", ping)),
    "/version": dict.fromkeys(_READ, ("read", version)),
    "/healthz": dict.fromkeys(_READ, ("read", alive)),
    "/readyz": dict.fromkeys(_READ, ("read", ready)),
    "/metrics": dict.fromkeys(_READ, ("read", counts)),
    "/openapi.json": dict.fromkeys(_READ, ("read", document)),
    "/docs": dict.fromkeys(_READ, ("read", page)),
    "/v2": dict.fromkeys(_READ, ("read", inference.server)),
    "/v2/health/live": dict.fromkeys(_READ, ("read", inference.live)),
    "/v2/health/ready": dict.fromkeys(_READ, ("read", ready)),
}
_MODEL: Mapping[str, Mapping[str, tuple[str, Handler]]] = {  # below /v2/models/{name}[/versions/{version}]
    "": dict.fromkeys(_READ, ("read", inference.model)),
    "ready": dict.fromkeys(_READ, ("read", inference.model_ready)),
    "infer": {"POST": ("infer", inference.infer)},
}


def build(gateway: Gateway, more: Sequence[BaseRoute] = ()) -> App:
    """The application; `more` are the routes of the other rooms."""
    errors: dict[Any, Any] = {HTTPException: _as_json, Refused: _as_json, Exception: _unexpected}
    others = Starlette(routes=list(more), exception_handlers=errors)
    return partial(_answer, gateway, others)


async def _answer(gateway: Gateway, others: App, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    began = gateway.monotonic()
    status = 500
    id_, route = "", "other"

    async def counted(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    try:
        methods, path = _found(scope["path"])
        if methods is None:
            route = _ROUTES.get(scope["path"], "other" if scope["method"] == "POST" else "read")
            await others(scope, _bounded(receive), counted)
            return
        if scope["method"] not in methods:
            raise Refused(
                405,
                "method",
                f"{scope['method']} is not possible here.",
                headers=(("allow", ", ".join(sorted(methods))),),
            )
        route, handler = methods[scope["method"]]
        headers = dict(scope["headers"])
        id_ = request_id(headers, gateway.new_id)
        body = b"" if route == "read" else await body_of(scope, receive)
        incoming = Incoming(headers, body, path)
        await (await handler(gateway, incoming, id_)).send(counted)
    except Refused as refused:
        await refusal(refused, id_).send(counted)
    except HungUp:
        status = 0
    except Exception:
        _LOG.exception("a request failed")
        await refusal(
            Refused(500, "internal", "this should not have happened; the gateway's log tells more."), id_
        ).send(counted)
    finally:
        gateway.stats.replied(route, status)
        if route in ("invocations", "infer"):
            gateway.stats.took("request_seconds", gateway.monotonic() - began)


_ROUTES = {"/outcomes": "outcomes", "/events": "events", "/rollback": "operate", "/rollout/pause": "operate",
           "/rollout/resume": "operate", "/rollout/abort": "operate"}  # fmt: skip


def _found(path: str) -> tuple[Mapping[str, tuple[str, Handler]] | None, Mapping[str, str]]:
    """What may be done at a path, and what its braces hold; None where nothing of this room is."""
    if path in _HERE:
        return _HERE[path], {}
    parts = path.split("/")
    if parts[:3] != ["", "v2", "models"] or len(parts) < 4:
        return None, {}
    named = {"name": parts[3]}
    rest = parts[4:]
    if len(rest) >= 2 and rest[0] == "versions":
        named["version"], rest = rest[1], rest[2:]
    return (_MODEL.get("/".join(rest)), named) if rest != [""] else (None, {})


def _bounded(receive: Receive) -> Receive:
    """The same, for routes that read their body themselves: no more than the most."""
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > MOST_BYTES:
            raise too_large(MOST_BYTES)
        return message

    return bounded


async def _as_json(_request: Request, error: Exception) -> Response:
    """Starlette's own errors, in our form."""
    if isinstance(error, HTTPException):
        code = {404: "not_found", 405: "method"}.get(error.status_code, "refused")
        more = tuple((error.headers or {}).items())
        error = Refused(error.status_code, code, str(error.detail), headers=more)
    if not isinstance(error, Refused):
        raise error
    headers = {name.decode(): value.decode("latin-1") for name, value in error.headers}
    return Response(error.body, error.status, headers, "application/json")


async def _unexpected(_request: Request, _error: Exception) -> Response:
    refused = Refused(500, "internal", "this should not have happened; the gateway's log tells more.")
    return Response(refused.body, 500, media_type="application/json")
