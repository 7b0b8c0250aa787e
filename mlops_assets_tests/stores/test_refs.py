"""A ref says what it is, knows where it belongs, and is never written twice."""

import pytest

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.refs import ref_path
from mlops_assets_tests.stores.publishing import ASSET, artifact, publish

WEEK = "2013-07-08"


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return AssetStore(tmp_path / "store" if request.param == "local" else f"memory://{tmp_path}")


def test_generations_count_from_one_and_the_newest_is_latest(store):
    refs = [publish(store, seed) for seed in (1, 2, 3)]

    assert [ref.generation for ref in refs] == [1, 2, 3]
    assert store.latest(ASSET, WEEK) == refs[-1]
    assert store.history(ASSET, WEEK) == refs


def test_a_ref_read_back_is_the_ref_that_was_written(store):
    assert store.latest(ASSET, WEEK) is None
    ref = publish(store, 1)

    assert store.latest(ASSET, WEEK) == ref
    assert Ref.of_record(ref.record()) == ref
    assert dict(ref.parts["airports"].columns) == {"code": "string", "seed": "int64"}
    assert (ref.parts["flights"].rows, ref.parts["profile"].rows) == (2_000, None)


def test_the_same_again_in_another_run_writes_nothing(store):
    first = publish(store, 1)

    assert publish(store, 1, run="another") == first
    assert len(store.history(ASSET, WEEK)) == 1


def test_the_same_with_other_inputs_is_another_publication(store):
    publish(store, 1)
    facts = {"code": {"commit": "c"}, "run": "r1", "action_key": "k", "created_at": "2013-07-15"}
    ref = store.publish(ASSET, WEEK, artifact(1), inputs={"a/b@c": "v"}, **facts)

    assert ref.generation == 2


def test_assets_and_partitions_are_listed(store):
    assert store.refs.assets() == []
    publish(store, 1, "2013-07-15")
    publish(store, 1, "2013-07-08")

    assert store.refs.assets() == [ASSET]
    assert store.refs.partitions(ASSET) == ["2013-07-08", "2013-07-15"]


@pytest.mark.parametrize("place", range(0, 1_000, 50))
def test_a_flipped_bit_anywhere_in_the_newest_ref_raises_and_never_falls_back(store, place):
    publish(store, 1)
    path = ref_path(ASSET, WEEK, publish(store, 2).generation)
    data = bytearray(store.objects.place.read(path))
    data[place % len(data)] ^= 1 << place % 8
    store.objects.place.write(path, bytes(data), "test")

    with pytest.raises(DamagedError, match=r"00000002\.json"):
        store.latest(ASSET, WEEK)


def test_a_lost_newest_ref_raises_and_never_falls_back(tmp_path):
    store = AssetStore(tmp_path)
    publish(store, 1)
    publish(store, 2)
    (tmp_path / ref_path(ASSET, WEEK, 2)).unlink()

    with pytest.raises(DamagedError, match=r"00000002\.json.* is missing"):
        store.latest(ASSET, WEEK)
    with pytest.raises(DamagedError, match=r"00000002\.json"):
        store.history(ASSET, WEEK)


def test_a_publication_supersedes_a_damaged_or_lost_one(tmp_path):
    store = AssetStore(tmp_path)
    publish(store, 1)
    (tmp_path / ref_path(ASSET, WEEK, 1)).write_text("{}")
    publish(store, 1)
    (tmp_path / ref_path(ASSET, WEEK, 2)).unlink()

    assert publish(store, 1).generation == 3
    assert store.load(ASSET, WEEK).version == artifact(1).version


@pytest.mark.parametrize("to", [("2013-07-08", 1), ("2013-07-08", 3), ("2013-07-15", 2)])
def test_a_ref_copied_to_another_place_is_found(tmp_path, to):
    store = AssetStore(tmp_path)
    publish(store, 1)
    publish(store, 2)
    publish(store, 9, "2013-07-15")
    target = tmp_path / ref_path(ASSET, *to)
    target.write_bytes((tmp_path / ref_path(ASSET, WEEK, 2)).read_bytes())

    with pytest.raises(DamagedError, match="copied or moved here"):
        store.refs.read(ASSET, *to)


@pytest.mark.parametrize("asset", ["", "flight_delays", "a/b/c", "a//b", "/a", "a/", "../a/b", "CON/b", None, 1])
def test_an_asset_is_named_by_use_case_and_artifact(store, asset):
    with pytest.raises(DataError, match="asset"):
        store.latest(asset, WEEK)


def test_a_ref_whose_version_is_not_that_of_its_parts_cannot_be(store):
    record = publish(store, 1).record()

    with pytest.raises(DataError, match="must be the version of its parts"):
        Ref.of_record({**record, "data_version": "0" * 64})
    with pytest.raises(DataError, match="ref format"):
        Ref.of_record({**record, "format": 2})
