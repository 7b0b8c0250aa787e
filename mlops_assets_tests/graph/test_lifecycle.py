"""End to end through the real graph, with other places: five thin weeks from landed files to a drift report."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset

from mlops_assets.core.search import trials
from mlops_assets.declare import DataError
from mlops_assets.graph.actions import ANEW
from mlops_assets.graph.jobs import LIFECYCLE
from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets_tests.graph.world import WEEKS, World, reason, small_world

AGAIN = {ANEW: "true"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which three weeks made a model and the fourth was judged."""
    with small_world(tmp_path_factory.mktemp("lived")) as world:
        for week in WEEKS[:4]:
            assert reason(world.run("data", week)) == ""
        assert reason(world.run("train", WEEKS[2])) == ""
        assert reason(world.run("lifecycle", WEEKS[3])) == ""
        yield world


def materialized(world: World, artifact: str, partition: str) -> dg.AssetMaterialization:
    records = world.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey([world.use_case.name, artifact]), asset_partitions=[partition]),
        limit=1,
    ).records
    assert records, f"{artifact} of {partition} was never materialized"
    found = records[0].asset_materialization
    assert found is not None
    return found


@pytest.mark.parametrize("artifact", LIFECYCLE)
def test_dagsters_data_version_is_the_stores(lived: World, artifact: str) -> None:
    shown = materialized(lived, artifact, WEEKS[3]).tags or {}

    assert shown["dagster/data_version"] == lived.version(artifact, WEEKS[3])


def test_a_ref_names_every_input_it_was_made_from(lived: World) -> None:
    model = lived.store.latest("thin_delays/trained_model", WEEKS[3])

    assert model is not None
    weeks = [f"thin_delays/feature_table@{week}" for week in WEEKS[:4]]
    tried = [f"thin_delays/trial@{WEEKS[3]}.{trial.key}" for trial in trials(lived.use_case.model)]
    assert list(model.inputs) == [*weeks, *tried]
    assert model.inputs[f"thin_delays/feature_table@{WEEKS[0]}"] == lived.version("feature_table", WEEKS[0])
    assert len(str(model.code["commit"])) in (40, len("unknown"))


def test_the_same_work_again_gives_the_same_versions_and_no_second_model(lived: World) -> None:
    before = lived.versions()
    assert lived.run("lifecycle", WEEKS[3]).success

    assert lived.versions() == before
    entry = lived.store.load("thin_delays/registry_entry", WEEKS[3]).records["entry"]
    assert entry["candidate"] == "thin_delays@2"


def test_the_first_model_is_judged_against_the_baseline_and_the_next_against_the_leader(lived: World) -> None:
    first = lived.store.load("thin_delays/registry_entry", WEEKS[2]).records["entry"]
    second = lived.store.load("thin_delays/registry_entry", WEEKS[3]).records["entry"]

    assert first["against"] == "baseline"
    assert first["judgement"]["verdict"] in ("PASS", "INCONCLUSIVE")
    if first["leader"]:
        assert second["against"] == first["leader"]["name"]


def test_the_tracker_has_one_finished_run_a_training_with_everything_in_its_tags(lived: World) -> None:
    from mlops_assets.stores.registry import Registry

    registry = Registry(lived.places.tracking_uri, lived.places.artifacts)
    (version, *_) = registry.find("thin_delays")
    run = registry.client.get_run(version.run_id)

    assert run.info.status == "FINISHED"
    assert {"data_version", "commit", "dirty", "model_digest", "partition", "seed", "gate"} <= set(run.data.tags)
    assert version.tags["partition"] == WEEKS[2]
    assert set(version.tags) >= {"data_version", "commit", "dirty", "model_digest", "metric/validation_log_loss"}
    assert "model.skops" in version.files
    assert registry.read(version)


def test_a_report_before_the_first_leader_says_it_has_nothing_to_compare(lived: World) -> None:
    assert lived.run("monitor", WEEKS[1]).success

    verdict = lived.store.load("thin_delays/drift_report", WEEKS[1]).records["verdict"]
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert "no model led before" in verdict["sentence"]


def test_a_model_of_too_few_weeks_is_refused_in_words(lived: World) -> None:
    result = lived.run("train", WEEKS[1])

    assert not result.success
    assert "3" in reason(result)
    assert lived.version("trained_model", WEEKS[1]) is None


def test_a_failed_registration_leaves_a_failed_run_in_the_tracker(
    lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_assets.stores.registry import Registry

    def refuse(*_: object, **__: object) -> None:
        raise DataError("the registry says no")

    with monkeypatch.context() as broken:
        broken.setattr(Registry, "find", lambda *_, **__: [])
        broken.setattr(Registry, "register", refuse)
        assert "the registry says no" in reason(lived.run("train", WEEKS[3], tags=AGAIN))
    client = Registry(lived.places.tracking_uri, lived.places.artifacts).client
    experiment = client.get_experiment_by_name("thin_delays")
    newest = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)[0]

    assert newest.info.status == "FAILED"


def test_training_does_not_need_the_tracker_and_is_registered_when_it_is_back(lived: World) -> None:
    away = replace(lived.places, tracking_uri="sqlite:////proc/nowhere/mlflow.db")
    defs = dg.Definitions.merge(build_lifecycle(lived.use_case, away), resources(away))
    before = lived.versions()
    without = replace(lived, defs=defs).run("train", WEEKS[3], tags=AGAIN)

    trained = [e.asset_key.path[-1] for e in without.all_events if e.is_step_materialization and e.asset_key]
    assert trained == ["trained_model"]
    assert "registry_entry" in reason(without)
    assert lived.versions() == before
    assert lived.run("train", WEEKS[3], tags=AGAIN).success


def test_a_replaced_tracker_is_refused_before_one_number_names_two_models(lived: World, tmp_path: Path) -> None:
    empty = replace(lived.places, tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=tmp_path.as_uri())
    defs = dg.Definitions.merge(build_lifecycle(lived.use_case, empty), resources(empty))
    before = lived.versions()

    said = reason(replace(lived, defs=defs).run("train", WEEKS[3], tags=AGAIN))

    assert "the leader thin_delays@1" in said
    assert f"mlops backfill thin_delays --job train --anew --from {WEEKS[2]} --to {WEEKS[2]}" in said
    assert lived.versions() == before


def test_the_trackers_aliases_follow_the_rollout_when_someone_moved_them(lived: World) -> None:
    from mlops_assets.stores.registry import CHALLENGER, CHAMPION, Registry

    registry = Registry(lived.places.tracking_uri, lived.places.artifacts)
    registry.delete_alias("thin_delays", CHALLENGER)
    registry.set_alias(CHAMPION, registry.get("thin_delays", 1))
    assert lived.run("rollout", WEEKS[2], tags=AGAIN).success

    alias = registry.get_alias("thin_delays", CHALLENGER)
    assert alias is not None and alias.version == 1
    assert registry.get_alias("thin_delays", CHAMPION) is None


def test_dagster_draws_the_same_week_so_that_a_backfill_runs_what_was_asked_for(lived: World) -> None:
    graph = lived.defs.resolve_asset_graph()
    partitions = lived.defs.get_assets_def(dg.AssetKey(["thin_delays", "raw_data"])).partitions_def
    assert partitions is not None
    asked = AssetGraphSubset(
        partitions_subsets_by_asset_key={
            dg.AssetKey(["thin_delays", "raw_data"]): partitions.subset_with_partition_keys(WEEKS[2:4])
        }
    )

    reached = graph.bfs_filter_subsets(lambda *_: True, asked)
    for artifact in ("feature_table", "feature_catalogue", "trained_model", "registry_entry", "drift_report"):
        subset = reached.partitions_subsets_by_asset_key[dg.AssetKey(["thin_delays", artifact])]
        assert sorted(subset.get_partition_keys()) == list(WEEKS[2:4])


def test_features_refuse_to_look_back_over_a_week_that_is_not_there(tmp_path: Path) -> None:
    with small_world(tmp_path) as world:
        result = world.run("data", WEEKS[2])

        assert not result.success
        assert "validated_dataset is not materialized for 2012-12-31, 2013-01-07" in reason(result)
        assert "mlops backfill thin_delays --from 2012-12-31 --to 2013-01-07" in reason(result)
        assert world.version("feature_table", WEEKS[2]) is None


def test_a_model_refuses_a_gap_in_its_weeks(lived: World, tmp_path: Path) -> None:
    with small_world(tmp_path) as world:
        for week in (WEEKS[0], WEEKS[1]):
            assert world.run("data", week).success
        assert world.run("data", WEEKS[2]).success
        ref = world.store.latest("thin_delays/feature_table", WEEKS[1])
        assert ref is not None
        folder = Path(world.places.store) / "refs" / "thin_delays" / "feature_table" / WEEKS[1]
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        result = world.run("train", WEEKS[2])

        assert not result.success
        assert f"feature_table is not materialized for {WEEKS[1]}" in reason(result)


def test_other_evidence_about_the_same_model_is_no_second_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_assets.core.fitting import TrainedModel
    from mlops_assets.stores.records import Records

    evidence = TrainedModel.evidence
    before = world.version("trained_model", WEEKS[3])
    monkeypatch.setattr(TrainedModel, "evidence", lambda model: evidence(model) | {"seen": "twice"})
    assert reason(world.run("train", WEEKS[3], tags=AGAIN)) == ""

    assert world.version("trained_model", WEEKS[3]) != before
    with Records(world.places.records) as records:
        assert records.lineage.get(world.use_case.name, 3) is None
        assert [entry.subject for entry in records.ledger.entries() if entry.kind == "registered"] == [
            f"{world.use_case.name}@1", f"{world.use_case.name}@2"
        ]  # fmt: skip
        assert records.ledger.verify() == []
