"""A week asked again of a gateway: who is sent what in which order, and what is counted of it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli import traffic
from mlops_assets.declare.errors import DataError
from mlops_assets.replay import driving
from mlops_assets_tests.gateway.rolling import TOKENS

WEEK = ("--week", "2016-11-07", "--speed", "0", "--rows", "40")
app = typer.Typer()
app.command()(traffic.traffic)
Answer = tuple[int, Any]


@dataclass
class Seen:
    """One request that reached the gateway."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeGateway:
    """Answers as it is told, on a real socket, and remembers what it was sent."""

    answer: Callable[[Seen], Answer] = lambda seen: (200, fine(seen))
    ready: int = 200
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def of(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.path == path]

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                one = Seen(first.split(" ")[1], headers, json.loads(body or b"null"))
                if one.path == "/readyz":
                    status, told = self.ready, {}
                else:
                    self.seen.append(one)
                    status, told = self.answer(one)
                if status == 0:  # it dies in the middle of the answer
                    writer.write(b"HTTP/1.1 200 OK\r\nconte")
                    break
                sent = json.dumps(told).encode()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(sent)) + sent)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def serve(self) -> Iterator["FakeGateway"]:
        started = threading.Event()

        async def run() -> None:
            server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
            started.set()
            await self._stop.wait()

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        started.wait(10)
        yield self
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()


def fine(seen: Seen) -> Any:
    if seen.path == "/invocations":
        return {"predictions": [0.5]}
    count = len(seen.body["rows"]) if seen.path == "/events" else len(seen.body)
    return {"items": [{"status": "accepted"}] * count}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    monkeypatch.setenv("MLOPS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLOPS_SERVING", str(tmp_path / "serving"))
    monkeypatch.setenv("MLOPS_FEED_TOKEN", TOKENS.feed)
    monkeypatch.setattr(driving, "FIRST_WAIT_S", 0.001)
    yield from FakeGateway().serve()


def played(gateway: FakeGateway, *options: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["parking", *WEEK, "--url", gateway.url, "--json", *options])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == code, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_a_week_is_asked_told_and_labelled(gateway: FakeGateway) -> None:
    told = played(gateway, "--events")

    assert told["requests"] == {"200": 40}
    assert told["events"] == {"accepted": 3504}
    assert told["outcomes"] == {"accepted": sum(len(one.body) for one in gateway.of("/outcomes"))}
    assert (told["failed"], told["sent_again"]) == (0, 0)
    assert 0 < told["p50_ms"] <= told["p99_ms"]
    (row,) = gateway.of("/invocations")[0].body["dataframe_records"]
    assert {"car_park", "ratio_now", "ratio_168h", "SystemCodeNumber", "LastUpdated"} <= set(row)


def test_only_feeds_are_shown_the_feeds_token(gateway: FakeGateway) -> None:
    played(gateway)

    for one in gateway.seen:
        shown = one.headers.get("authorization")
        assert shown == (None if one.path == "/invocations" else f"Bearer {TOKENS.feed}")


def test_the_same_seed_asks_the_same_under_the_same_ids(gateway: FakeGateway) -> None:
    ids = []
    for seed in ("3", "3", "4"):
        gateway.seen.clear()
        played(gateway, "--no-events", "--no-labels", "--seed", seed)
        ids.append(sorted(one.headers["x-request-id"] for one in gateway.of("/invocations")))

    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert {one.path for one in gateway.seen} == {"/invocations"}


def test_an_outcome_is_told_after_its_answer(gateway: FakeGateway) -> None:
    played(gateway, "--label-delay", "none", "--no-events")

    answered: set[str] = set()
    for one in gateway.seen:
        if one.path == "/invocations":
            answered.add(one.headers["x-request-id"])
        else:
            assert {item["id"] for item in one.body} <= answered


def test_looked_up_features_find_what_arrived_before_they_were_asked(gateway: FakeGateway) -> None:
    played(gateway, "--features", "online", "--no-labels", "--concurrency", "4")

    latest = ""
    for one in gateway.seen:
        if one.path == "/invocations":
            (row,) = one.body["dataframe_records"]
            assert set(row) == {"SystemCodeNumber", "Capacity", "LastUpdated", "ratio"}
            latest = max(latest, row["LastUpdated"])
        else:
            assert one.body["arrived"] > latest  # nobody who asks then, or later, was answered before


def test_who_is_busy_or_dies_is_asked_again_under_the_same_id(gateway: FakeGateway) -> None:
    tries: dict[str, int] = {}

    def flaky(seen: Seen) -> Answer:
        if seen.path != "/invocations":
            return 200, fine(seen)
        id_ = seen.headers["x-request-id"]
        tries[id_] = tries.get(id_, 0) + 1
        return (503 if int(id_, 16) % 2 else 0, {}) if tries[id_] < 3 else (200, fine(seen))

    gateway.answer = flaky

    told = played(gateway, "--no-events")

    assert told["requests"] == {"200": 40}
    assert told["sent_again"] == 80
    assert told["outcomes"].keys() == {"accepted"}


def test_a_request_that_fails_is_counted_said_and_ends_with_exit_code_1(gateway: FakeGateway) -> None:
    def refuses_one(seen: Seen) -> Answer:
        if seen.path == "/invocations" and seen.headers["x-request-id"].startswith("0"):
            return 422, {"error": "no answer to these values"}
        return 200, fine(seen)

    gateway.answer = refuses_one

    told = played(gateway, "--no-events", "--rows", "300", code=1)

    assert told["failed"] == told["requests"]["422"] > 0
    assert told["outcomes"]["without an answer"] > 0
    assert "422" in told["said"]
    assert "no answer to these values" in told["said"]


def test_where_all_fails_the_rest_is_not_tried(gateway: FakeGateway) -> None:
    gateway.answer = lambda seen: (500, {"error": "broken"})

    told = played(gateway, "--no-events", "--rows", "2000", code=1)

    assert told["requests"]["500"] < 100


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "gopher://x", "http://", "127.0.0.1:8080"])
def test_nobody_there_is_one_clear_refusal(gateway: FakeGateway, url: str) -> None:
    gateway.url = url

    with pytest.raises(DataError, match=r"nobody answers|no address"):
        played(gateway)


def test_a_gateway_that_is_not_ready_is_not_asked(gateway: FakeGateway) -> None:
    gateway.ready = 503

    with pytest.raises(DataError, match="is not ready"):
        played(gateway)
    assert not gateway.seen


def test_a_speed_is_kept_to(gateway: FakeGateway) -> None:
    told = played(gateway, "--no-events", "--speed", "1000000")  # a working week of event time in half a second

    assert told["seconds"] > 0.3
