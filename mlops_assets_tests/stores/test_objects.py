"""Objects are called by their bytes, verified on every read, and healed by writing them again."""

import errno
import os

import pytest

from mlops_assets.core.versions import blob_version
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores import disk
from mlops_assets.stores.objects import ObjectStore

DATA = b"64 minutes late" * 100


def files(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return ObjectStore(tmp_path / "store" if request.param == "local" else f"memory://{tmp_path}")


def test_the_address_is_the_hash_of_the_bytes(tmp_path):
    address = ObjectStore(tmp_path).put(DATA, ".txt")

    assert address == blob_version(DATA)
    assert files(tmp_path) == [f"objects/{address[:2]}/{address}.txt"]


def test_what_was_put_is_got(store):
    assert store.get(store.put(DATA, ".txt"), ".txt") == DATA
    assert store.get(store.put(b"", ""), "") == b""


def test_putting_twice_stores_once(tmp_path):
    store = ObjectStore(tmp_path)
    store.put(DATA, ".txt")
    (path,) = files(tmp_path)
    before = (tmp_path / path).stat()
    store.put(DATA, ".txt")
    after = (tmp_path / path).stat()  # it may have been read: the time of that is no part of it

    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-1], lambda b: b"", lambda b: bytes([b[0] ^ 1]) + b[1:], lambda b: b + b"\0"]
)
def test_damage_is_found_on_read_and_healed_by_putting_again(store, harm):
    address = store.put(DATA, ".txt")
    store.place.write(f"objects/{address[:2]}/{address}.txt", harm(DATA), "object")

    with pytest.raises(DamagedError, match=address):
        store.get(address, ".txt")

    store.put(DATA, ".txt")
    assert store.get(address, ".txt") == DATA


def test_a_missing_object_is_damage(store):
    with pytest.raises(DamagedError, match="is missing"):
        store.get(blob_version(b"never"), ".txt")


@pytest.mark.parametrize("address", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_address_is_refused(store, address):
    with pytest.raises(DataError, match="object address"):
        store.get(address, ".txt")


@pytest.mark.parametrize("suffix", ["/../x", "txt", ".a/b", "." * 9, ".\0"])
def test_what_is_no_suffix_is_refused(store, suffix):
    with pytest.raises(DataError, match="object suffix"):
        store.put(DATA, suffix)


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "store").write_text("a file where the directory should be")  # root ignores permission bits

    with pytest.raises(OSError, match=r"could not write objects/.*no half of it is visible"):
        ObjectStore(tmp_path / "store").put(DATA, ".txt")


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_every_failing_call_of_the_system_leaves_nothing_half(tmp_path, monkeypatch, call):
    """Fail the 1st, 2nd, 3rd ... call until a put passes (the pattern of sqlite.org/testing.html)."""
    real = getattr(os, call)
    for nth in range(1, 30):
        left = nth

        def failing(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        root = tmp_path / str(nth)
        store = ObjectStore(root)
        with monkeypatch.context() as patched:
            patched.setattr(disk.os, call, failing)
            try:
                store.put(DATA, ".txt")
            except OSError as full:
                assert full.errno == errno.ENOSPC
                assert "no half of it is visible" in str(full)
        assert all((root / name).read_bytes() == DATA for name in files(root))  # whole, or not there; no temporary file
        if left > 0:
            break
        address = store.put(DATA, ".txt")  # there is space again
        assert store.get(address, ".txt") == DATA

    assert left > 0, "no put passed"
    assert nth > 1, "nothing was injected"
