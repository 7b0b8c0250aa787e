"""A world read back: what its log, its events, its ledger and its reports say, and nothing besides."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mlops_assets.core.account import Policy, Sabotage
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.metrics import auc, log_loss
from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.signals import Answer, Response
from mlops_assets.replay.telling import labelled, tell
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.predictions import Failed, PredictionLog
from mlops_assets.stores.settings import Settings, settings
from mlops_assets_tests.gateway.rolling import Rolling
from mlops_assets_tests.replay import depots
from mlops_assets_tests.stores.records.models import model
from mlops_assets_tests.stores.serving import logged

WEEKS, USE_CASE = depots.WEEKS, depots.use_case()
NAME = USE_CASE.name
SHADOWED, CANARIED, QUIET = WEEKS[4:7]  # by baseline beside 1; by 1 with 2 in the canary; by 1 alone
AT = "2024-03-01T10:00:00Z"


def begins_us(week: str) -> int:
    return int(USE_CASE.partitions.bounds(week)[0].timestamp() * 1_000_000)


def asked(week: str, n: int, **changed: Any) -> Any:
    """An answer of the week's n-th minute."""
    told = {"as_of_us": begins_us(week) + n * 60_000_000, "features": "{}"}
    return logged.answered(f"{week} {n:03}", **(told | changed))


def judged(records: Records, version: int, week: str) -> None:
    """A version of a week, registered and judged."""
    row = model(version, use_case=NAME, partition=week, registered_at=AT, sentence=f"PASS: {version} is better.")
    records.register(row)
    records.ledger.append(
        at=AT, use_case=NAME, kind="verdict", subject=row.name, who="registry_entry", why=row.sentence,
        evidence={"partition": week, "judgement": {"verdict": "PASS"}}, once=f"verdict {version}",
    )  # fmt: skip


def claimed(records: Records, week: str) -> None:
    cause = Cause(use_case=NAME, model=f"{NAME}@1", model_digest="d", reference="r", window=week, signal=Signal.CONCEPT)
    facts = Facts(newest=week, trained_to=WEEKS[3], fresh_rows=9_999, act_windows=0)
    answer = Answer(response=Response.RETRAIN, reason="it is wrong more often")
    records.retrainings.consider(USE_CASE, cause, answer, facts, sensor="concept_drift_sensor", evidence={}, at=AT)


def report(store: AssetStore, week: str, artifact: str, part: str, record: dict[str, Any]) -> None:
    store.publish(f"{NAME}/{artifact}", week, Artifact(records={part: record}), inputs={}, code={}, run="r",
                  action_key=f"{artifact} {week}", created_at=AT)  # fmt: skip


def live(places: Settings) -> None:
    """Version 1 becomes champion and version 2, asked for by concept drift, is rolled back in its canary."""
    with Records(places.records) as records:
        judged(records, 1, WEEKS[3])
        claimed(records, WEEKS[5])
        judged(records, 2, WEEKS[5])
    rolling = Rolling(Path(places.serving), NAME)
    with closing(rolling.rollouts) as rollouts:
        rolling.finalize(1)
        rolling.open(2)
        second = str(rollouts.row().rollout)
        rolling.climb(Stage.CANARY)
        rollouts.abort(who="an operator", why="users complain", at_us=1_400_000_900_000_000)
        Mirror(rollouts, places.records).catch_up()
    shadow = {"rollout": "1", "stage": "SHADOW", "version": 0, "champion": 0, "challenger": 1}
    canary = {"rollout": second, "version": 1, "champion": 1, "challenger": 2}
    alone = {"rollout": second, "version": 1, "champion": 1, "challenger": None}
    with closing(PredictionLog(places.serving, USE_CASE)) as log:
        answers = [asked(SHADOWED, n, score=0.25, **shadow) for n in range(8)]
        answers += [asked(CANARIED, n, score=0.2 + n / 20, **canary) for n in range(8)]
        answers += [asked(CANARIED, n, score=0.9, **(canary | {"version": 2})) for n in range(8, 10)]
        answers += [asked(CANARIED, 10, score=None, status="error", **canary)]
        answers += [asked(QUIET, n, score=0.4, **alone) for n in range(4)]
        logged.put(log, *answers)
        logged.put(log, *(logged.mirrored(f"{SHADOWED} {n:03}", version=1) for n in range(6)))
        logged.put(log, *(logged.mirrored(f"{CANARIED} {n:03}", version=2) for n in range(3)))
        logged.put(log, logged.mirrored(f"{CANARIED} 009", version=1, arm="champion"))
        logged.put(log, *(logged.labelled(f"{CANARIED} {n:03}", float(n % 3 == 0)) for n in range(9)))
        logged.put(log, logged.labelled(f"{CANARIED} 010"), logged.labelled(f"{SHADOWED} 000", 0.0))
        lost = [begins_us(CANARIED) + 60, begins_us(QUIET), begins_us(QUIET) + 1]
        again = [lost[0]]  # one that failed twice
        logged.put(log, *(Failed(request=f"lost {at}", status_code=503, reason="full", at_us=at)
                          for at in (*lost, *again)))  # fmt: skip
        logged.put(log, Failed(request=f"{CANARIED} 001", status_code=503, reason="it came again", at_us=lost[0]))
    store = AssetStore(places.store)
    signals = {"data": "act", "prediction": "stable", "concept": "concept drift", "response": "retrain", "reason": "so"}
    report(store, CANARIED, "response", "response", {"model": f"{NAME}@1", **signals})
    columns = [{"name": "weight", "ratio": 1.5}, {"name": "depot", "ratio": None}, {"name": "stops", "ratio": -0.01}]
    faults = [{"columns": ["weight"], "kind": "scale", "sentence": "weight is in pounds"}]
    report(store, CANARIED, "drift_report", "verdict", {"model": f"{NAME}@1", "columns": columns, "faults": faults})
    nobody = {"model": None, "data": "inconclusive", "response": "watch", "reason": "there is too little to tell"}
    report(store, SHADOWED, "response", "response", nobody)
    report(store, SHADOWED, "drift_report", "verdict", {"verdict": "INCONCLUSIVE"})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    made = settings({"MLOPS_DATA": str(tmp_path_factory.mktemp("world"))})
    live(made)
    yield made


@pytest.fixture(scope="module")
def policy(places: Settings) -> Policy:
    return read(places)


def read(places: Settings, weeks: tuple[str, ...] = WEEKS[4:], **more: Any) -> Policy:
    return tell(USE_CASE, places, name="declared", changes={}, weeks=weeks, **more)


def test_a_week_tells_who_answered_and_how_well(policy: Policy) -> None:
    _, week, _ = policy.weeks
    label = [float(n % 3 == 0) for n in range(9)]
    score = [0.2 + n / 20 for n in range(8)] + [0.9]

    assert (week.week, week.asked, week.answered, week.labelled) == (CANARIED, 13, 10, 9)
    assert week.by_version == {"1": 8, "2": 2}
    assert list(week.metrics) == ["log_loss", "brier", "auc"]
    assert week.metrics["log_loss"] == pytest.approx(log_loss(label, score))
    assert week.metrics["auc"] == pytest.approx(auc(label, score))
    assert (week.predicted, week.actual) == (pytest.approx(np.mean(score)), pytest.approx(1 / 3))


def test_a_week_without_labels_has_no_metrics_and_one_of_a_single_class_no_auc(policy: Policy) -> None:
    shadowed, _, quiet = policy.weeks

    assert (quiet.asked, quiet.labelled, quiet.predicted) == (5, 0, None)
    assert set(quiet.metrics.values()) == {None}
    assert shadowed.by_version == {"0": 8}
    assert shadowed.metrics["auc"] is None
    assert shadowed.metrics["log_loss"] == pytest.approx(-np.log(0.75))


def test_the_signals_are_those_of_the_reports_where_a_model_was_judged(policy: Policy) -> None:
    shadowed, week, quiet = policy.weeks

    assert (week.data, week.prediction, week.concept, week.response, week.reason) == (
        "act", "stable", "concept drift", "retrain", "so"
    )  # fmt: skip
    assert week.drift == {"weight": 1.5, "stops": -0.01}
    assert week.faults == ("weight is in pounds",)
    for silent in (shadowed, quiet):
        assert (silent.data, silent.response, silent.reason, silent.drift) == ("", "", "", {})


def test_stages_follow_each_other_with_the_sentence_that_began_them(policy: Policy) -> None:
    told = [(stage.version, stage.champion, stage.stage, stage.share) for stage in policy.stages]

    assert told == [
        (1, 0, "PREPARING", 0.0), (1, 0, "SHADOW", 0.0), (1, 0, "CANARY", 0.05), (1, 0, "CANARY", 0.25),
        (1, 0, "CANARY", 0.5), (1, 0, "SOAK", 1.0), (1, 0, "FINALIZED", 1.0),
        (2, 1, "PREPARING", 0.0), (2, 1, "SHADOW", 0.0), (2, 1, "CANARY", 0.05), (2, 1, "ROLLED_BACK", 0.0),
    ]  # fmt: skip
    assert [stage.until for stage in policy.stages] == [*(stage.since for stage in policy.stages[1:]), ""]
    assert policy.stages[-1].why == "users complain"
    assert policy.stages[0].since == "2014-05-13T16:53:20Z"


def test_a_version_tells_what_asked_for_it_and_what_the_gate_said(policy: Policy) -> None:
    first, second = policy.versions

    assert (first.version, first.week, first.cause, first.verdict) == (1, WEEKS[3], "first", "PASS")
    assert (second.week, second.cause, second.judged) == (WEEKS[5], "concept drift", "PASS: 2 is better.")
    assert second.why == f"concept drift in {WEEKS[5]}: it is wrong more often"
    assert first.registered_at == AT


def test_costs_are_counted_from_the_log_and_the_events(policy: Policy) -> None:
    assert asdict(policy.costs) == {
        "runs": 0, "trainings": 2, "rollouts": 2, "finalized": 1, "rolled_back": 1, "shadow": 9, "exposed": 2,
        "harmed": 2, "failed": 4, "seconds": 0.0, "failed_runs": 0,
    }  # fmt: skip


def test_the_ledger_is_told_whole_and_named_by_its_last_hash(policy: Policy, places: Settings) -> None:
    with Records(places.records) as records:
        entries = records.ledger.entries()

    assert policy.ledger == entries[-1].hash
    assert [told.kind for told in policy.told] == [entry.kind for entry in entries]
    assert {"verdict", "retrain_requested", "rollout_opened", "finalized", "rolled_back"} <= {
        t.kind for t in policy.told
    }
    assert all(datetime.fromisoformat(told.at).tzinfo and told.at.endswith("Z") for told in policy.told)


def test_reading_again_tells_the_same_and_writes_nothing(policy: Policy, places: Settings) -> None:
    folder = Path(places.store).parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix == ".json"}

    again = read(places)

    assert again == policy
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix == ".json"} == before
    assert msgspec.convert(json.loads(json.dumps(asdict(policy), allow_nan=False)), Policy) == policy


def test_what_the_caller_knows_is_passed_on(places: Settings) -> None:
    done = Sabotage(week=QUIET, kind="crash", done="killed", met="it went on")

    told = read(places, sabotage=[done], seconds=3.5, runs=7)

    assert (told.sabotage, told.costs.seconds, told.costs.runs) == ((done,), 3.5, 7)


def test_fewer_weeks_tell_less(places: Settings, policy: Policy) -> None:
    cut = read(places, WEEKS[4:6])

    assert cut.weeks == policy.weeks[:2]
    assert cut.metrics["auc"] is not None
    assert cut.costs.failed == policy.costs.failed - 1


def test_a_world_in_which_nothing_happened_is_told_and_stays_empty(tmp_path: Path) -> None:
    places = settings({"MLOPS_DATA": str(tmp_path)})

    told = read(places)

    assert (told.weeks, told.versions, told.stages, told.told, told.ledger) == ((), (), (), (), "")
    assert set(told.metrics.values()) == {None}
    assert told.costs.trainings == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_model_that_fell_short_has_a_version_and_no_stage(tmp_path: Path) -> None:
    places = settings({"MLOPS_DATA": str(tmp_path)})
    with Records(places.records) as records:
        judged(records, 1, WEEKS[3])

    told = read(places)

    assert [version.cause for version in told.versions] == ["first"]
    assert (told.stages, told.weeks, told.costs.rollouts) == ((), (), 0)


def test_a_champion_that_is_taken_back_has_a_stage_of_it_and_no_rollout_is_harmed(tmp_path: Path) -> None:
    places = settings({"MLOPS_DATA": str(tmp_path)})
    rolling = Rolling(Path(places.serving), NAME)
    with closing(rolling.rollouts) as rollouts:
        rolling.finalize(1)
        rolling.finalize(2)
        rollouts.restore(who="an operator", why="it was better before", at_us=1_400_000_900_000_000)

    told = read(places)

    last = told.stages[-1]
    assert (last.version, last.champion, last.stage, last.why) == (2, 1, "ROLLED_BACK", "it was better before")
    assert (told.costs.finalized, told.costs.rolled_back) == (2, 0)


def test_the_labelled_requests_are_those_that_got_an_answer_and_an_outcome(places: Settings) -> None:
    found = labelled(USE_CASE, places, WEEKS[4:])

    assert found == {
        SHADOWED: {f"{SHADOWED} 000"}, CANARIED: {f"{CANARIED} {n:03}" for n in range(9)}, QUIET: frozenset()
    }  # fmt: skip
