"""Who answers a request: a nested hash of its unit. A share that rises only adds units; nobody flips back.

Pure: the same salt and unit are the same place on every gateway, after every restart.
"""

from blake3 import blake3

from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Arm


def unit_hash(salt: str, unit: bytes) -> float:
    """The place of a unit in [0, 1), uniform over units and new for each salt.

    >>> round(unit_hash("a", b"N836UA"), 3) == round(unit_hash("b", b"N836UA"), 3)
    False
    """
    keyed = salt.encode()
    digest = blake3(len(keyed).to_bytes(4, "little") + keyed + unit).digest(length=8)
    return (int.from_bytes(digest, "little") >> 11) / 2**53  # 53 bits: every float in [0, 1) it can be is exact


def assigned(row: Row, place: float) -> Arm:
    """The arm that the unit at `place` belongs to under this row; shadow (share 0) has none for the challenger."""
    mine = row.challenger is not None and place < row.share
    return Arm.CHALLENGER if mine else Arm.CHAMPION


def answering(row: Row, place: float, alive: bool) -> Arm:
    """The arm that answers: the assigned one while a controller is heard of (`alive`), else the champion."""
    return assigned(row, place) if alive else Arm.CHAMPION
