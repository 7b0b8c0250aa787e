"""Requests and replies as the routes of this room see them, and how a body is read: bounded, whatever a header says.

Here belongs the edge of ASGI. What a body means is each route's own.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mlops_assets.gateway.refusals import Refused, malformed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_BYTES = 8 << 20
JSON = "application/json"
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class HungUp(Exception):
    """Whoever asked has gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = [
            (b"content-type", self.content_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-content-type-options", b"nosniff"),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request whose body was read. `path` holds what stands in the braces of its route."""

    headers: Mapping[bytes, bytes]
    body: bytes
    path: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; Refused for a character set other than UTF-8."""
        kind, _, rest = self.headers.get(b"content-type", b"").decode("latin-1").partition(";")
        charset = rest.strip().lower()
        if charset.startswith("charset=") and charset[8:].strip("\"' ") not in ("utf-8", "utf8", "us-ascii"):
            raise Refused(415, "content_type", f"charset {charset[8:60]!r}, must be UTF-8.")
        return kind.strip().lower()


def request_id(headers: Mapping[bytes, bytes], new: Callable[[], str]) -> str:
    """The client's X-Request-Id, else a new one. Raises Refused for one that cannot be a prediction's id."""
    given = headers.get(b"x-request-id")
    return new() if given is None else check_id("X-Request-Id", given.decode("latin-1"))


def check_id(where: str, given: str) -> str:
    """The id itself. Raises Refused for one that cannot be a prediction's id."""
    if not _ID.fullmatch(given):
        raise malformed(where, given, "must be 1 to 100 of A-Z a-z 0-9 . _ -", "send such an id, or none")
    return given


def refusal(refused: Refused, id_: str = "") -> Reply:
    """The reply that says no."""
    echoed = ((b"x-request-id", id_.encode()),) if id_ else ()
    return Reply(refused.body, refused.status, headers=(*refused.headers, *echoed))


def decoded(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The body as the decoder's type. Raises Refused for what is no JSON, or another type: it says where."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as wrong:
        rule, _, path = str(wrong).partition(" - at ")
        raise malformed(path.strip("`") or "$", "", _rule(rule), "correct it") from wrong
    except RecursionError as deep:
        raise malformed("$", "", "is nested too deeply", "send plain rows") from deep
    except (msgspec.DecodeError, ValueError) as none:
        raise malformed("$", "", f"must be JSON in UTF-8 ({none})", "a value that is not known is null") from none


def _rule(rule: str) -> str:
    return f"must be right ({rule})"


async def body_of(scope: Scope, receive: Receive, most: int = MOST_BYTES) -> bytes:
    """The whole body. Raises Refused 413 before more than `most` bytes are held, HungUp."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if not declared.isdigit() or int(declared[:20]) > most:
        raise too_large(most)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        found: bytes = message.get("body", b"")
        if len(found) > most:
            raise too_large(most)
        return found
    body = bytearray()
    while True:
        if message["type"] != "http.request":
            raise HungUp
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body", False):
            return bytes(body)
        message = await receive()


def too_large(most: int) -> Refused:
    """413: the connection is closed after it, since the rest of the body is not read."""
    return Refused(
        413,
        "too_large",
        f"the body is larger than {most >> 20} MiB: send it in parts.",
        headers=(("connection", "close"),),
    )
