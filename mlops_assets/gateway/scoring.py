"""What is asked of loaded model versions, wherever they are: in processes of their own (`slots.py`), or in this one."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from mlops_assets.gateway.columns import ColumnEncoder

Array = npt.NDArray[np.float64]


class Scoring(Protocol):
    """The loaded versions of one gateway."""

    def encoder(self, version: int) -> ColumnEncoder | None:
        """The encoder of a version that has been loaded; None before that."""

    def is_ready(self, version: int) -> bool:
        """True when the version would be asked at once."""

    def has_failed(self, version: int) -> bool:
        """True when it died or could not be loaded, so that it is not merely loaded for the first time."""

    async def wait(self, version: int, seconds: float) -> bool:
        """Wait until a version is ready, so long at most; whether it is."""

    async def score(self, version: int, rows: Array, seconds: float) -> Array:
        """What a version says to encoded rows, float64 `[rows]`, within so many seconds. Raises SlotError."""
