"""The edge: whoever stalls, sends too much or too many is refused, and whoever does not goes on being answered."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets_tests.gateway import world

SENT = {"instances": [dict(world.ROW)]}


@pytest.fixture(scope="module")
def served(
    launcher: world.Launcher, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[world.Served]:
    found = world.copied(registered, tmp_path_factory.mktemp("limits"))
    with world.rolled(found, Stage.SHADOW), launcher.served(found) as served:
        yield served.until_ready()


def raw(served: world.Served, data: bytes, seconds: float = 20) -> bytes:
    """What comes back to these bytes until the gateway hangs up."""
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=seconds)) as connection:
        connection.sendall(data)
        got = b""
        while more := connection.recv(65536):
            got += more
        return got


def test_two_hundred_stalled_connections_do_not_keep_a_client_from_its_answers(served: world.Served) -> None:
    halves = (
        b"POST /invocations HTTP/1.1\r\nhost: x\r\n",
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{",
    )
    with ExitStack() as stack:
        stalled = []
        for number in range(200):
            connection = stack.enter_context(closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)))
            connection.sendall(halves[number % 2])
            stalled.append(connection)
        with served.client() as client:
            codes = {client.post("/invocations", json=SENT).status_code for _ in range(50)}
        told = {connection.recv(65536)[:12] for connection in stalled}

    assert codes == {200}
    assert told == {b"HTTP/1.1 408"}


def test_a_body_that_is_too_large_is_refused_before_it_is_read(served: world.Served) -> None:
    head = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += b"content-length: 99999999999\r\n\r\n"
    got = raw(served, head)

    assert got.startswith(b"HTTP/1.1 413")


def test_a_chunked_body_that_is_too_large_is_refused(served: world.Served) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * (1 << 20)

    with served.client() as client:
        try:
            status = client.post(
                "/invocations", content=chunks(), headers={"content-type": "application/json"}
            ).status_code
        except httpx.TransportError:  # it hung up while the rest was being sent
            status = 413

    assert status == 413


@pytest.mark.parametrize(
    "head",
    [b"x: " + b"y" * 20_000 + b"\r\n", b"".join(b"x%d: y\r\n" % n for n in range(200)), b"x" * 20_000 + b": y\r\n"],
    ids=["long value", "many", "long name"],
)
def test_a_header_that_is_too_large_is_refused(served: world.Served, head: bytes) -> None:
    got = raw(served, b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n")

    assert got.startswith(b"HTTP/1.1 431")


def test_what_is_no_http_is_refused(served: world.Served) -> None:
    assert raw(served, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_pipelined_requests_are_all_answered(served: world.Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    got = raw(served, one * 9 + one.replace(b"host: x", b"host: x\r\nconnection: close"))

    assert got.count(b"HTTP/1.1 200") == 10


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", 405), ("DELETE", "/healthz", 405), ("GET", "/nothing", 404),
     ("POST", "/v2/models/parcels", 405), ("GET", "/v2/models/parcels/infer", 405),
     ("GET", "/v2/models/", 404), ("GET", "/v2/models/parcels/x", 404)],
)  # fmt: skip
def test_what_is_not_there_or_not_done_so_is_told_as_json(
    served: world.Served, method: str, path: str, status: int
) -> None:
    with served.client() as client:
        reply = client.request(method, path)

    assert (reply.status_code, set(reply.json())) == (status, {"error"})


def test_a_gateway_that_is_told_to_end_answers_what_it_took_in(
    launcher: world.Launcher, registered: Path, tmp_path: Path
) -> None:
    found = world.copied(registered, tmp_path)
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found, {2: "slow"}) as served:
        served.until_ready()
        with closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as connection:
            body = b'{"instances": [%s]}' % b",".join(
                b'{"depot": null, "weight": 1, "stops": 1, "fragile": null, "parcel": %d}' % n for n in range(20)
            )
            head = (
                b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            connection.sendall(head % len(body) + body)
            time.sleep(0.1)
            served.stop()
            got = connection.recv(65536)

    assert got.startswith(b"HTTP/1.1 200")


def test_without_a_nomination_it_lives_and_is_not_ready(
    launcher: world.Launcher, registered: Path, tmp_path: Path
) -> None:
    found = world.copied(registered, tmp_path)
    with launcher.served(found) as served, served.client() as client:
        world.until(lambda: client.get("/healthz").status_code == 200)
        ready, asked = client.get("/readyz"), client.post("/invocations", json=SENT)

    assert (ready.status_code, asked.status_code) == (503, 503)
    assert ready.headers["retry-after"] and asked.headers["retry-after"]
