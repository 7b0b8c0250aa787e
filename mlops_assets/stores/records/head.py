"""The head of the ledger: number and hash of its last entry, sealed in a file beside the database.

Inside the database nothing can tell that its newest entries were cut off, or that it is an older copy: the chain is
whole. The head can. It is written after the entry is on disk, by whoever holds the write lock: it may lag behind after
a crash, it never leads and never goes back.
"""

from pathlib import Path

from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.disk import LocalPlace
from mlops_assets.stores.seals import sealed, unsealed

POINT = "record"  # of the crash points of a write


class Head:
    """The head of the ledger in the database file at `database`."""

    def __init__(self, database: Path) -> None:
        self._place, self._name = LocalPlace(database.parent), f"{database.name}.head"

    def __str__(self) -> str:
        return str(self._place.root / self._name)

    def read(self) -> tuple[int, str] | None:
        """Number and hash of the last entry known to be on disk; None when there is no head. Raises DamagedError."""
        try:
            record = unsealed(self._place.read(self._name), str(self))
            return int(record["seq"]), str(record["hash"])
        except FileNotFoundError:
            return None
        except (OSError, KeyError, ValueError) as broken:
            raise DamagedError(f"{self} is damaged: it is not what was written there.") from broken

    def write(self, seq: int, hash_: str) -> None:
        """Put the head in place, whole. Only with the write lock of the database held. Raises OSError."""
        self._place.write(self._name, sealed({"seq": seq, "hash": hash_}), POINT)
