"""A drifted week lands below a real `dagster dev`, and what follows needs no hand; killed anywhere, it happens once."""

import random
import signal
import time
from collections.abc import Iterator

import dagster as dg
import pytest

from mlops_assets.core.retraining.facts import Outcome
from mlops_assets.graph.drift_judging import VERDICT
from mlops_assets.graph.response import RESPONSE
from mlops_assets.graph.retraining import RETRAIN
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import NOMINATED, REGISTERED, REQUESTED
from mlops_assets_tests.graph.living import NAME, NEXT, Project, cursor, runs, until

pytestmark = pytest.mark.slow
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("living") / "data")
    project.folder.mkdir()
    project.demo()
    return project


@pytest.fixture
def project(made: Project) -> Iterator[Project]:
    made.restore()
    yield made
    made.close()


def settled(project: Project) -> list[tuple[str, Outcome]] | None:
    """The automatic trainings, once none is pending."""
    with Records(project.places.records) as records:
        found = [(t.partition, t.outcome) for t in records.retrainings.trainings(NAME) if t.automatic]
    return found if found and all(outcome is not Outcome.PENDING for _, outcome in found) else None


def kinds(project: Project, week: str) -> list[str]:
    """What the ledger says of the candidates of a week, oldest first."""
    with Records(project.places.records) as records:
        version = {head.version for head in records.lineage.heads() if head.partition == week}
        return [e.kind for e in records.ledger.entries(NAME) if e.subject in {f"{NAME}@{v}" for v in version}]


def test_a_drifted_week_is_judged_retrained_and_nominated_without_a_hand(project: Project) -> None:
    project.start("dagster", "dev", "--host", "127.0.0.1", "--port", "3917")
    with project.instance() as instance:
        until("the sensor's first look", lambda: cursor(instance, f"{NAME}_arrivals"), limit_s=240)
        project.land_drifted()
        retrained = until(
            "the retraining", lambda: next((r for r in runs(instance, "retrain") if r.dagster_run.is_finished), None),
            limit_s=900,
        )  # fmt: skip
        time.sleep(30)  # more ticks of both sensors: nothing more is asked for
        assert len(runs(instance, "retrain")) == 1
        assert retrained.dagster_run.is_success
        tags = retrained.dagster_run.tags
        assert tags["mlops/signal"] == "concept drift" and "wrong more often" in tags["mlops/why"]
        key = dg.AssetKey([NAME, "drift_report"])
        seen = instance.fetch_observations(dg.AssetRecordsFilter(key, asset_partitions=[NEXT]), limit=10).records
        told = [dict(record.asset_observation.metadata) for record in seen if record.asset_observation]
        assert any("5 registry entry" in metadata for metadata in told)
    assert settled(project) == [(NEXT, Outcome.NOMINATED)]
    assert kinds(project, NEXT).count(REGISTERED) == kinds(project, NEXT).count(NOMINATED) == 1
    store = AssetStore(project.places.store)
    assert store.load(f"{NAME}/response", NEXT).records[RESPONSE]["response"] == "retrain"
    assert store.load(f"{NAME}/drift_report", NEXT).records[VERDICT]["verdict"] == "ACT"


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in (2, 3))])
def test_a_daemon_killed_at_random_points_retrains_exactly_once(project: Project, seed: int) -> None:
    """SIGKILL of the daemon with all it started, runs among it, while the chain unfolds."""
    random_ = random.Random(seed)
    with project.instance() as instance:
        daemon = project.start("dagster-daemon", "run")
        until("the sensor's first look", lambda: cursor(instance, f"{NAME}_arrivals"), limit_s=240)
        project.land_drifted()
        for _ in range(2):  # so often Dagster starts a run again that was lost
            time.sleep(random_.uniform(8.0, 60.0))
            project.stop(daemon, signal.SIGKILL)
            daemon = project.start("dagster-daemon", "run")
        until("the training", lambda: settled(project), limit_s=1200)
        time.sleep(30)
        found = [record.dagster_run for record in runs(instance, "retrain")]
        assert len({run.tags[RETRAIN] for run in found}) == 1
        assert len([run for run in found if run.parent_run_id is None]) == 1  # others are Dagster's retries of it
    with Records(project.places.records) as records:
        assert [entry.kind for entry in records.ledger.entries(NAME)].count(REQUESTED) == 1
    assert settled(project) == [(NEXT, Outcome.NOMINATED)]
    assert kinds(project, NEXT).count(REGISTERED) == 1
