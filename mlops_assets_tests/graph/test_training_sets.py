"""A training set through the real graph: named by its model, and the same bytes after the weeks were made anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_frame
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.training_set import Reference
from mlops_assets.declare import DamagedError, DataError
from mlops_assets.graph.leader import scorer_of
from mlops_assets.graph.registration import feature_weeks
from mlops_assets.stores import training_sets
from mlops_assets.stores.objects import object_path
from mlops_assets.stores.parquet import parquet_bytes
from mlops_assets_tests.graph.world import WEEKS, World, reason, small_world

WEEK = WEEKS[2]


@dataclass(frozen=True)
class Lived:
    """A model; then another file for its first week, which was made anew; then the model of the same week anew."""

    world: World
    noted: Reference
    digest: str
    bytes: bytes
    anew: Reference


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with small_world(tmp_path_factory.mktemp("sets")) as world:
        for week in WEEKS[:3]:
            assert reason(world.run("data", week)) == ""
        assert reason(world.run("train", WEEK)) == ""
        noted = training_sets.of_model(world.store, world.use_case.name, WEEK)
        data = parquet_bytes(training_sets.table(world.store, noted))
        model = world.store.load("thin_delays/trained_model", WEEK).blobs["model"].version
        file = world.landed("flights", WEEKS[0])
        pq.write_table(pq.read_table(file).slice(50), file)
        for job, week in (("data", WEEKS[0]), ("train", WEEK)):
            assert reason(world.run(job, week)) == ""
        yield Lived(world, noted, model, data, training_sets.of_model(world.store, world.use_case.name, WEEK))


def test_a_named_set_is_the_same_bytes_after_its_weeks_were_made_anew(lived: Lived) -> None:
    store = lived.world.store
    found = training_sets.named(store, "thin_delays", lived.noted.name)

    assert lived.world.version("feature_table", WEEKS[0]) != lived.noted.training_set.weeks[WEEKS[0]]
    assert found == lived.noted
    assert parquet_bytes(training_sets.table(store, found)) == lived.bytes


def test_training_anew_on_other_versions_has_another_name(lived: Lived) -> None:
    assert lived.anew.name != lived.noted.name
    assert lived.anew.data_version != lived.noted.data_version
    assert lived.anew.train_rows < lived.noted.train_rows
    assert training_sets.named(lived.world.store, "thin_delays", lived.anew.name.split("/")[1]) == lived.anew


def test_a_fit_on_the_sets_own_rows_is_the_model(lived: Lived) -> None:
    rows = to_frame(training_sets.table(lived.world.store, lived.noted))

    again = fit(lived.world.use_case, dict(iter(rows.groupby("_week"))))

    assert model_digest(again.estimator) == lived.digest


def test_the_weeks_a_set_names_are_what_the_model_read(lived: Lived) -> None:
    ref = lived.world.store.require("thin_delays/trained_model", WEEK)

    assert {f"thin_delays/feature_table@{w}": v for w, v in lived.anew.training_set.weeks.items()} == feature_weeks(ref)


def test_the_registered_version_is_found_by_its_training_set(lived: Lived) -> None:
    from mlops_assets.stores.registry import Registry

    registry = Registry(lived.world.places.tracking_uri, lived.world.places.artifacts)
    (version,) = registry.find("thin_delays", training_set=lived.anew.name)
    entry = lived.world.store.load("thin_delays/registry_entry", WEEK).records["entry"]

    assert version.tags["training_set_data_version"] == lived.anew.data_version
    assert entry["training_set"] == lived.anew.name
    assert entry["candidate"] == f"thin_delays@{version.version}"


def test_the_model_still_answers_for_itself(lived: Lived) -> None:
    artifact = lived.world.store.load("thin_delays/trained_model", WEEK)

    assert model_digest(scorer_of(lived.world.use_case, artifact).estimator) == artifact.blobs["model"].version


def test_an_unknown_name_says_how_many_models_were_looked_at(lived: Lived) -> None:
    with pytest.raises(DataError, match=r"no model of thin_delays was trained on thin_delays/ts-0 \(2 models"):
        training_sets.named(lived.world.store, "thin_delays", "ts-0")


def test_a_version_that_is_damaged_or_gone_is_named(lived: Lived) -> None:
    store, version = lived.world.store, lived.noted.training_set.weeks[WEEKS[0]]
    ref = store.find("thin_delays/feature_table", WEEKS[0], data_version=version)
    assert ref is not None
    part = ref.parts["features"]
    file = Path(lived.world.places.store) / object_path(part.address, part.suffix)
    whole = file.read_bytes()
    said = rf"{lived.noted.name} needs thin_delays/feature_table@{WEEKS[0]} in its data version {version[:12]}"

    file.chmod(0o644)
    file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(DamagedError, match=f"{said}, which is damaged"):
        training_sets.table(store, lived.noted)
    file.write_bytes(whole)
    weeks = {**lived.noted.training_set.weeks, WEEKS[0]: "f" * 64}
    gone = replace(lived.noted, training_set=replace(lived.noted.training_set, weeks=weeks))
    with pytest.raises(DataError, match="which is gone"):
        training_sets.table(store, gone)
    assert training_sets.table(store, lived.noted).num_rows == lived.noted.train_rows + lived.noted.validation_rows
