"""The landing zone gives the file of a partition, and nothing outside of its root."""

import hashlib
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.artifact import Artifact
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.landing import Landing

TABLE = pa.table({"delay_min": [64]})
PATTERN = "flights/{partition}.parquet"
WEEKS = ["2013-07-01", "2013-07-08", "2013-07-15", "2013-07-22"]
# G15: names that were paths, devices, or something else somewhere
NASTY = [
    *("", ".", "..", "...", "../x", "..\\x", "../../../../etc/passwd", "/etc/passwd", "//server/share", "C:\\x", "C:x"),
    *("a/b", "a\\b", "a/../b", "./a", "a/", "/", "\\", "~", "~root", "$HOME", "${HOME}", "`id`", "$(id)", "a;b", "a|b"),
    *("%2e%2e%2f", "%2E%2E/", "%252e", "..%2f", "..%c0%af", "a%00b", "a\0b", "a\nb", "a\r", "a\tb", "a ", " a", "a."),
    *("CON", "con.parquet", "NUL", "COM1", "LPT9.x", ".hidden", "-rf", "--help", "*", "?", "a*", "[a]", "{partition}"),
    *("x" * 129, "x" * 300, unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
    *("\u202e", "ａ", "\u2024\u2024", "\ud800", "a:stream", "a<b", 'a"b', "file:///x", "s3://b/k", "@", "#1", "a b"),
]  # fmt: skip


@pytest.fixture
def root(tmp_path):
    (tmp_path / "zone" / "flights").mkdir(parents=True)
    for week in WEEKS:
        pq.write_table(TABLE, tmp_path / "zone" / "flights" / f"{week}.parquet")
    pq.write_table(TABLE, tmp_path / "secret.parquet")
    return tmp_path / "zone"


def test_a_landed_file_comes_with_its_path_and_the_hash_of_its_bytes(root):
    landed = Landing(root).read(PATTERN, "2013-07-08")
    data = (root / "flights/2013-07-08.parquet").read_bytes()

    assert landed.table.equals(TABLE)
    assert (landed.path, landed.bytes) == ("flights/2013-07-08.parquet", len(data))
    assert landed.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_without_partition_in_its_name_is_read_for_every_partition(root):
    pq.write_table(TABLE, root / "airports.parquet")

    assert Landing(root).read("airports.parquet", "2013-07-08").path == "airports.parquet"


def test_the_bytes_are_read_once(root, monkeypatch):
    landing = Landing(root)
    reads = []
    real = landing.place.read
    monkeypatch.setattr(landing.place, "read", lambda path: reads.append(path) or real(path))
    landing.read(PATTERN, "2013-07-08")

    assert reads == ["flights/2013-07-08.parquet"]


def test_a_missing_file_names_its_nearest_neighbours(root):
    with pytest.raises(DataError, match=r"4 partitions have one, the nearest are 2013-07-01, 2013-07-08, 2013-07-15"):
        Landing(root).read(PATTERN, "2013-07-09")
    with pytest.raises(DataError, match="no partition has a file there"):
        Landing(root).read("weather/{partition}.csv", "2013-07-09")


@pytest.mark.parametrize(
    "pattern",
    ["../secret.parquet", "/etc/{partition}", "flights/../../secret.parquet", "flights\\..\\x", "C:/x", "", "a\0b"],
)
def test_a_pattern_that_leads_out_is_refused(root, pattern):
    with pytest.raises(DataError, match="outside"):
        Landing(root).read(pattern, "2013-07-08")


def test_a_link_that_leads_out_is_refused(root):
    (root / "flights" / "2013-08-05.parquet").symlink_to(root.parent / "secret.parquet")
    (root / "out").symlink_to(root.parent)

    for pattern in (PATTERN, "out/secret.parquet"):
        with pytest.raises(DataError, match="outside"):
            Landing(root).read(pattern, "2013-08-05")


def test_a_root_that_is_itself_a_link_is_fine(root):
    (root.parent / "link").symlink_to(root)

    assert Landing(root.parent / "link").read(PATTERN, "2013-07-08").table.equals(TABLE)


def test_a_zone_of_any_filesystem_works(tmp_path):
    landing = Landing(f"memory://{tmp_path}")
    landing.place.write("flights/2013-07-08.csv", b"delay_min\n64\n", "landing")

    assert landing.read("flights/{partition}.csv", "2013-07-08").table.equals(TABLE)


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_name_reaches_no_file_by_any_door(root, name):
    before = sorted(root.parent.rglob("*"))
    store, landing = AssetStore(root.parent / "store"), Landing(root)
    artifact = Artifact(tables={"t": TABLE})
    facts = {"inputs": {}, "code": {}, "run": "r", "action_key": "k", "created_at": "2013"}
    doors = [
        lambda: landing.read(PATTERN, name),
        lambda: store.publish("uc/raw", name, artifact, **facts),
        lambda: store.publish(f"uc/{name}", "p", artifact, **facts),
        lambda: store.publish(f"{name}/raw", "p", artifact, **facts),
        lambda: store.load("uc/raw", name),
        lambda: store.latest(f"{name}/raw", "p"),
        lambda: store.history("uc/raw", name),
        lambda: store.restore("uc/raw", name, "v", run="r", created_at="2013"),
        lambda: store.refs.partitions(f"uc/{name}"),
        lambda: Artifact(tables={name: TABLE}),
    ]

    for door in doors:
        with pytest.raises(DataError):
            door()
    assert sorted(root.parent.rglob("*")) == before
