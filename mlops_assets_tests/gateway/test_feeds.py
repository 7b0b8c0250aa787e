"""What turned out to be true, and what became known: each item for itself, late and twice as well."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.gateway import feeds
from mlops_assets.gateway.context import Gateway
from mlops_assets.stores.write_path import WritePath
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.gateway.rolling import Client, gateway_of
from mlops_assets_tests.stores.serving.logged import answered

READ_AT = "2013-01-07T00:00:00Z"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = gateway_of(tmp_path, FLIGHT_DELAYS)
    yield made
    made.log.close()


@pytest.fixture
def feed(gateway: Gateway) -> Client:
    gateway.log.put([answered("a"), answered("b"), answered("c")]).result(30)
    return Client(gateway, role="feed")


def statuses(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["status"] for item in answer.json()["items"]]


def test_each_outcome_is_told_for_itself(feed: Client, gateway: Gateway) -> None:
    first = feed.post("/outcomes", json=[{"id": "a", "label": True, "known_at": READ_AT}, {"id": "b", "label": 0}])
    again = feed.post("/outcomes", json=[
        {"id": "b", "label": False}, {"id": "a", "label": False}, {"id": "to come", "label": True},
        {"id": "c", "label": 2}, {"id": "c", "label": True, "known_at": "2013-01-07T00:00:00"},
        {"id": "c", "label": True, "known_at": "2999-01-01T00:00:00Z"}, {"id": "", "label": True},
    ])  # fmt: skip

    assert statuses(first) == ["accepted", "accepted"]
    assert statuses(again) == ["duplicate", "conflict", "waiting", *["refused"] * 4]
    reasons = [item.get("reason", "") for item in again.json()["items"]]
    assert "told as 1 before" in reasons[1]
    assert ["label == 2" in reasons[3], "no zone" in reasons[4], "in the future" in reasons[5]] == [True] * 3
    assert again.json()["counts"] == {"conflict": 1, "duplicate": 1, "refused": 4, "waiting": 1}
    stored = gateway.log.label_of("a")
    assert stored is not None
    assert (stored.label, stored.known_us) == (1.0, int(datetime(2013, 1, 7, tzinfo=UTC).timestamp() * 1e6))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({}, 400),
        ([{"id": "a"}], 400),
        ([{"id": "a", "label": "late"}], 400),
        ([{"id": "a", "label": None}], 400),
        ([{"id": "a", "label": True, "share": 1}], 400),
        ([{"id": "a", "label": True}] * (feeds.MOST_ITEMS + 1), 413),
        ([{"id": "a" * feeds.MOST_BYTES, "label": True}], 413),
    ],
)
def test_a_body_that_is_none_is_refused_whole(feed: Client, gateway: Gateway, body: object, status: int) -> None:
    assert feed.post("/outcomes", json=body).status_code == status
    assert gateway.log.label_of("a") is None


@pytest.mark.parametrize(
    "text", [b"\xff", b"{", b'[{"id":"a","label":NaN}]', b'[{"id":"a","label":1e999}]', b"[" * 9999]
)
def test_what_is_no_json_is_400(feed: Client, text: bytes) -> None:
    assert feed.post("/outcomes", content=text).status_code == 400


def reading(**changed: object) -> dict[str, object]:
    return {"SystemCodeNumber": "BHMBCCMKT01", "Capacity": 577, "Occupancy": 100, "LastUpdated": "2016-11-07T08:00:52",
            **changed}  # fmt: skip


@pytest.fixture
def park(tmp_path: Path) -> Client:
    at = int(datetime(2016, 11, 7, 12, tzinfo=UTC).timestamp() * 1e6)
    made = gateway_of(tmp_path, PARKING)
    object.__setattr__(made, "clock_us", lambda: at)
    return Client(made, role="feed")


def test_each_event_is_taken_known_already_or_quarantined_with_its_reason(park: Client) -> None:
    rows = [reading(), reading(), reading(SystemCodeNumber="BHMEURBRD01", Occupancy=-3), reading(Occupancy=7), {"x": 1}]

    answer = park.post("/events", json={"table": "readings", "rows": rows})

    assert statuses(answer) == ["accepted", "duplicate", "quarantined", "quarantined", "quarantined"]
    reasons = [item.get("reason", "") for item in answer.json()["items"]]
    assert ["Occupancy" in reasons[2], "stands" in reasons[3], "missing" in reasons[4]] == [True] * 3
    assert statuses(park.post("/events", json={"table": "readings", "rows": rows[:1]})) == ["duplicate"]


def test_events_arrive_when_they_are_said_to_but_never_in_the_future(park: Client) -> None:
    fine = {"table": "readings", "rows": [reading()], "arrived": "2016-11-07T08:01:00Z"}
    future = datetime(2016, 11, 7, 12, tzinfo=UTC) + timedelta(microseconds=1)

    assert statuses(park.post("/events", json=fine)) == ["accepted"]
    assert park.post("/events", json={**fine, "arrived": future.isoformat()}).status_code == 400
    assert park.post("/events", json={**fine, "arrived": "2016-11-07T08:01:00"}).status_code == 400


@pytest.mark.parametrize("table", ["gone", "", "../readings"])
def test_a_table_that_events_cannot_tell_of_is_refused(park: Client, table: str) -> None:
    answer = park.post("/events", json={"table": table, "rows": [reading()]})

    assert (answer.status_code, "events tell rows of ['readings']" in answer.text) == (409, True)


@pytest.mark.parametrize("broken", [sqlite3.OperationalError("database or disk is full"), OSError(28, "no space")])
def test_a_store_that_cannot_be_written_is_503_and_the_events_are_known_when_sent_again(
    park: Client, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    def fails(*_: object) -> None:
        raise broken

    body = {"table": "readings", "rows": [reading()]}
    with monkeypatch.context() as broke:
        broke.setattr(WritePath, "catch_up", fails)  # what the journal has is kept
        answer = park.post("/events", json=body)

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert statuses(park.post("/events", json=body)) == ["duplicate"]


def test_after_a_refusal_events_are_taken_again(park: Client) -> None:
    park.post("/events", json={"table": "gone", "rows": [reading()]})

    assert statuses(park.post("/events", json={"table": "readings", "rows": [reading()]})) == ["accepted"]
