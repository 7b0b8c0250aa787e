"""Failures are told once each, in order; what cannot be delivered is told later, and nothing before it is lost."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.graph import alerts
from mlops_assets.stores.notifier import NotDelivered, Notice
from mlops_assets_tests.graph.ticking import tick, why
from mlops_assets_tests.graph.world import WEEKS, World, small_world

SENSOR = "failure_alerts"


class Heard:
    """A notifier that keeps what it is told, while it can be reached."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.reachable = True

    def send(self, notice: Notice) -> None:
        if not self.reachable:
            raise NotDelivered("the webhook does not answer")
        self.notices.append(notice)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    made = Heard()
    monkeypatch.setattr(alerts, "notifier", lambda url: made)
    return made


@pytest.fixture
def world(tmp_path: Path, heard: Heard) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made


def lost(world: World, week: str) -> None:
    """A week without its file: its run fails."""
    world.landed("flights", week).unlink(missing_ok=True)
    assert not world.run("data", week).success


def test_what_failed_before_the_first_look_is_not_told(world: World, heard: Heard) -> None:
    lost(world, WEEKS[0])
    first = tick(world, SENSOR)
    assert why(first) == "from now on failures are told"
    assert why(tick(world, SENSOR, str(first.cursor))) == "nothing has failed since" and heard.notices == []


def test_a_failed_run_is_told_once_with_its_reason(world: World, heard: Heard) -> None:
    cursor = str(tick(world, SENSOR).cursor)
    lost(world, WEEKS[0])
    after = tick(world, SENSOR, cursor)
    (notice,) = heard.notices
    assert notice.kind == "run_failed" and notice.subject == f"thin_delays_data {WEEKS[0]}"
    assert "is missing" in notice.sentence and notice.facts["page"].endswith(notice.facts["run"])
    assert why(after) == "1 failures told"
    assert why(tick(world, SENSOR, str(after.cursor))) == "nothing has failed since"


def test_a_check_that_fails_in_a_run_that_succeeds_is_told(world: World, heard: Heard) -> None:
    cursor = str(tick(world, SENSOR).cursor)
    for week in WEEKS[:3]:
        assert world.run("data", week).success
    assert world.run("train", WEEKS[2]).success
    tick(world, SENSOR, cursor)
    told = {notice.subject.split()[1] for notice in heard.notices if notice.kind == "check_failed"}
    entry: dict[str, Any] = world.store.load("thin_delays/registry_entry", WEEKS[2]).records["entry"]
    assert ("promotion_gate" in told) == (entry["judgement"]["verdict"] != "PASS")


def test_what_cannot_be_delivered_is_told_later_in_order(world: World, heard: Heard) -> None:
    cursor = str(tick(world, SENSOR).cursor)
    for week in WEEKS[:2]:
        lost(world, week)
    heard.reachable = False
    down = tick(world, SENSOR, cursor)
    assert "does not answer" in why(down) and json.loads(str(down.cursor)) == json.loads(cursor)
    heard.reachable = True
    tick(world, SENSOR, str(down.cursor))
    assert [notice.facts["partition"] for notice in heard.notices] == list(WEEKS[:2])


def test_a_slow_receiver_is_told_in_portions(world: World, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster gives up on a tick after a minute, and would forget what it had told."""
    cursor = str(tick(world, SENSOR).cursor)
    for week in WEEKS[:3]:
        lost(world, week)
    monkeypatch.setattr(alerts, "_BUDGET_S", -1.0)
    assert why(tick(world, SENSOR, cursor)) == "nothing has failed since; more at the next tick"
    monkeypatch.setattr(alerts, "_BUDGET_S", 15.0)
    tick(world, SENSOR, cursor)
    assert [notice.facts["partition"] for notice in heard.notices] == list(WEEKS[:3])


def test_a_failure_that_dagster_will_try_again_is_not_told_yet(world: World, heard: Heard) -> None:
    cursor = str(tick(world, SENSOR).cursor)
    world.landed("flights", WEEKS[0]).unlink()
    world.run("data", WEEKS[0], tags={"dagster/will_retry": "true"})
    tick(world, SENSOR, cursor)
    assert heard.notices == []


def test_a_webhook_that_is_no_address_is_refused_at_once(tmp_path: Path) -> None:
    from mlops_assets.declare import DataError

    with small_world(tmp_path) as made, pytest.raises(DataError):
        alerts.alerts(replace(made.places, notify="gopher://nobody"))
