"""One store takes from another what an action made there: whole, verified, with its origin; and never writes there."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.core.actions import Action
from mlops_assets.stores.actions import keep_recipe
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.fsck import fsck
from mlops_assets.stores.lending import LENT, lent
from mlops_assets.stores.objects import object_path
from mlops_assets.stores.ref import RECIPE, Ref
from mlops_assets_tests.stores.publishing import ASSET, artifact

WEEK = "2013-07-08"
ACTION = Action(asset=ASSET, partition=WEEK, code={"f": "1"}, config={"n": 1}, libraries={"l": "1"}, inputs={})


def make(store: AssetStore, seed: int = 1, action: Action = ACTION, **code: str) -> Ref:
    """What `action` made in a store of an earlier run."""
    told = {"commit": "c", RECIPE: keep_recipe(store, action), **code}
    return store.publish(
        action.asset, action.partition, artifact(seed), inputs=action.inputs, code=told, run="first",
        action_key=action.key, created_at="2013-07-15T00:00:00+00:00",
    )  # fmt: skip


@pytest.fixture
def lender(tmp_path: Path) -> AssetStore:
    store = AssetStore(tmp_path / "lender")
    make(store)
    return store


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(tmp_path / "own", str(tmp_path / "lender"))


def path(store: AssetStore, ref: Ref, part: str) -> Path:
    found = ref.parts[part]
    return Path(str(store.objects.place)) / object_path(found.address, found.suffix)


def state(store: AssetStore) -> dict[str, tuple[bytes, int]]:
    files = [p for p in Path(str(store.objects.place)).rglob("*") if p.is_file()]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def test_what_an_action_made_elsewhere_is_brought_over_with_its_origin(store: AssetStore, lender: AssetStore) -> None:
    before = state(lender)
    ref, met = lent(store, ACTION) or pytest.fail("not lent")
    published = store.publish_again(ref, run="asking", created_at="2020-01-01T00:00:00+00:00")

    first = lender.require(ASSET, WEEK)
    assert met.version == artifact(1).version == store.load(ASSET, WEEK).version
    assert (published.run, published.created_at, published.code, published.action_key, published.parts) == (
        first.run, first.created_at, first.code, first.action_key, first.parts
    )  # fmt: skip
    assert published.about[LENT] == {"by": str(lender.objects.place), "generation": 1}
    assert fsck(store).is_sound and not fsck(store).findings
    assert state(lender) == before


def test_nothing_is_published_until_it_is_asked_for(store: AssetStore, lender: AssetStore) -> None:
    lent(store, ACTION)

    assert store.latest(ASSET, WEEK) is None and store.refs.assets() == []


def test_publishing_what_was_lent_twice_writes_once(store: AssetStore, lender: AssetStore) -> None:
    for run in ("one", "two"):
        ref, _ = lent(store, ACTION) or pytest.fail("not lent")
        store.publish_again(ref, run=run, created_at="2020-01-01T00:00:00+00:00")

    assert [ref.generation for ref in store.history(ASSET, WEEK)] == [1]


def test_what_the_lender_reused_itself_is_lent_as_what_it_was_at_first(store: AssetStore, lender: AssetStore) -> None:
    make(lender, seed=2, action=replace(ACTION, config={"n": 2}))
    lender.publish_again(lender.history(ASSET, WEEK)[0], run="again", created_at="2014-01-01T00:00:00+00:00")
    ref, met = lent(store, ACTION) or pytest.fail("not lent")

    assert met.version == artifact(1).version
    assert (ref.run, "reused" in ref.about) == ("first", False)


def test_on_one_disk_objects_are_links_and_elsewhere_copies(
    store: AssetStore, lender: AssetStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ref, _ = lent(store, ACTION) or pytest.fail("not lent")
    assert path(store, ref, "model").samefile(path(lender, ref, "model"))

    def other_disk(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", other_disk)
    third = AssetStore(tmp_path / "third", str(tmp_path / "lender"))
    lent(third, ACTION)
    assert path(third, ref, "model").read_bytes() == path(lender, ref, "model").read_bytes()
    assert not path(third, ref, "model").samefile(path(lender, ref, "model"))


def test_a_store_of_another_kind_lends_and_borrows(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}"
    make(AssetStore(url))
    ref, _ = lent(local := AssetStore(tmp_path / "own", url), ACTION) or pytest.fail("not lent")
    assert local.load_ref(ref).version == artifact(1).version

    make(AssetStore(tmp_path / "local"))
    ref, _ = lent(far := AssetStore(f"{url}/far", str(tmp_path / "local")), ACTION) or pytest.fail("not lent")
    assert far.load_ref(ref).version == artifact(1).version


def test_a_linked_object_is_lent_as_a_file(store: AssetStore, lender: AssetStore, tmp_path: Path) -> None:
    at = path(lender, lender.require(ASSET, WEEK), "model")
    at.rename(tmp_path / "moved")
    at.symlink_to(tmp_path / "moved")
    ref, _ = lent(store, ACTION) or pytest.fail("not lent")

    assert not path(store, ref, "model").is_symlink()
    assert store.load_ref(ref).version == artifact(1).version


@pytest.mark.parametrize("flaw", ["flipped", "gone", "no ref", "no recipe", "no store", "another action"])
def test_what_the_lender_has_not_whole_is_not_known(store: AssetStore, lender: AssetStore, flaw: str) -> None:
    ref, told = lender.require(ASSET, WEEK), []
    file, action = path(lender, ref, "flights"), ACTION
    if flaw == "flipped":
        file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    elif flaw == "gone":
        file.unlink()
    elif flaw == "no ref":
        for stored in Path(str(lender.objects.place)).rglob("0*.json"):
            stored.write_bytes(b"{}")
    elif flaw == "no recipe":
        action = replace(ACTION, config={"n": 2})
        make(lender, seed=2, action=action, **{RECIPE: "0" * 64})
    elif flaw == "no store":
        file.parents[2].rename(file.parents[3] / "unmounted")
    else:
        action = replace(ACTION, config={"n": 2})
    before = state(lender)

    assert lent(store, action, told.append) is None
    assert bool(told) == (flaw != "another action")
    assert store.refs.assets() == []
    assert state(lender) == before


def test_a_damaged_copy_here_is_healed(store: AssetStore, lender: AssetStore) -> None:
    ref = make(store)
    path(store, ref, "model").write_bytes(b"?")
    lent(store, ACTION)

    assert store.load(ASSET, WEEK).version == artifact(1).version


def test_a_store_without_a_lender_borrows_nothing(tmp_path: Path) -> None:
    assert lent(AssetStore(tmp_path), ACTION) is None
