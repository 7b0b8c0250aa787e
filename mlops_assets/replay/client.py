"""One HTTP/1.1 connection that is kept open, as cheap as a client in Python gets: bytes out, status and bytes in.

Here belongs the wire. It knows JSON no more than it knows a use case. Answers need a Content-Length, as ours have.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from mlops_assets.declare.errors import DataError

_NO_STATUS = "the answer is no HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: HTTP status, body, and how many seconds the server asks to wait (0: it does not)."""

    status: int
    body: bytes
    retry_after: float = 0.0


class LostError(ConnectionError):
    """The connection broke, timed out or spoke no HTTP before the whole answer was there."""


class Connection:
    """`async with` it. A lost connection is opened again by the next request."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        try:
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise ValueError(parts.scheme)
            self._port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise DataError(f"--url {url!r} is no address of a gateway: write it like http://127.0.0.1:8080.") from None
        self._host, self._path, self._tls = parts.hostname, parts.path.rstrip("/"), parts.scheme == "https"
        self._netloc, self._timeout = parts.netloc.rpartition("@")[2], timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self._drop()

    async def post(self, path: str, body: bytes, headers: str = "") -> Answer:
        """Send JSON and wait for the answer; `headers` are whole lines. Raises LostError."""
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\nHost: {self._netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        return await self._exchange(head.encode("latin-1") + body)

    async def get(self, path: str) -> Answer:
        """Ask for a page. Raises LostError."""
        return await self._exchange(
            f"GET {self._path}{path} HTTP/1.1\r\nHost: {self._netloc}\r\n\r\n".encode("latin-1")
        )

    async def _exchange(self, message: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)
                reader, writer = self._streams
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
                status, length, retry_after, closes = _read(head)
                body = await reader.readexactly(length) if length else b""
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, ValueError) as lost:
            self._drop()
            raise LostError(f"{type(lost).__name__}: {lost}".rstrip(": ")) from lost
        if closes:
            self._drop()
        return Answer(status, body, retry_after)

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _read(head: bytes) -> tuple[int, int, float, bool]:
    """(status, length of the body, seconds to wait, whether the connection ends). Raises ValueError.

    >>> _read(b"HTTP/1.1 503 Service Unavailable\\r\\ncontent-length: 2\\r\\nRetry-After: 1\\r\\n\\r\\n")
    (503, 2, 1.0, False)
    """
    first, _, rest = head.partition(b"\r\n")
    if not first.startswith(b"HTTP/1.1 "):
        raise ValueError(_NO_STATUS)
    length, retry_after, closes = None, 0.0, False
    for line in rest.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length":
            length = int(value)
        elif name == b"retry-after":
            retry_after = float(value)
        elif name == b"connection":
            closes = value.strip().lower() == b"close"
    status = int(first[9:12])
    if length is None and status != 204:
        raise ValueError("the answer does not say its length")
    return status, length or 0, retry_after, closes
