"""The second use case through the real graph: a regression, local times, a label in a later row."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.declare import DriftPolicy
from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets.stores.settings import settings
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.graph.world import World, reason

LANDING = Path(__file__).parents[2] / "data" / "landing"
WEEKS = PARKING.partitions.keys()  # 3, 10, 17 and 24 October, and on


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four shipped weeks: two make a model that fits in no time, two are judged by it."""
    folder = tmp_path_factory.mktemp("parking")
    estimator = PARKING.model.estimator
    fast = replace(estimator, params={**estimator.params, "max_iter": 20})
    use_case = replace(
        PARKING,
        model=replace(PARKING.model, estimator=fast, min_weeks=2, search=None),
        drift=DriftPolicy(min_reference_windows=2),
    )
    places = settings({"MLOPS_DATA": str(folder), "MLOPS_LANDING": str(LANDING)})
    defs = dg.Definitions.merge(build_lifecycle(use_case, places), resources(places))
    with dg.DagsterInstance.ephemeral(tempdir=str(folder / "dagster")) as instance:
        world = World(folder, use_case, places, defs, instance)
        for job, weeks in (("data", WEEKS[:4]), ("train", WEEKS[1:2]), ("monitor", WEEKS[2:4])):
            for week in weeks:
                assert reason(world.run(job, week)) == ""
        yield world


def test_a_regression_leads_by_its_mean_absolute_error(lived: World) -> None:
    entry = lived.store.load("parking/registry_entry", WEEKS[1]).records["entry"]

    assert (entry["candidate"], entry["against"]) == ("parking@1", "baseline")
    assert entry["judgement"]["verdict"] == "PASS"
    assert entry["judgement"]["metric"] == "mae"
    assert entry["judgement"]["blocks"] == 7
    assert entry["leader"]["name"] == "parking@1"


def test_evidence_and_pictures_speak_of_shares(lived: World) -> None:
    model = lived.store.load("parking/trained_model", WEEKS[1])
    evidence = model.records["evidence"]

    assert set(evidence["metrics"]) == {"mae", "rmse"}
    assert evidence["metrics"]["mae"] < 0.25 * evidence["baseline_metrics"]["mae"]
    assert evidence["window"]["unlabelled"] == 300 + 380
    assert b"predicted (of capacity)" in model.blobs["calibration"].data
    assert b"0.0 of capacity" not in model.blobs["calibration"].data


def test_a_complete_week_is_judged_and_one_with_two_days_missing_is_not(lived: World) -> None:
    short, full = (lived.store.load("parking/drift_report", week).records["verdict"] for week in WEEKS[2:4])

    assert full["verdict"] == "QUIET"
    assert full["calibrated"]
    assert short["verdict"] == "INCONCLUSIVE"
    assert "5 of 7 days have rows (0.71), min_completeness is 0.80" in short["sentence"]


def test_the_refused_readings_of_a_week_are_kept_with_their_reasons(lived: World) -> None:
    kept = lived.store.load("parking/quarantine", "2016-10-24").tables["readings"]

    assert kept.num_rows == 96
    assert sum("Occupancy must be >= 0 car (met -" in why for why in kept["reasons"].to_pylist()) == 6
