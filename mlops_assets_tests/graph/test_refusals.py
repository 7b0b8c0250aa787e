"""Bad files, bad keys, bad places: a clear error, nothing lost, nothing half published."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.stores.fsck import fsck
from mlops_assets_tests.graph.world import QUIET, WEEKS, World, reason, small_world

WEEK = WEEKS[0]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.unlink(), "is missing"),
        (lambda p: p.write_bytes(b""), "flights/2012-12-31.parquet"),
        (lambda p: p.write_bytes(p.read_bytes()[:-100]), "flights/2012-12-31.parquet"),
        (lambda p: p.write_text("year,month\n1,2\n"), "flights/2012-12-31.parquet"),
    ],
    ids=["missing", "empty", "truncated", "not parquet"],
)
def test_a_landed_file_that_cannot_be_read_is_named(world: World, spoil: Callable[[Path], None], said: str) -> None:
    spoil(world.landed("flights", WEEK))
    result = world.run("data", WEEK)

    assert not result.success
    assert said in reason(result)
    assert world.versions() == {}


def test_a_refused_table_publishes_nothing_and_the_version_before_stays(world: World) -> None:
    assert world.run("data", WEEK).success
    before = world.versions()
    file = world.landed("flights", WEEK)
    pq.write_table(pq.read_table(file).slice(0, 100), file)
    result = world.run("data", WEEK)

    assert not result.success
    assert "100 clean rows, at least 500 asked" in reason(result)
    after = world.versions()
    assert after["thin_delays/raw_data@" + WEEK] != before["thin_delays/raw_data@" + WEEK]
    for artifact in ("validated_dataset", "feature_table"):
        assert after[f"thin_delays/{artifact}@{WEEK}"] == before[f"thin_delays/{artifact}@{WEEK}"]
    ran = {event.step_key for event in result.all_events if event.event_type_value == "STEP_START"}
    assert "thin_delays__feature_table" not in ran


def test_the_check_of_a_refused_table_says_number_bound_and_likely_cause(world: World) -> None:
    file = world.landed("flights", WEEK)
    pq.write_table(pq.read_table(file).slice(0, 100), file)
    result = world.run("data", WEEK)
    (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "flights_rows"]

    assert not found.passed
    assert found.metadata["met"].value == 100.0
    assert found.metadata["bound"].value == 500.0
    assert "is the delivery cut short" in str(found.description)


def test_quarantined_rows_are_kept_also_when_the_table_is_refused(world: World) -> None:
    file = world.landed("flights", WEEK)
    rows = pq.read_table(file)
    position = rows.column_names.index("origin")
    pq.write_table(rows.set_column(position, "origin", pa.array(["LAX"] * rows.num_rows)), file)

    assert not world.run("data", WEEK).success
    kept = world.store.load("thin_delays/quarantine", WEEK).tables["flights"]
    assert kept.num_rows == rows.num_rows
    assert "origin must be one of ['EWR', 'JFK', 'LGA'] (met 'LAX')" in kept["reasons"][0].as_py()


@pytest.mark.parametrize("job", ["data", "train", "monitor", "lifecycle"])
@pytest.mark.parametrize("key", ["2013-01-09", "2031-01-06"])
def test_a_partition_key_that_does_not_exist_is_refused_by_every_job(world: World, job: str, key: str) -> None:
    result = run_tagged(world, job, key)

    assert not result.success
    # beyond the axis Dagster's own arithmetic refuses a window of weeks before our first line runs
    said = (f"partition key '{key}' does not exist", f"{key} is after the partitions definition end")
    assert any(words in reason(result) for words in said)
    assert world.versions() == {}


@pytest.mark.parametrize("key", ["../../etc", "week one", "", "2013-01-07/../2012-12-31"])
def test_a_partition_key_that_is_no_date_runs_nothing(world: World, key: str) -> None:
    with pytest.raises(Exception, match=r"does not match format|partition"):  # Dagster's own words
        result = run_tagged(world, "data", key)
        assert not result.success, reason(result)
        raise ValueError(reason(result))
    assert world.versions() == {}


def run_tagged(world: World, job: str, key: str) -> dg.ExecuteInProcessResult:
    """As `dagster job execute` starts it: the key is a tag that nobody looked at."""
    return world.defs.resolve_job_def(f"thin_delays_{job}").execute_in_process(
        tags={"dagster/partition": key}, instance=world.instance, raise_on_error=False, run_config=QUIET
    )


def test_a_run_without_a_partition_is_told_to_name_one(world: World) -> None:
    result = world.defs.resolve_job_def("thin_delays_data").execute_in_process(
        instance=world.instance, raise_on_error=False, run_config=QUIET
    )

    assert not result.success
    assert "the run names no partition" in reason(result)


def test_a_damaged_object_is_refused_on_read_and_a_new_run_heals_it(world: World) -> None:
    assert world.run("data", WEEK).success
    before = world.versions()
    ref = world.store.latest("thin_delays/validated_dataset", WEEK)
    assert ref is not None
    part = ref.parts["flights"]
    (path,) = Path(world.places.store).rglob(f"{part.address}*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    result = world.run("data", WEEK, asset_selection=[dg.AssetKey(["thin_delays", "feature_table"])])

    assert not result.success
    assert part.address[:8] in reason(result)
    assert world.run("data", WEEK).success
    assert world.versions() == before


def test_a_store_that_is_no_folder_is_a_clear_error(world: World) -> None:
    Path(world.places.store).write_text("in the way")
    result = world.run("data", WEEK)

    assert not result.success
    assert "store" in reason(result)


CHILD = """
import sys
from pathlib import Path
from mlops_assets.stores.fsck import fsck
from mlops_assets_tests.graph.world import small_world
with small_world(Path(sys.argv[1])) as world:
    result = world.run("data", sys.argv[2])
    sys.exit(0 if result.success else 1)
"""


def test_two_runs_of_one_partition_at_once_both_end_and_agree(world: World) -> None:
    again = [subprocess.Popen([sys.executable, "-c", CHILD, str(world.folder), WEEK]) for _ in range(2)]

    assert [child.wait(timeout=180) for child in again] == [0, 0]
    alone = world.run("data", WEEK)
    assert alone.success
    for artifact in ("raw_data", "validated_dataset", "feature_table"):
        versions = {ref.data_version for ref in world.store.history(f"thin_delays/{artifact}", WEEK)}
        assert len(versions) == 1


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    with small_world(tmp_path_factory.mktemp("undisturbed")) as made:
        assert made.run("data", WEEK).success
        return made.versions()


# the store's own tests kill at every point; here the whole run dies with it, and a new one takes over
@pytest.mark.parametrize(
    "point",
    ["object.renamed:4", *(pytest.param(at, marks=pytest.mark.slow) for at in
                           ("object.written:1", "ref.temp:2", "ref.linked:3", "head.renamed:3"))],
)  # fmt: skip
def test_killed_in_the_middle_of_a_write_and_run_again_gives_the_same(
    tmp_path: Path, undisturbed: dict[str, str], point: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), WEEK], env={**os.environ, "MLOPS_CRASH_AT": point}, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL
    with small_world(tmp_path) as world:
        assert world.run("data", WEEK).success

        assert world.versions() == undisturbed
        assert fsck(world.store).is_sound


@pytest.mark.slow
def test_killed_at_random_moments_and_run_again_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: dict[str, str]
) -> None:
    draw = random.Random(20130101)
    for _ in range(10):
        folder = tmp_path_factory.mktemp("killed")
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), WEEK])
        try:
            child.wait(timeout=draw.uniform(4, 12))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        with small_world(folder) as world:
            assert world.run("data", WEEK).success
            assert world.versions() == undisturbed
            assert fsck(world.store).is_sound
