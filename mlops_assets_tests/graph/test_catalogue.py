"""The catalogue through the real graph: features in words, their values, and which model versions read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.core.artifact import Artifact
from mlops_assets_tests.graph.world import WEEKS, World, reason, small_world


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four weeks of data, then a model on the first three, then the data of the fourth week again."""
    with small_world(tmp_path_factory.mktemp("catalogue")) as world:
        for job, week in (*(("data", week) for week in WEEKS[:4]), ("train", WEEKS[2]), ("data", WEEKS[3])):
            assert reason(world.run(job, week)) == ""
        yield world


def told(world: World, week: str, event: int = 0) -> dict[str, Any]:
    """What the page shows after the newest (0) or an earlier materialization of the week."""
    asked = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([world.use_case.name, "feature_catalogue"]), asset_partitions=[week]
    )
    found = world.instance.fetch_materializations(asked, limit=10).records[event].asset_materialization
    assert found is not None
    return {name: value.value for name, value in found.metadata.items()}


def lines(world: World, week: str, event: int = 0) -> dict[str, dict[str, Any]]:
    return {record.data["feature"]: record.data for record in told(world, week, event)["catalogue"].records}


def test_every_feature_stands_there_with_its_words_and_figures(lived: World) -> None:
    table = lived.store.load("thin_delays/feature_catalogue", WEEKS[1]).tables["features"]
    rate = next(row for row in table.to_pylist() if row["feature"] == "dest_late_6h")

    assert set(table["feature"].to_pylist()) == {feature.name for feature in lived.use_case.features}
    assert rate["definition"].startswith("Share of late among the flights with the same dest")
    assert (rate["known_at"], rate["window"], rate["key"]) == ("outcome_utc", "6 hours", "dest")
    assert 0 < rate["coverage"] < 1
    assert list(lines(lived, WEEKS[1])) == [feature.name for feature in lived.use_case.features]


def test_the_catalogue_comes_first_on_the_page_and_then_the_picture(lived: World) -> None:
    shown = told(lived, WEEKS[1])
    plot = lived.store.load("thin_delays/feature_catalogue", WEEKS[1]).blobs["plot"].data

    assert list(shown)[:2] == ["catalogue", "distributions"]
    assert shown["distributions"].startswith("![")
    assert len(plot) < 150_000


def test_coverage_is_compared_with_the_week_before(lived: World) -> None:
    before, now = lines(lived, WEEKS[0]), lines(lived, WEEKS[1])

    assert now["tail_delay_7d"][f"known {WEEKS[0]}"] == before["tail_delay_7d"]["known"]
    assert before["tail_delay_7d"]["known before"] == ""


def test_before_the_first_model_no_version_reads_a_feature(lived: World) -> None:
    assert {line["read by version"] for line in lines(lived, WEEKS[1]).values()} == {"none"}
    assert told(lived, WEEKS[1])["leader"] == "none yet"


def test_a_new_version_is_on_the_page_as_soon_as_it_is_registered(lived: World) -> None:
    entry = lived.store.load("thin_delays/registry_entry", WEEKS[2]).records["entry"]
    leader = ", leader" if entry["leader"] else ""

    assert lines(lived, WEEKS[2], event=1)["origin"]["read by version"] == "none"
    for week in WEEKS[2:4]:
        assert lines(lived, week)["origin"]["read by version"] == f"1{leader}"
        assert lines(lived, week)["dest"]["read by version"] == "none"  # excluded from the model
        about = lived.store.require("thin_delays/feature_catalogue", week).about
        assert about["used_by"]["origin"] == ["thin_delays@1"]
        assert about["used_by"]["dest"] == []


def test_a_new_model_is_no_new_data(lived: World) -> None:
    first, *_, last = lived.store.history("thin_delays/feature_catalogue", WEEKS[3])

    assert "thin_delays/registry_entry@" + WEEKS[2] not in first.inputs
    assert "thin_delays/registry_entry@" + WEEKS[2] in last.inputs
    assert last.data_version == first.data_version


def test_an_entry_that_names_no_features_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with small_world(tmp_path) as world:
        facts: dict[str, Any] = {"inputs": {}, "code": {}, "run": "r", "action_key": "k", "created_at": "2013-01-01"}
        old = Artifact(records={"entry": {"candidate": "thin_delays@1", "leader": None}})
        world.store.publish("thin_delays/registry_entry", WEEKS[0], old, **facts)
        said = reason(world.run("data", WEEKS[0]))

        assert f"registry_entry@{WEEKS[0]} was made before entries named the features" in said
        assert f"mlops backfill thin_delays --job train --from {WEEKS[0]} --to {WEEKS[0]}" in said
        assert world.version("feature_table", WEEKS[0]) is not None
