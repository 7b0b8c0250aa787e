"""People are told, or the caller knows that they were not; and the address's secret stays with it."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mlops_assets.declare import DataError
from mlops_assets.stores.notifier import BACKOFF_S, MOST_BYTES, NotDelivered, Notice, notifier
from mlops_assets.stores.settings import settings

SECRET = "T0K3N"  # noqa: S105  of nobody
NOTICE = Notice(kind="run_failed", subject="flight_delays/drift_report@2013-04-22", sentence="the disk is full",
                at="2013-07-01T10:00:00Z", once="run 1a", facts={"run": "1a"})  # fmt: skip


@dataclass
class Receiver:
    """A server on loopback: what it was sent, and what it answers to each in turn (the last again and again)."""

    answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=lambda: [200])
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    done: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    met = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            met.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            met.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = met.answers[min(len(met.bodies), len(met.answers)) - 1]
            if not isinstance(answer, int):
                answer(self)
                return
            self.send_response(answer)
            self.send_header("Location", f"http://{SECRET}.example.org/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        met.url = f"http://127.0.0.1:{server.server_port}/hooks/{SECRET}?key={SECRET}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield met
        met.done.set()
        server.shutdown()
        serving.join()


def send(url: str, notice: Notice = NOTICE, timeout_s: float = 5.0) -> list[float]:
    """Send it; the pauses that were made."""
    pauses: list[float] = []
    notifier(url, sleep=pauses.append, timeout_s=timeout_s).send(notice)
    return pauses


def not_delivered(url: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(NotDelivered) as refused:
        send(url, timeout_s=timeout_s)
    assert SECRET not in str(refused.value)
    return str(refused.value)


def test_a_notice_is_posted_with_its_name(receiver: Receiver) -> None:
    assert send(receiver.url) == []

    assert receiver.bodies == [{
        "kind": "run_failed", "subject": "flight_delays/drift_report@2013-04-22", "sentence": "the disk is full",
        "at": "2013-07-01T10:00:00Z", "once": "run 1a", "facts": {"run": "1a"},
    }]  # fmt: skip
    assert receiver.headers[0]["idempotency-key"] == "run 1a"
    assert receiver.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_is_tried_again_under_the_same_name(receiver: Receiver, status: int) -> None:
    receiver.answers = [status, 200]

    assert send(receiver.url) == [BACKOFF_S[0]]
    assert [met["idempotency-key"] for met in receiver.headers] == ["run 1a", "run 1a"]


def test_after_three_tries_it_was_not_delivered(receiver: Receiver) -> None:
    receiver.answers = [500]

    assert "it answers 500" in not_delivered(receiver.url)
    assert len(receiver.bodies) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]

    assert f"it answers {status}" in not_delivered(receiver.url)
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]

    assert "put the address it leads to into MLOPS_NOTIFY" in not_delivered(receiver.url)
    assert len(receiver.bodies) == 1


def test_a_server_that_hangs_is_not_waited_for(receiver: Receiver) -> None:
    receiver.answers = [lambda _: receiver.done.wait() and None]

    assert "it gave no answer within 0.05 s" in not_delivered(receiver.url, timeout_s=0.05)
    assert len(receiver.bodies) == 3


def test_nor_is_one_that_sends_a_byte_now_and_then(receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 ")
        while not receiver.done.wait(0.02):
            try:
                handler.wfile.write(b"2")
            except OSError:
                return

    receiver.answers = [drip]

    assert "it gave no answer of HTTP" in not_delivered(receiver.url, timeout_s=0.1)


def test_where_nobody_listens_it_was_not_delivered() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert "ConnectionRefusedError" in not_delivered(f"http://127.0.0.1:{port}/{SECRET}")


def test_a_body_is_bounded_and_says_what_was_left_out(receiver: Receiver) -> None:
    send(receiver.url, replace(NOTICE, sentence="ü" * 100_000, facts={"log": "x" * 100_000}))

    assert receiver.bodies[0]["facts"] == {"left_out_bytes": 100_010}
    assert receiver.bodies[0]["sentence"] == "ü" * 2_000
    assert int(receiver.headers[0]["content-length"]) < MOST_BYTES


@pytest.mark.parametrize("url", [
    f"ftp://host/{SECRET}", f"file:///{SECRET}", SECRET, f"http:///{SECRET}", f"http://host:port/{SECRET}",
    f"http://host:0/{SECRET}", f"http://me:{SECRET}@host/", f"http://host/{SECRET}\r\nX: y", f"http://host/ü{SECRET}",
    f"http://[::1/{SECRET}", f"http://host/{SECRET} x",
])  # fmt: skip
def test_a_bad_address_is_refused_at_once_without_repeating_it(url: str) -> None:
    with pytest.raises(DataError, match="MLOPS_NOTIFY") as refused:
        notifier(url)

    assert SECRET not in str(refused.value)


def test_without_an_address_it_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        send("", replace(NOTICE, sentence="the disk\nis full"))

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message == (
        'run_failed flight_delays/drift_report@2013-04-22: the disk is full (2013-07-01T10:00:00Z) {"run":"1a"}'
    )


@pytest.mark.parametrize("change", [{"once": "two\nlines"}, {"once": ""}, {"kind": "ü"}, {"at": "x" * 201}])
def test_a_name_that_no_header_can_carry_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(DataError, match=f"notice: {next(iter(change))} == "):
        replace(NOTICE, **change)


def test_the_address_comes_from_the_environment_and_is_not_shown() -> None:
    met = settings({"MLOPS_NOTIFY": f"https://hooks.example.org/{SECRET}"})

    assert met.notify.endswith(SECRET) and settings({}).notify == ""
    assert SECRET not in repr(met) and SECRET not in repr(notifier(met.notify))
