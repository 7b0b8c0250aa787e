"""The edge of HTTP/1.1: how many connections there may be, how long a request may take to arrive, how long a header is.

uvicorn bounds none of these (40 of 40 stalled connections stay open), so its protocol is told here. A connection that
waits for the rest of its request is closed with 408; when too many are open, the one that has been silent for longest
goes. It knows no route.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.stats import Stats

MOST_CONNECTIONS = 800  # of one worker; a process may have 1024 files open by default
HEADER_BYTES = 16 << 10
HEADERS = 100
REQUEST_S = 10.0  # from its first byte to its last
IDLE_S = 30.0  # between two requests of one connection
EVERY_S = 0.5


class Edge:
    """The connections of one worker. `protocol` is what uvicorn makes one of."""

    def __init__(self, stats: Stats, monotonic: Callable[[], float]) -> None:
        self.stats, self.monotonic = stats, monotonic
        self.open: dict[Connection, None] = {}

    def protocol(self, *args: Any, **kwargs: Any) -> "Connection":
        """A connection; arguments are uvicorn's."""
        return Connection(self, *args, **kwargs)

    async def sweep(self) -> None:
        """Close what has been silent for too long, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            now = self.monotonic()
            for connection in list(self.open):
                if connection.since is not None and now - connection.since > REQUEST_S:
                    self.stats.add("connections_timed_out_total")
                    connection.refuse(Refused(408, "timeout", f"the request did not arrive within {REQUEST_S:g} s."))

    def admitted(self, connection: "Connection") -> bool:
        """Take a connection in; when there are too many, in the place of one that sends nothing."""
        if len(self.open) >= MOST_CONNECTIONS:
            stalled = min(
                (one for one in self.open if one.since is not None), key=lambda one: one.since or 0.0, default=None
            )
            self.stats.add("connections_refused_total")
            if stalled is None:
                return False
            stalled.refuse(Refused(408, "timeout", "the request did not arrive, and others wait."))
        self.open[connection] = None
        self.stats.set("connections", len(self.open))
        return True

    def left(self, connection: "Connection") -> None:
        """A connection is closed."""
        self.open.pop(connection, None)
        self.stats.set("connections", len(self.open))


class Connection(HttpToolsProtocol):
    """One connection. `since`: since when the rest of a request is waited for; None while none is."""

    def __init__(self, edge: Edge, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at_edge = edge
        self.since: float | None = edge.monotonic()
        self._header_bytes = 0
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn names the narrower type
        if not self._at_edge.admitted(self):
            self.refuse(Refused(503, "busy", "too many connections are open.", retry_after=1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._at_edge.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self.since is None and (self.cycle is None or self.cycle.response_complete):
            self.since = self._at_edge.monotonic()
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._counted(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._counted(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.since = None
        if not self._refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.cycle.more_body:
            self.since = None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self.refuse(Refused(400, "malformed", f"this is no HTTP/1.1 request ({msg})"))

    def refuse(self, refused: Refused) -> None:
        """Say why, and hang up."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._at_edge.stats.replied("other", refused.status)
        lines = [b"%s: %s\r\n" % header for header in refused.headers]
        answered = self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started
        if not answered:
            self.transport.write(
                STATUS_LINE[refused.status]
                + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n" % len(refused.body)
                + b"".join(lines)
                + b"\r\n"
                + refused.body
            )
        self.transport.close()

    def _counted(self, more: int) -> None:
        self._header_bytes += more
        if self._header_bytes > HEADER_BYTES or (self.headers is not None and len(self.headers) > HEADERS):
            most = f"{HEADER_BYTES >> 10} KiB and {HEADERS} headers"
            self.refuse(Refused(431, "header_too_large", f"the request's header is larger than {most}."))
