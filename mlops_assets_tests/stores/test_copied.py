"""A copy of store and records: whole, in links where the disk has them, and of its own from then on."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.declare.errors import DataError
from mlops_assets.stores import copied as module
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.copied import copied
from mlops_assets.stores.fsck import fsck
from mlops_assets.stores.records import Records
from mlops_assets.stores.settings import Settings, settings
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, raw


def places(folder: Path) -> Settings:
    return settings({"MLOPS_DATA": str(folder)})


def entry(records: Records, number: int) -> None:
    records.ledger.append(
        at="2013-07-01T09:00:00Z", use_case=USE_CASE, kind="registered", subject=f"{USE_CASE}@{number}", who="a test",
        why="it is so", evidence={}, once=f"registered/{number}",
    )  # fmt: skip


def numbers(where: Settings) -> list[int]:
    with Records(where.records) as records:
        return [one.seq for one in records.ledger.entries()]


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    here = places(tmp_path / "here")
    for week in WEEKS[:2]:
        raw(AssetStore(here.store), week)
    with Records(here.records) as records:
        entry(records, 1)
    return here


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_is_sound_and_goes_on_by_itself(
    source: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    there = places(tmp_path / "there")
    with monkeypatch.context() as patched:
        if not links:
            patched.setattr(module.os, "link", refuse)
        copied(source, there)
    raw(AssetStore(there.store), WEEKS[0], "anew")
    with Records(there.records) as records:
        entry(records, 2)

    assert fsck(AssetStore(there.store)).is_sound
    assert fsck(AssetStore(source.store)).refs == 2
    assert fsck(AssetStore(there.store)).refs == 3
    assert (numbers(source), numbers(there)) == ([1], [1, 2])


def test_a_store_elsewhere_is_not_copied(source: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no local folder"):
        copied(replace(source, store="s3://bucket/store"), places(tmp_path / "there"))


def test_what_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be copied aside"):
        copied(places(tmp_path / "nowhere"), places(tmp_path / "there"))
