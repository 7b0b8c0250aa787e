"""The object store: immutable bytes, called by their own hash, verified whenever they are touched.

Here belongs content addressing. It knows no artifacts, tables or refs. An object lies at
`objects/<first two of address>/<address><suffix>`, where address is the blake3 of its bytes; the same bytes are stored
once. Method: git's object store, with verification on every read because disks do flip bits.
"""

import os
import re
from contextlib import suppress

from blake3 import blake3

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.disk import LocalPlace
from mlops_assets.stores.places import Place, place

FOLDER = "objects"
_ADDRESS = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9_-]{1,16}){0,3}")


def address_of(data: bytes) -> str:
    """The address of bytes: their blake3 as 64 hexadecimal characters."""
    return blake3(data).hexdigest()


def object_path(address: str, suffix: str) -> str:
    """Where an object lies, from the root of the store. Raises `DataError` for what cannot be an address or suffix."""
    if not _ADDRESS.fullmatch(address):
        raise DataError(f"object address == {address!r:.90}, must be 64 of 0-9 a-f: take it from a ref.")
    if not _SUFFIX.fullmatch(suffix):
        raise DataError(f"object suffix == {suffix!r:.90}, must be like '.parquet': rename it.")
    return f"{FOLDER}/{address[:2]}/{address}{suffix}"


class ObjectStore:
    """Bytes by content under a local path or an fsspec URL.

    >>> store = ObjectStore("memory://doc-objects")
    >>> address = store.put(b"64 minutes late", ".txt")
    >>> store.get(address, ".txt")
    b'64 minutes late'
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.place: Place = place(url)

    def put(self, data: bytes, suffix: str) -> str:
        """Store bytes and return their address; the same bytes again change nothing and heal a damaged copy.

        Raises `OSError` with a full sentence when the place is full or read-only; then nothing of it is visible.
        """
        address = address_of(data)
        path = object_path(address, suffix)
        if self._has(path, data):
            self.place.keep(path)  # an earlier run may have died between its rename and its fsync
        else:
            self.place.write(path, data, "object")
        return address

    def take(self, other: "ObjectStore", address: str, suffix: str) -> None:
        """Have an object of another store here too; a damaged copy here is healed.

        On one local disk it is a hard link, for neither store ever writes into an object. Raises `DamagedError` when it
        is not whole there, `OSError` as `put`.
        """
        data, path, mine, its = other.get(address, suffix), object_path(address, suffix), self.place, other.place
        if isinstance(mine, LocalPlace) and isinstance(its, LocalPlace) and not self._has(path, data):
            with suppress(OSError):  # another disk, or one without links
                mine.link((its.root / path).resolve(), path)
        self.put(data, suffix)

    def _has(self, path: str, data: bytes) -> bool:
        try:
            return self.place.read(path) == data
        except OSError:
            return False

    def get(self, address: str, suffix: str) -> bytes:
        """The bytes of an address, verified. Raises `DamagedError` when they are missing or are other bytes."""
        path = object_path(address, suffix)
        try:
            data = self.place.read(path)
        except FileNotFoundError as missing:
            raise DamagedError(
                f"object {path} in {self.place} is missing: run the step again, the same bytes will fill the gap."
            ) from missing
        except OSError as unreadable:
            raise DamagedError(
                f"object {path} in {self.place} cannot be read ({unreadable}): check the disk."
            ) from unreadable
        met = address_of(data)
        if met != address:
            raise DamagedError(
                f"object {path} in {self.place} holds {len(data)} bytes whose hash is {met[:16]}..., "
                f"must be {address[:16]}...: damaged after it was written; run `mlops fsck`, then the step again."
            )
        return data
