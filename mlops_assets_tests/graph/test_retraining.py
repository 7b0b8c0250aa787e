"""The sensors that retrain: one claim for a cause, one run for a claim, a reason for every no."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.retraining.facts import Outcome
from mlops_assets.core.signals import Concept, Data, Prediction, Signals, respond
from mlops_assets.graph.response import RESPONSE
from mlops_assets.graph.retraining import RETRAIN
from mlops_assets.stores.records import Records
from mlops_assets_tests.graph.lived import NAME
from mlops_assets_tests.graph.ticking import tick, weeks, why
from mlops_assets_tests.graph.world import WEEKS, World, reason

NEWEST = WEEKS[4]
DRIFT, CONCEPT = f"{NAME}_drift_sensor", f"{NAME}_concept_drift_sensor"


@pytest.fixture
def due(world: World) -> World:
    """A world whose newest week is made and judged, and whose policy lets a training happen."""
    from dataclasses import replace
    from datetime import timedelta

    policy = replace(world.use_case.retraining, fresh=100, cooldown=timedelta(days=7), breaker=2)
    made = world.declaring(replace(world.use_case, retraining=policy))
    assert reason(made.run("arrived", NEWEST)) == ""
    return made


def response(world: World) -> Mapping[str, Any]:
    return world.store.load(f"{NAME}/response", NEWEST).records[RESPONSE]


def say(world: World, data: Data, concept: Concept, *, act_windows: int = 0) -> None:
    """Publish another response of the newest week: what its reports would have said."""
    answer = respond(Signals(data=data, prediction=Prediction.STABLE, concept=concept))
    told = {"data": data.value, "concept": concept.value, "response": answer.response.value, "reason": answer.reason}
    record = {**response(world), **told, "act_windows": act_windows}
    world.store.publish(
        f"{NAME}/response", NEWEST, Artifact(records={RESPONSE: record}), inputs={}, code={}, run="planted",
        action_key="planted", created_at="2013-02-11T00:00:00+00:00",
    )  # fmt: skip


def run(world: World, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    return world.run("retrain", str(request.partition_key), tags=dict(request.tags))


def trainings(world: World) -> list[tuple[str, Outcome]]:
    with Records(world.places.records) as records:
        return [(t.partition, t.outcome) for t in records.retrainings.trainings(NAME) if t.automatic]


def test_the_newest_week_was_judged_against_the_model_that_led(due: World) -> None:
    told = response(due)
    assert told["model"].startswith(f"{NAME}@") and told["partition"] == NEWEST
    assert told["response"] in ("nothing", "watch", "retrain", "check the feed")


def test_a_quiet_week_is_a_no_with_its_reason_and_is_written_down_once(due: World) -> None:
    say(due, Data.QUIET, Concept.OK)
    for sensor in (DRIFT, CONCEPT, DRIFT, DRIFT):
        assert "nothing" in why(tick(due, sensor))
    with Records(due.places.records) as records:
        decided = records.retrainings.decisions(NAME)
    assert {(d.sensor, d.yes, d.ticks) for d in decided} == {(DRIFT, False, 3), (CONCEPT, False, 1)}


def test_concept_drift_is_one_claim_and_one_run_whoever_asks_and_however_often(due: World) -> None:
    say(due, Data.QUIET, Concept.DRIFT)
    asked = tick(due, CONCEPT)
    assert weeks(asked) == [NEWEST]
    (request,) = asked.run_requests or []
    assert request.run_key == request.tags[RETRAIN] and request.tags["mlops/signal"] == "concept drift"
    (again,) = tick(due, CONCEPT).run_requests or []  # a daemon that died before Dagster knew of it
    assert again.run_key == request.run_key
    assert weeks(tick(due, DRIFT)) == []
    assert reason(run(due, request)) == ""
    assert weeks(tick(due, CONCEPT)) == [] == weeks(tick(due, DRIFT))
    assert [week for week, _ in trainings(due)] == [NEWEST]


def test_the_chain_of_a_retraining_stands_on_the_page_of_its_cause(due: World) -> None:
    say(due, Data.QUIET, Concept.DRIFT)
    (request,) = tick(due, CONCEPT).run_requests or []
    assert reason(run(due, request)) == ""
    key = dg.AssetKey([NAME, "drift_report"])
    found = due.instance.fetch_observations(dg.AssetRecordsFilter(key, asset_partitions=[NEWEST]), limit=5).records
    observed = found[0].asset_observation
    assert observed is not None
    told = {name: value.value for name, value in observed.metadata.items()}
    entry = due.store.load(f"{NAME}/registry_entry", NEWEST).records["entry"]
    assert str(told["5 registry entry"]).startswith(entry["candidate"])
    assert told["the same by"] == f"mlops trace {entry['candidate']}"


def test_a_decision_stands_on_the_page_of_the_report_it_is_about(due: World) -> None:
    say(due, Data.QUIET, Concept.DRIFT)
    tick(due, CONCEPT)
    tick(due, CONCEPT)
    key = dg.AssetKey([NAME, "performance_report"])
    found = due.instance.fetch_observations(dg.AssetRecordsFilter(key, asset_partitions=[NEWEST]), limit=5).records
    said = [r.asset_observation.description for r in found if r.asset_observation]
    assert any(text and text.startswith("retrain for concept drift") for text in said)


def test_outcomes_that_mature_after_the_next_week_has_landed_still_retrain(due: World) -> None:
    """Labels that take longer than a week: of the newest week there are never any."""
    say(due, Data.QUIET, Concept.DRIFT)
    later = due.use_case.partitions.shift(NEWEST, 1)
    record = {**response(due), "partition": later, "concept": Concept.UNKNOWN.value, "response": "watch"}
    due.store.publish(
        f"{NAME}/response", later, Artifact(records={RESPONSE: record}), inputs={}, code={}, run="planted",
        action_key="planted", created_at="2013-02-18T00:00:00+00:00",
    )  # fmt: skip
    assert weeks(tick(due, CONCEPT)) == [NEWEST]  # the week whose labels are there


def test_drifted_inputs_wait_for_a_second_week(due: World) -> None:
    say(due, Data.ACT, Concept.UNKNOWN, act_windows=1)
    assert "1 of 2 windows" in why(tick(due, DRIFT))
    say(due, Data.ACT, Concept.UNKNOWN, act_windows=2)
    assert weeks(tick(due, DRIFT)) == [NEWEST]


@pytest.mark.parametrize("concept", list(Concept))
def test_a_broken_feed_never_retrains(due: World, concept: Concept) -> None:
    say(due, Data.FAULT, concept, act_windows=9)
    for sensor in (DRIFT, CONCEPT):
        assert weeks(tick(due, sensor)) == []
    assert trainings(due) == []


def test_a_week_whose_feed_was_broken_is_mended_before_anything_is_trained_on_it(due: World) -> None:
    say(due, Data.QUIET, Concept.DRIFT)
    record = {**response(due), "faulty": [NEWEST]}  # of a week since the last training
    due.store.publish(
        f"{NAME}/response", NEWEST, Artifact(records={RESPONSE: record}), inputs={}, code={}, run="planted",
        action_key="planted", created_at="2013-02-11T00:00:00+00:00",
    )  # fmt: skip
    assert f"the feed of {NEWEST} was broken" in why(tick(due, CONCEPT)) and trainings(due) == []


def test_a_run_that_is_cancelled_settles_its_claim_as_failed(due: World) -> None:
    say(due, Data.QUIET, Concept.DRIFT)
    (request,) = tick(due, CONCEPT).run_requests or []
    job = due.defs.resolve_job_def(f"{NAME}_retrain")
    made = due.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    assert weeks(tick(due, CONCEPT)) == [] and trainings(due) == [(NEWEST, Outcome.PENDING)]
    due.instance.report_run_canceled(made)
    assert weeks(tick(due, CONCEPT)) == []
    assert trainings(due) == [(NEWEST, Outcome.FAILED)]
    assert weeks(tick(due, CONCEPT)) == []  # never twice for one cause


def test_a_run_that_failed_again_after_dagster_retried_it_settles_its_claim(due: World) -> None:
    """Dagster leaves `will_retry` on the first run and names the second beside it."""
    say(due, Data.QUIET, Concept.DRIFT)
    (request,) = tick(due, CONCEPT).run_requests or []
    job, tags = due.defs.resolve_job_def(f"{NAME}_retrain"), dict(request.tags)
    first = due.instance.create_run_for_job(job, tags=tags | {"dagster/will_retry": "true"})
    due.instance.report_run_failed(first)
    tick(due, CONCEPT)
    assert trainings(due) == [(NEWEST, Outcome.PENDING)]  # it is started again
    second = due.instance.create_run_for_job(job, tags=tags)
    due.instance.add_run_tags(first.run_id, {"dagster/auto_retry_run_id": second.run_id})
    due.instance.report_run_failed(second)
    tick(due, CONCEPT)
    assert trainings(due) == [(NEWEST, Outcome.FAILED)]


def test_nothing_is_asked_for_before_a_model_was_judged(world: World) -> None:
    from mlops_assets_tests.graph.world import small_world

    with small_world(world.folder / "empty") as empty:
        assert why(tick(empty, DRIFT)) == "no week has been judged against a model yet"
