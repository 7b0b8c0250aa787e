"""MLflow down or slow loses no training: it waits, is asked for when the tracker is back, and is registered once."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.graph.actions import ANEW
from mlops_assets.graph.recording import Books
from mlops_assets.graph.sensors import still_waiting
from mlops_assets.stores.records import Records
from mlops_assets.stores.registry import Registry
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.lived import NAME, WEEK, copied, reused
from mlops_assets_tests.graph.world import WEEKS, World, reason

WAITED = ("registration_waiting", f"{NAME}/trained_model@{WEEK}")


@pytest.fixture
def young(built: Path, tmp_path: Path) -> Iterator[World]:
    """A world in which three weeks have lived; the data of the fourth is there, its model is not."""
    with copied(built, tmp_path, "three") as world:
        assert world.run("data", WEEK).success
        yield world


def waits(world: World) -> str:
    """Why the training that waits does, as the ledger has it."""
    with Records(world.places.records) as records:
        return records.ledger.entries(world.use_case.name)[-1].why


def told(world: World, uri: str) -> World:
    """The same world, with another tracker."""
    return World.of(world.folder, world.use_case, replace(world.places, tracking_uri=uri), world.instance)


def tick(world: World) -> tuple[list[dg.RunRequest], str]:
    """What the sensor asks for, or why it asks for nothing."""
    sensor = world.defs.resolve_sensor_def(f"{NAME}_registrations")
    books = Books(where=world.places.records, pages=world.places.dagster_ui)
    with dg.build_sensor_context(world.instance, resources={"records": books}) as context:
        found: Any = sensor(context)
    if isinstance(found, dg.SkipReason):
        return [], str(found.skip_message)
    return list(found.run_requests), ""


def asked_for(world: World) -> dg.ExecuteInProcessResult:
    """The one run that the sensor asks for, run."""
    (request,), _ = tick(world)
    assert request.partition_key is not None
    return world.run("train", request.partition_key, tags=request.tags)


@contextmanager
def slow_server() -> Iterator[tuple[str, list[float]]]:
    """A server that takes every connection and never answers; its address, and when each came."""
    came: list[float] = []
    held: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                came.append(time.monotonic())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in held:
        connection.close()


def closed_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instead of ten, and no second try within one question."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize(
    ("away", "said"),
    [
        ("no such folder", "'/proc/nowhere/mlflow.db' cannot be opened"),
        ("a folder in its place", "cannot be opened"),
        ("closed port", "(http://127.0.0.1:{port}: [Errno 111] Connection refused). The trained model is stored"),
        ("slow server", "(http://127.0.0.1:{port}: timed out). The trained model is stored"),
    ],
)
def test_a_training_waits_while_the_tracker_is_away_and_is_registered_once_when_it_is_back(
    young: World, tmp_path: Path, impatient: None, away: str, said: str
) -> None:
    with slow_server() as (slow, came):
        uri = {
            "no such folder": "sqlite:////proc/nowhere/mlflow.db",
            "a folder in its place": f"sqlite:///{tmp_path}",
            "closed port": closed_port().replace("//", "//someone:secret@"),
            "slow server": slow,
        }[away]
        without = told(young, uri)
        began = time.monotonic()
        result = without.run("train", WEEK)

        assert time.monotonic() - began < 60
        assert "MLflow does not answer" in reason(result)
        assert f"{NAME}_registrations" in reason(result)
        assert said.format(port=uri.rpartition(":")[2]) in reason(result)
        assert "secret" not in reason(result) + waits(young)
        assert reused(result) == {"trained_model": False}
        assert lived.ledger(young)[-1] == WAITED
        assert tick(without) == ([], "1 trainings wait, the tracker does not answer yet")
        assert bool(came) == (away == "slow server")
    runs, versions = len(lived.tracked(young)), lived.versions(young)
    (request,), _ = tick(young)
    (same,), _ = tick(young)

    assert request.partition_key == WEEK
    assert request.run_key == same.run_key  # asked for again, it is the same run
    result = young.run("train", WEEK, tags=request.tags)
    assert reason(result) == ""
    shown = reused(result)
    assert not shown.pop("rollout")
    assert shown == {"trained_model": True, "registry_entry": False, "feature_catalogue": False}
    assert [v["version"] for v in lived.versions(young)] == [*(v["version"] for v in versions), len(versions) + 1]
    assert [status for status, _ in lived.tracked(young)] == ["FINISHED"] * (runs + 1)
    assert tick(young) == ([], "no training waits for the tracker")


def test_a_tracker_that_dies_in_the_middle_is_a_training_that_waits(
    young: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: object, **__: object) -> None:
        raise ConnectionError("the tracker is gone")

    before = lived.versions(young)
    with monkeypatch.context() as broken:
        broken.setattr(Registry, "log_model", dead)
        assert "MLflow does not answer (the tracker is gone)" in reason(young.run("train", WEEK))
    assert lived.versions(young) == before
    assert reason(asked_for(young)) == ""
    assert len(lived.versions(young)) == len(before) + 1
    assert tick(young) == ([], "no training waits for the tracker")


def test_a_tracker_that_dies_after_it_registered_holds_up_no_rollout_and_is_told_nothing_twice(
    young: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: object, **__: object) -> None:
        raise ConnectionError("the tracker is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Registry, "set_alias", dead)
        broken.setattr(Registry, "delete_alias", dead)
        assert reason(young.run("train", WEEK)) == ""  # aliases are labels
    entries, runs = lived.ledger(young), lived.tracked(young)
    assert reason(young.run("train", WEEK)) == ""

    assert len(lived.versions(young)) == 2
    assert (lived.ledger(young), lived.tracked(young)) == (entries, runs)
    assert tick(young) == ([], "no training waits for the tracker")


def test_each_failure_is_asked_for_again(young: World) -> None:
    without = told(young, "sqlite:////proc/nowhere/mlflow.db")
    assert not without.run("train", WEEK).success
    (first,), _ = tick(young)
    assert not without.run("train", WEEK, tags=first.tags).success
    (second,), _ = tick(young)

    assert first.run_key != second.run_key
    assert first.partition_key == second.partition_key == WEEK


def test_a_registered_model_that_is_made_again_while_the_tracker_is_away_does_not_wait(world: World) -> None:
    before = lived.versions(world)
    without = told(world, "sqlite:////proc/nowhere/mlflow.db")
    assert not without.run("train", WEEK, tags={ANEW: "true"}).success

    assert tick(world) == ([], "no training waits for the tracker")
    assert lived.versions(world) == before


@pytest.mark.slow
def test_what_waits_is_asked_for_oldest_week_first_and_one_at_a_time(world: World) -> None:
    assert world.run("data", WEEKS[4]).success
    seed = world.use_case.model.seed + 1
    theirs = world.declaring(replace(world.use_case, model=replace(world.use_case.model, seed=seed)))
    without = told(theirs, "sqlite:////proc/nowhere/mlflow.db")
    for week in (WEEKS[4], WEEKS[3], WEEKS[2]):
        assert not without.run("train", week).success
    requests, _ = tick(theirs)

    assert [request.partition_key for request in requests] == list(WEEKS[2:5])
    assert {request.tags["mlops/registration"] for request in requests} == {NAME}
    for request in requests:
        assert reason(theirs.run("train", str(request.partition_key), tags=request.tags)) == ""
    with Records(world.places.records) as records:
        assert still_waiting(records.ledger.entries()) == []


def test_how_long_a_question_may_take_has_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.delenv(name, raising=False)
    assert Registry(closed_port(), world.places.artifacts).client

    seconds, tries = (float(os.environ[f"MLFLOW_HTTP_REQUEST_{name}"]) for name in ("TIMEOUT", "MAX_RETRIES"))
    assert seconds * (1 + tries) < 60
