"""Telling people: one line in the log, or a POST to the address in `MLOPS_NOTIFY`.

Here belongs delivery, at least once: what was not delivered is raised, so that the caller comes back with it, and every
try of one notice carries its name. When and of what people are told is decided by who calls. The address may hold a
secret (most webhooks' do): no message shows more of it than scheme, host and port.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from types import MappingProxyType
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from mlops_assets.core.versions import JSON, canonical_json
from mlops_assets.declare.errors import DataError, MlopsError

TIMEOUT_S = 5.0  # for a connection and for each read; twice that for the whole answer
BACKOFF_S = (0.5, 2.0)  # before the second try and the third
MOST_BYTES = 64 << 10  # of a body
_MOST_CHARACTERS = {"subject": 200, "sentence": 2_000}  # where the body would be longer
_LATER = (408, 425, 429)  # refusals that another try may not meet; and whatever is wrong with the server, 500 on
_KINDS = {"http": HTTPConnection, "https": HTTPSConnection}
_LOG = logging.getLogger(__name__)


class NotDelivered(MlopsError, RuntimeError):
    """Nobody was told: the receiver did not take the notice. It may be sent again."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is told: `kind` of event, `subject` it is about, a sentence, `at` when it was (ISO 8601), and JSON `facts`.

    `once` names the event: a receiver that has it already may drop another. Raises DataError where `kind`, `at` or
    `once` are not 1 to 200 printable ASCII characters.
    """

    kind: str
    subject: str
    sentence: str
    at: str
    once: str
    facts: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name in ("kind", "at", "once"):
            if not 1 <= len(text := getattr(self, name)) <= 200 or not _is_plain(text):
                rule = "must be 1 to 200 printable ASCII characters"
                raise DataError(f"notice: {name} == {text[:80]!r}, {rule}: write it so.")

    def body(self) -> bytes:
        """The notice as JSON, at most `MOST_BYTES`; of a longer one the facts are left out, and that is said."""
        told = {field.name: getattr(self, field.name) for field in fields(self)} | {"facts": dict(self.facts)}
        whole = canonical_json(told)
        if len(whole) <= MOST_BYTES:
            return whole
        short = {name: str(told[name])[:most] for name, most in _MOST_CHARACTERS.items()}
        return canonical_json(told | short | {"facts": {"left_out_bytes": len(canonical_json(told["facts"]))}})


class Notifier(Protocol):
    """Whoever can tell people."""

    def send(self, notice: Notice) -> None:
        """Tell them. Raises NotDelivered, DataError for facts that are no JSON."""


class Logged:
    """Tells the Python log."""

    def send(self, notice: Notice) -> None:
        """One line, level WARNING."""
        facts = canonical_json(dict(notice.facts)).decode()
        _LOG.warning("%s", " ".join(f"{notice.kind} {notice.subject}: {notice.sentence} ({notice.at}) {facts}".split()))


class Webhook:
    """Tells an HTTP server, by one POST of the notice's JSON; asks no proxy and follows no redirect.

    Raises DataError for an address that is none.
    """

    def __init__(self, url: str, sleep: Callable[[float], None], timeout_s: float) -> None:
        parts = _checked(url)
        self._kind, self._host, self._port = _KINDS[parts.scheme], str(parts.hostname), parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._shown = f"{parts.scheme}://{self._host}" + (f":{self._port}" if self._port else "")
        self._sleep, self._timeout_s = sleep, timeout_s

    def __repr__(self) -> str:
        return f"Webhook({self._shown})"

    def send(self, notice: Notice) -> None:
        """POST it, up to three times where another try may help. Raises NotDelivered, saying why the last failed."""
        body = notice.body()
        for pause in (*BACKOFF_S, None):
            wrong, again = self._tried(body, notice.once)
            if not wrong:
                return
            if pause is None or not again:
                raise NotDelivered(f"{self._shown} was not told of {notice.kind} {notice.subject[:200]}: {wrong}.")
            self._sleep(pause)

    def _tried(self, body: bytes, once: str) -> tuple[str, bool]:
        """What went wrong with one try ("": nothing), and whether another may help."""
        try:
            status = self._post(body, {"Content-Type": "application/json", "Idempotency-Key": once})
        except TimeoutError:
            return f"it gave no answer within {self._timeout_s:g} s", True
        except HTTPException as failed:  # its text is the other side's
            return f"it gave no answer of HTTP ({type(failed).__name__})", True
        except OSError as failed:
            return f"{type(failed).__name__}: {failed}", True
        if 200 <= status < 300:
            return "", False
        if 300 <= status < 400:
            return f"it answers {status}, a redirect: put the address it leads to into MLOPS_NOTIFY", False
        return f"it answers {status}", status >= 500 or status in _LATER

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.connect()
            # the timeout is that of one read: a server that sends a byte now and then would hold us for ever
            cut = Timer(2 * self._timeout_s, _cut, (connection.sock,))
            cut.daemon = True
            cut.start()
            try:
                connection.request("POST", self._target, body, dict(headers))
                return int(connection.getresponse().status)
            finally:
                cut.cancel()
        finally:
            connection.close()


def notifier(url: str, *, sleep: Callable[[float], None] = time.sleep, timeout_s: float = TIMEOUT_S) -> Notifier:
    """Who tells people: the log for "", a webhook for `http://` and `https://`. Raises DataError for anything else."""
    return Webhook(url, sleep, timeout_s) if url else Logged()


def _checked(url: str) -> SplitResult:
    """The parts of an address. The errors never repeat it."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")  # as the connection will: an empty or overlong label is refused there
    except (ValueError, UnicodeError):
        raise DataError("MLOPS_NOTIFY is no address: write it like https://hooks.example.org/path.") from None
    if parts.scheme not in _KINDS or not whole:
        rule = "must be http:// or https:// with a host"
        raise DataError(f"MLOPS_NOTIFY: scheme == {parts.scheme[:20]!r}, {rule}: write it so, or leave it empty.")
    if not _is_plain(url) or " " in url:
        raise DataError("MLOPS_NOTIFY holds a blank or a character that no address has: write it with % escapes.")
    if parts.username is not None or parts.password is not None:
        raise DataError("MLOPS_NOTIFY holds a user or password: put a token into its path or query instead.")
    return parts


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it was answered in this very moment
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
