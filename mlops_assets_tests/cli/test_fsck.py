"""`mlops fsck`: exit code 0 only when every stored byte is what was written."""

from pathlib import Path

import pyarrow as pa
import pytest

from mlops_assets.core.artifact import Artifact
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.cli.conftest import Mlops

ASSET, WEEK = "flight_delays/raw_data", "2013-07-08"
FACTS = {"inputs": {}, "code": {"commit": "c"}, "run": "r1", "action_key": "k", "created_at": "2013-07-15"}
MADE = Artifact(tables={"flights": pa.table({"id": range(1000), "delay_min": [n * 7 % 90 for n in range(1000)]})})


@pytest.fixture
def store(mlops: Mlops, tmp_path: Path) -> AssetStore:
    """A sound store, where the command line looks for it."""
    found = AssetStore(tmp_path / "store")
    found.publish(ASSET, WEEK, MADE, **FACTS)
    return found


def flip_a_bit(tmp_path: Path) -> Path:
    (file,) = (path for path in (tmp_path / "store" / "objects").rglob("*") if path.is_file())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    return file


def test_a_sound_store_is_called_sound_and_how_much_was_read_is_said(
    mlops: Mlops, store: AssetStore, tmp_path: Path
) -> None:
    answer = mlops("fsck")
    bytes_ = sum(path.stat().st_size for path in (tmp_path / "store" / "objects").rglob("*") if path.is_file())

    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"sound: 1 publications, 1 objects, {bytes_:,} bytes read in {tmp_path / 'store'}\n"
    assert mlops("fsck", "--json").json == {
        "sound": True,
        "read": {"publications": 1, "objects": 1, "bytes": bytes_},
        "findings": [],
        "moved_aside": [],
        "run_again": [],
    }


def test_a_store_that_does_not_exist_is_not_called_sound(mlops: Mlops, tmp_path: Path) -> None:
    answer = mlops("fsck")

    assert (answer.code, answer.out) == (1, "")
    assert "does not exist or is no folder" in answer.said


def test_a_store_that_is_a_file_is_not_called_sound(mlops: Mlops, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("x")

    assert mlops("fsck").code == 1


def test_an_empty_folder_is_a_sound_store(mlops: Mlops, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()

    assert mlops("fsck").code == 0
    assert mlops("fsck").out.startswith("sound: 0 publications, 0 objects, 0 bytes read in ")


def test_one_flipped_bit_is_found_and_the_asset_named(mlops: Mlops, store: AssetStore, tmp_path: Path) -> None:
    file = flip_a_bit(tmp_path)
    answer = mlops("fsck")

    assert answer.code == 1
    assert file.relative_to(tmp_path / "store").as_posix() in answer.out
    assert f"belongs to {ASSET}@{WEEK}#1" in answer.out
    assert answer.out.splitlines()[-1].startswith("1 damaged: 1 publications, 1 objects, ")


def test_json_is_one_document_also_when_something_is_damaged(mlops: Mlops, store: AssetStore, tmp_path: Path) -> None:
    flip_a_bit(tmp_path)
    answer = mlops("fsck", "--json")

    assert answer.code == 1
    assert answer.json["sound"] is False
    (finding,) = answer.json["findings"]
    assert (finding["kind"], finding["affected"]) == ("damaged-object", [f"{ASSET}@{WEEK}#1"])


def test_looking_changes_nothing(mlops: Mlops, store: AssetStore, tmp_path: Path) -> None:
    flip_a_bit(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    mlops("fsck")

    assert {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()} == before


def test_repair_moves_the_damage_aside_and_the_next_publication_heals(
    mlops: Mlops, store: AssetStore, tmp_path: Path
) -> None:
    file = flip_a_bit(tmp_path)
    answer = mlops("fsck", "--repair")

    assert answer.code == 1  # this is what was found; whether it is mended the next look says
    assert f"moved aside  damaged/{file.relative_to(tmp_path / 'store').as_posix()}" in answer.out
    assert f"run again    {ASSET}@{WEEK}\n" in answer.out
    assert "until the steps named above were run again" in answer.out
    assert not file.exists()
    assert mlops("fsck").code == 1  # the object is missing now
    store.publish(ASSET, WEEK, MADE, **FACTS)
    assert mlops("fsck").code == 0
    assert store.load(ASSET, WEEK).version == MADE.version
