"""The graph puts candidates before the gateways and shows what became of them; it lets nobody see a model by itself."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets.graph.recording import Books, is_nominated
from mlops_assets.graph.rollout import nominate
from mlops_assets.graph.serving import Serving
from mlops_assets.stores.records import Records
from mlops_assets.stores.registry import Registry
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.gateway.rolling import PLAN, Rolling
from mlops_assets_tests.graph.lived import NAME
from mlops_assets_tests.graph.world import WEEKS, World, reason
from mlops_assets_tests.stores.serving.logged import answered, labelled, mirrored, put

FIRST, SECOND = WEEKS[2], WEEKS[3]  # the weeks whose candidates are versions 1 and 2
ENTRY = {"candidate": f"{NAME}@1", "judgement": {"verdict": "PASS", "sentence": "PASS: better."}}


@pytest.fixture
def fresh(world: World) -> World:
    """The same world with a ladder that a test can climb, on which nobody stands yet."""
    places = replace(world.places, serving=str(world.folder / "fresh"))
    return World.of(world.folder, replace(world.use_case, rollout=PLAN), places, world.instance)


@contextmanager
def rolling(world: World) -> Iterator[Rolling]:
    made = Rolling(world.places.serving, NAME)  # type: ignore[arg-type]  # a path as text
    with closing(made.rollouts):
        yield made


def course(world: World, week: str) -> dict[str, Any]:
    return world.store.load(f"{NAME}/rollout", week).records["state"]


def show(world: World, week: str) -> dg.AssetCheckEvaluation:
    """Materialize the rollout of a week, and what its check says."""
    result = world.run("rollout", week)
    assert reason(result) == ""
    (check,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "last_decision"]
    return check


def test_a_nominated_candidate_is_opened_the_next_one_waits_and_nobody_sees_either(world: World) -> None:
    with Rollouts(world.places.serving, NAME) as rollouts:
        row = rollouts.row()
    nominated = [
        int(entry["candidate"].partition("@")[2])
        for week in (FIRST, SECOND)
        if is_nominated(entry := world.store.load(f"{NAME}/registry_entry", week).records["entry"])
    ]

    assert (row.stage, row.share, row.champion) == (Stage.PREPARING, 0.0, 0)
    assert [row.challenger, *row.waiting] == nominated
    with Records(world.places.records) as records:
        assert records.aliases(NAME) == {"challenger": nominated[0]}


def test_materializing_again_and_again_moves_nothing(world: World) -> None:
    with Rollouts(world.places.serving, NAME) as rollouts:
        before = rollouts.row()
        for week in (FIRST, SECOND, SECOND):
            show(world, week)
        assert rollouts.row() == before


def test_a_candidate_that_falls_short_is_not_opened(world: World) -> None:
    with Rollouts(world.places.serving, NAME) as rollouts:
        before = rollouts.row()
        short = {"candidate": f"{NAME}@9", "judgement": {"verdict": "FAIL", "sentence": "FAIL: worse."}}
        nominate(world.use_case, rollouts, short, who="a test")
        assert rollouts.row() == before
        nominate(world.use_case, rollouts, {**ENTRY, "candidate": f"{NAME}@9"}, who="a test")
        assert rollouts.row().waiting[-1] == 9


def test_a_final_model_is_champion_in_ledger_lineage_and_tracker_and_its_page_tells_the_way(fresh: World) -> None:
    world = fresh
    with rolling(world) as made:
        nominate(world.use_case, made.rollouts, ENTRY, who="a test")
        made.climb(Stage.FINALIZED)
    check = show(world, FIRST)
    found = course(world, FIRST)
    tracker = Registry(world.places.tracking_uri, world.places.artifacts)

    assert (found["stage"], check.passed) == ("FINALIZED", True)
    decisions = world.store.load(f"{NAME}/rollout", FIRST).tables["decisions"].to_pylist()
    assert [row["share"] for row in decisions if row["decision"] in ("ADVANCED", "FINALIZED")] == [
        0.05, 0.25, 0.5, 1.0, 1.0
    ]  # fmt: skip
    assert [told["verdict"] for told in found["judged"]] == ["PASS"] * 5
    assert {"share_plot", "evidence_plot"} <= set(world.store.load(f"{NAME}/rollout", FIRST).blobs)
    with Records(world.places.records) as records:
        assert records.aliases(NAME)["champion"] == 1
        row = records.lineage.get(NAME, 1)
        assert row is not None and (row.stage, row.share) == ("champion", 1.0)
    alias = tracker.get_alias(NAME, "champion")
    assert alias is not None and alias.version == 1


def test_a_challenger_that_was_rolled_back_fails_the_check_with_the_reason(world: World) -> None:
    with Rollouts(world.places.serving, NAME) as rollouts:
        rollouts.abort(who="an operator", why="users complain", at_us=1)
    check = show(world, FIRST)

    assert not check.passed
    assert check.description == "ROLLED_BACK: users complain"
    assert course(world, FIRST)["stage"] == "ROLLED_BACK"


def test_the_sensor_asks_for_the_weeks_whose_models_were_decided_about(world: World) -> None:
    sensor = world.defs.resolve_sensor_def(f"{NAME}_rollouts")
    given: dict[str, Any] = {
        "records": Books(where=world.places.records, pages=""), "serving": Serving(where=world.places.serving)
    }  # fmt: skip

    def tick(cursor: str | None) -> Any:
        with dg.build_sensor_context(world.instance, cursor=cursor, resources=given) as context:
            return sensor(context)

    first = tick(None)
    assert [request.partition_key for request in first.run_requests] == [FIRST]
    assert isinstance(tick(first.cursor), dg.SkipReason)


def test_predictions_are_the_log_of_the_week_and_a_label_is_another_version(world: World) -> None:
    week = world.use_case.partitions.keys()[26]  # that of 1 July
    with closing(PredictionLog(world.places.serving, world.use_case)) as log:
        assert put(log, answered("a"), answered("b"), mirrored("a")) == ["written"] * 3
        assert reason(world.run("rollout", week)) != ""  # it has no candidate
        for step in range(2):
            result = dg.materialize(
                [world.defs.get_assets_def(dg.AssetKey([NAME, "predictions"]))], partition_key=week,
                resources=world.defs.resources, instance=world.instance,
            )  # fmt: skip
            assert result.success, step
        first = world.version("predictions", week)
        table = world.store.load(f"{NAME}/predictions", week).tables["predictions"]
        put(log, labelled("a"))
        dg.materialize(
            [world.defs.get_assets_def(dg.AssetKey([NAME, "predictions"]))], partition_key=week,
            resources=world.defs.resources, instance=world.instance,
        )  # fmt: skip

    assert table["id"].to_pylist() == ["a", "b"] and table["carrier"].to_pylist() == ["UA", "UA"]
    assert len(world.store.refs.generations(f"{NAME}/predictions", week)) == 2  # the same again is no publication
    assert world.version("predictions", week) != first
