"""A route that changes something: shown a token, small, strict JSON, one record in, JSON out.

Here belongs what all of them have in common, in this order: who asks, then how much, then what. Nothing is read of a
request that may not.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.declare.errors import DamagedError, DataError, IllegalTransition
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.replies import decoded
from mlops_assets.gateway.tokens import Role
from mlops_assets.stores.serving import database, log_places

Body = TypeVar("Body")
Handler = Callable[[Gateway, str, Body], Awaitable[Any]]
_UNAVAILABLE = (database.Unavailable, log_places.Unavailable, DamagedError)


def changing(gateway: Gateway, path: str, role: Role, body: type[Body], most: int, handler: Handler[Body]) -> Route:
    """POST `path` for whoever may do what `role` may, with a JSON `body` of at most `most` bytes.

    `handler` gets the gateway, who asks, and the body; what it returns is the answer. Its DataError is told as 409,
    a database that does not answer, or is damaged, as 503. Whatever is refused is raised as Refused, which the app
    answers.
    """
    decoder = msgspec.json.Decoder(body)

    async def endpoint(request: Request) -> Response:
        role_ = gateway.tokens.admit(request.scope["headers"], role)
        who = f"{role_.value} at {request.client.host if request.client else 'this machine'}"
        told = decoded(await _whole(request, most) or b"{}", decoder)
        try:
            return json_response(await handler(gateway, who, told))
        except _UNAVAILABLE as absent:
            raise not_now("unavailable", str(absent)) from absent
        except (DataError, IllegalTransition) as wrong:
            raise Refused(409, "refused", str(wrong)) from wrong

    return Route(path, endpoint, methods=["POST"], name=path.strip("/"))


def json_response(value: Any) -> Response:
    """200 with JSON, which nobody keeps."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


async def _whole(request: Request, most: int) -> bytes:
    """The body, refused as soon as it is too large."""
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            raise Refused(413, "too_large", f"the body has more than {most:,} bytes: send it in parts.",
                          headers=(("connection", "close"),))  # fmt: skip  # the rest of it is not read
    return found
