"""fsck finds every change to what was published, names what it touches, and repair lets the next run heal it."""

import random
import shutil
from dataclasses import replace

import pytest

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.findings import KINDS
from mlops_assets.stores.fsck import fsck, repair
from mlops_assets_tests.stores.publishing import ASSET, artifact, publish

WEEKS = ["2013-07-01", "2013-07-08", "2013-07-15"]
SEEDS = {(week, generation): 10 * place + generation for place, week in enumerate(WEEKS) for generation in (1, 2)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound")
    store = AssetStore(root)
    for (week, _), seed in SEEDS.items():
        publish(store, seed, week)
    return root


@pytest.fixture
def root(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "store")
    return tmp_path / "store"


def files(root, folder):
    return sorted(path for path in (root / folder).rglob("*") if path.is_file())


def reads_that_fail(root):
    """Read everything that was published, by every way in; never get anything else than what was published."""
    store, failed = AssetStore(root), 0
    for (week, generation), seed in SEEDS.items():
        for ask in ({"generation": generation}, {"data_version": artifact(seed).version}, {}):
            try:
                met = store.load(ASSET, week, **ask).version
            except DataError:
                failed += 1
            else:
                assert met == artifact(seed if ask else SEEDS[week, 2]).version
    return failed


def test_a_sound_store_has_no_findings_and_every_file_is_counted(sound):
    seen = []
    report = fsck(AssetStore(sound), lambda done, total, path: seen.append((done, total)))

    assert report.findings == ()
    assert report.is_sound
    assert (report.refs, report.objects) == (6, len(files(sound, "objects")))
    assert report.bytes == sum(path.stat().st_size for path in files(sound, "objects"))
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] == len(files(sound, "objects")) + len(files(sound, "refs"))


def flip(draw, root):
    path = draw.choice(files(root, draw.choice(["objects", "refs"])))
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def truncate(draw, root):
    path = draw.choice(files(root, draw.choice(["objects", "refs"])))
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def zero(draw, root):
    path = draw.choice(files(root, draw.choice(["objects", "refs"])))
    data = bytearray(path.read_bytes())
    start = draw.randrange(len(data))
    data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    if data == path.read_bytes():
        data[0] ^= 255
    path.write_bytes(data)


def lose(draw, root):
    found = files(root, draw.choice(["objects", "refs"]))
    draw.choice(found).unlink()


def swap(draw, root):
    folder = draw.choice(["objects", "refs"])
    one, other = draw.sample([path for path in files(root, folder) if path.name != "HEAD"], 2)
    one_data, other_data = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_data)
    other.write_bytes(one_data)


def _corrupt_and_look(sound, tmp_path, harm, seeds):
    for seed in seeds:
        root = tmp_path / str(seed)
        shutil.copytree(sound, root)
        harm(random.Random(seed), root)
        report = fsck(AssetStore(root))

        assert not report.is_sound, (harm, seed)
        assert reads_that_fail(root) > 0, (harm, seed)
        assert all(f.affected for f in report.damage), (harm, seed)
        shutil.rmtree(root)


@pytest.mark.parametrize("harm", [flip, truncate, zero, lose, swap])
def test_a_hundred_corruptions_are_found_by_every_read_and_by_fsck(sound, tmp_path, harm):
    _corrupt_and_look(sound, tmp_path, harm, range(20))


@pytest.mark.slow
@pytest.mark.parametrize("harm", [flip, truncate, zero, lose, swap])
def test_a_thousand_corruptions_are_found_by_every_read_and_by_fsck(sound, tmp_path, harm):
    _corrupt_and_look(sound, tmp_path, harm, range(1_000, 1_200))


@pytest.mark.parametrize("harm", [flip, truncate, zero, lose, swap])
@pytest.mark.parametrize("seed", range(6))
def test_after_a_repair_a_rerun_heals_and_nothing_was_deleted(root, harm, seed):
    harm(random.Random(seed), root)
    store = AssetStore(root)
    before = len(files(root, "."))
    moved = repair(store, fsck(store))

    assert len(files(root, ".")) == before + ("refs" in str(moved) and harm is lose)  # a note for a ref that is gone
    assert all((root / path).is_file() for path in moved)
    for (week, _), published in SEEDS.items():
        publish(store, published, week)
    assert fsck(store).is_sound, fsck(store).damage
    assert all(store.load(ASSET, week).version == artifact(SEEDS[week, 2]).version for week in WEEKS)


def test_a_ref_moved_aside_does_not_make_an_older_one_the_newest(root):
    store = AssetStore(root)
    path = root / f"refs/{ASSET}/{WEEKS[0]}/00000002.json"
    path.write_bytes(b"{}")
    repair(store, fsck(store))

    with pytest.raises(DataError, match="missing"):
        store.latest(ASSET, WEEKS[0])


def test_nor_does_it_when_the_head_lagged_behind_it(root):
    store = AssetStore(root)
    head = (partition_folder(root) / "HEAD").read_bytes()
    publish(store, 3, WEEKS[0])
    (partition_folder(root) / "HEAD").write_bytes(head)  # as a kill between ref and head leaves it
    (partition_folder(root) / "00000003.json").write_bytes(b"{}")
    repair(store, fsck(store))

    assert [finding.kind for finding in fsck(store).damage] == ["missing-ref"]
    with pytest.raises(DamagedError, match="missing"):
        store.latest(ASSET, WEEKS[0])


def test_damage_names_every_publication_it_touches(root):
    store = AssetStore(root)
    shared = store.restore(ASSET, WEEKS[0], artifact(1).version, run="r", created_at="2013")
    part = shared.parts["flights"]
    (root / f"objects/{part.address[:2]}/{part.address}.parquet").write_bytes(b"")
    (finding,) = fsck(store).damage

    assert finding.kind == "damaged-object"
    assert finding.affected == (f"{ASSET}@{WEEKS[0]}#1", f"{ASSET}@{WEEKS[0]}#3")
    assert "part 'flights'" in finding.message


def test_bytes_that_are_whole_but_not_the_claimed_version_are_found(root):
    store = AssetStore(root)
    ref = store.latest(ASSET, WEEKS[0])
    other = store.latest(ASSET, WEEKS[1]).parts["flights"]
    lie = replace(ref.parts["flights"], address=other.address)
    store.refs.publish(replace(ref, parts={**ref.parts, "flights": lie}, generation=0))

    assert [finding.kind for finding in fsck(store).damage] == ["wrong-version"]


def test_orphans_and_temporary_files_are_no_damage(root):
    store = AssetStore(root)
    store.objects.put(b"nobody asked for it", ".txt")
    (root / "objects" / "ab").mkdir(exist_ok=True)
    (root / "objects" / "ab" / ".x.1.ffff.tmp").write_bytes(b"half")
    (root / "refs" / ASSET / WEEKS[0] / ".x.1.ffff.tmp").write_bytes(b"half")
    report = fsck(store)

    assert report.is_sound
    assert sorted(finding.kind for finding in report.findings) == ["orphan", "temporary", "temporary"]


@pytest.mark.parametrize(
    "path", ["objects/note.txt", f"refs/{ASSET}/2013-07-01/note.txt", "refs/x.json", "objects/ab/cd.txt"]
)
def test_a_file_that_the_store_never_writes_is_a_stray(root, path):
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("x")
    (finding,) = fsck(AssetStore(root)).findings

    assert (finding.kind, finding.path) == ("stray", path)


def partition_folder(root):
    return root / "refs" / ASSET / WEEKS[0]


@pytest.mark.parametrize("also", [[], ["00000002.json"]])
def test_a_lost_head_is_damage_for_readers_and_fsck_also_when_the_newest_ref_is_lost_with_it(root, also):
    store = AssetStore(root)
    for name in ["HEAD", *also]:
        (partition_folder(root) / name).unlink()

    (finding,) = fsck(store).damage
    assert (finding.kind, finding.steps) == ("missing-head", (f"{ASSET}@{WEEKS[0]}",))
    for read in (store.latest, store.history, store.load, store.refs.missing):
        with pytest.raises(DamagedError, match=r"HEAD .* is missing"):
            read(ASSET, WEEKS[0])


def test_a_lost_head_is_made_up_for_by_the_next_publication(root):
    store = AssetStore(root)
    (partition_folder(root) / "HEAD").unlink()
    publish(store, 2, WEEKS[0])
    assert store.refs.head(ASSET, WEEKS[0]) == 2


@pytest.mark.parametrize("name", ["HEAD", "00000001.json", "00000002.json"])
@pytest.mark.parametrize("holds", [[], ["note.txt"]])
def test_a_folder_in_the_place_of_a_ref_or_head_is_found_moved_aside_and_healed(root, name, holds):
    store = AssetStore(root)
    path = partition_folder(root) / name
    path.unlink()
    path.mkdir()
    for inside in holds:
        (path / inside).write_text("x")

    (finding,) = fsck(store).damage
    assert finding.kind == ("damaged-head" if name == "HEAD" else "damaged-ref")
    with pytest.raises(DamagedError, match=name):
        store.history(ASSET, WEEKS[0])
    assert repair(store, fsck(store)) == [f"damaged/refs/{ASSET}/{WEEKS[0]}/{name}"]
    publish(store, 3, WEEKS[0])
    assert fsck(store).is_sound
    assert store.load(ASSET, WEEKS[0]).version == artifact(3).version


def test_a_folder_in_the_place_of_an_object_is_found(root):
    path = next(path for path in files(root, "objects") if path.suffix == ".parquet")
    path.unlink()
    path.mkdir()

    assert [finding.kind for finding in fsck(AssetStore(root)).damage] == ["damaged-object"]


def test_a_ref_copied_to_the_last_generation_is_found_at_once_and_moved_aside(root):
    store = AssetStore(root)
    copied = partition_folder(root) / "99999999.json"
    shutil.copy(partition_folder(root) / "00000002.json", copied)

    assert sorted(finding.kind for finding in fsck(store).damage) == ["damaged-ref", "missing-ref"]
    assert store.refs.missing(ASSET, WEEKS[0]) == [range(3, 99_999_999)]
    for ask in (store.latest, store.history):
        with pytest.raises(DamagedError):
            ask(ASSET, WEEKS[0])
    with pytest.raises(DamagedError, match="nothing can follow it"):
        publish(store, 3, WEEKS[0])
    assert repair(store, fsck(store)) == [f"damaged/refs/{ASSET}/{WEEKS[0]}/99999999.json"]
    assert fsck(store).is_sound
    assert publish(store, 3, WEEKS[0]).generation == 3


@pytest.mark.parametrize(
    "name", ["0000000\u0663.json", "0000000\u00b3.json", "00000000.json", "3.json", "00000003.JSON"]
)
def test_a_name_that_is_no_generation_is_a_stray_and_breaks_no_read(root, name):
    store = AssetStore(root)
    (partition_folder(root) / name).write_text("x")

    assert store.refs.generations(ASSET, WEEKS[0]) == [1, 2]
    assert [ref.generation for ref in store.history(ASSET, WEEKS[0])] == [1, 2]
    assert [finding.kind for finding in fsck(store).damage] == ["stray"]


@pytest.mark.parametrize(
    "path", [f"refs/{ASSET}/{WEEKS[0]}/00000002.json", f"refs/{ASSET}/{WEEKS[0]}/HEAD", f"refs/{ASSET}/{WEEKS[0]}",
             "refs/flight_delays", "object", "object folder"]
)  # fmt: skip
def test_a_symbolic_link_in_the_place_of_a_file_or_folder_is_found(root, tmp_path, path):
    if path.startswith("object"):
        first = files(root, "objects")[0]
        path = (first.parent if path.endswith("folder") else first).relative_to(root).as_posix()
    (root / path).rename(tmp_path / "elsewhere")
    (root / path).symlink_to(tmp_path / "elsewhere")

    assert [(finding.kind, finding.path) for finding in fsck(AssetStore(root)).damage] == [("link", path)]


def with_input(store, partition, inputs):
    facts = {"code": {}, "run": "r", "action_key": "k", "created_at": "2013"}
    return store.publish("flight_delays/feature_table", partition, artifact(9), inputs=inputs, **facts)


def test_the_removal_of_a_whole_partition_is_seen_in_what_was_made_from_it(root):
    store = AssetStore(root)
    made = with_input(store, WEEKS[1], {f"{ASSET}@{WEEKS[0]}": store.latest(ASSET, WEEKS[0]).data_version})
    assert fsck(store).is_sound
    shutil.rmtree(partition_folder(root))

    (finding,) = fsck(store).damage
    assert (finding.kind, finding.path) == ("missing-input", f"refs/{ASSET}/{WEEKS[0]}")
    assert (finding.affected, finding.steps) == ((made.at,), (f"{ASSET}@{WEEKS[0]}",))
    assert f"run {ASSET}@{WEEKS[0]} again" in finding.message
    publish(store, 2, WEEKS[0])
    assert fsck(store).is_sound


def test_an_older_head_put_back_over_a_lost_ref_is_seen_in_what_was_made_from_it(root):
    store = AssetStore(root)
    head = (partition_folder(root) / "HEAD").read_bytes()
    with_input(store, WEEKS[1], {f"{ASSET}@{WEEKS[0]}": publish(store, 3, WEEKS[0]).data_version})
    (partition_folder(root) / "00000003.json").unlink()
    (partition_folder(root) / "HEAD").write_bytes(head)

    assert [finding.kind for finding in fsck(store).damage] == ["missing-input"]


def test_an_input_that_a_repair_set_aside_and_a_newer_publication_superseded_is_a_known_gap(root):
    store = AssetStore(root)
    with_input(store, WEEKS[1], {f"{ASSET}@{WEEKS[0]}": store.latest(ASSET, WEEKS[0]).data_version})
    (partition_folder(root) / "00000002.json").write_bytes(b"{}")
    assert sorted(finding.kind for finding in fsck(store).damage) == ["damaged-ref", "missing-input"]
    repair(store, fsck(store))
    publish(store, 3, WEEKS[0])

    assert fsck(store).is_sound


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_place_that_is_no_folder_is_not_examined(tmp_path, kind):
    if kind == "file":
        (tmp_path / "store").write_text("x")
    for place in (tmp_path / "store", f"memory://{tmp_path}/absent"):
        with pytest.raises(DataError, match="does not exist or is no folder"):
            fsck(AssetStore(place))


def test_a_store_of_any_filesystem_is_examined_and_repaired(tmp_path):
    store = AssetStore(f"memory://{tmp_path}")
    part = publish(store, 1).parts["flights"]
    path = f"objects/{part.address[:2]}/{part.address}.parquet"
    assert fsck(store).findings == ()
    store.objects.place.write(path, b"PAR1", "test")
    (finding,) = fsck(store).damage

    assert (finding.kind, finding.path) == ("damaged-object", path)
    assert repair(store, fsck(store)) == [f"damaged/{path}"]
    publish(store, 1)
    assert [finding.kind for finding in fsck(store).findings] == ["set-aside"]


def test_every_kind_of_finding_says_whether_it_is_damage():
    assert {kind for kind, is_damage in KINDS.items() if not is_damage} == {"orphan", "temporary", "set-aside"}
