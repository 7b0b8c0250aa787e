"""Model versions loaded in this process, for a replay: ready at once, and one that shall fail fails when it should.

It is what a gateway asks of its slots (`gateway/scoring.py`). A version is verified and probed like any that is
served; a fault that is planted looks as the real one would.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from threadpoolctl import threadpool_limits

from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import Task, UseCase
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.columns import ColumnEncoder
from mlops_assets.gateway.scoring import Array
from mlops_assets.gateway.slots import READY, REFUSED, SlotError, Why
from mlops_assets.stores.serving.models import Loaded, load_version
from mlops_assets.stores.settings import Settings

SLOW_S = 10.0  # what a slow call takes
_STAGES = tuple(Stage)  # in the order in which a rollout comes to them


class Fault(Enum):
    """What is planted: answers turned round, calls that throw, calls that take 10 s, answers that are no number."""

    WRONG = "wrong"
    BROKEN = "broken"
    SLOW = "slow"
    NAN = "nan"


@dataclass(frozen=True)
class Spoil:
    """A fault that a version has from the stage `since` of its rollout on."""

    fault: Fault
    since: Stage = Stage.SHADOW


class LocalSlots:
    """The loaded versions of `use_case` at `places`.

    `row` says where the rollout stands, `passes` lets so many seconds go by while a call takes them. `spoils` (version
    -> fault) is looked at with every call.
    """

    def __init__(
        self,
        use_case: UseCase,
        places: Settings,
        *,
        row: Callable[[], Row],
        passes: Callable[[float], None],
        spoils: Mapping[int, Spoil],
    ) -> None:
        self._use_case, self._places = use_case, places
        self._row, self._passes, self._spoils = row, passes, spoils
        self._loaded: dict[tuple[int, int], tuple[Loaded, ColumnEncoder] | str] = {}  # or why it was refused
        self._kept: dict[int, tuple[int, int]] = {}
        self._failed: set[int] = set()

    def keep(self, versions: Iterable[int], baseline_of: int) -> None:
        """Load these versions now, let go of all others; the baseline (0) is that of the training of `baseline_of`."""
        self._kept = {version: (version, 0 if version else baseline_of) for version in versions}
        self._loaded = {
            key: self._loaded[key] if key in self._loaded else self._load(*key) for key in self._kept.values()
        }
        self._failed &= set(self._kept)

    @property
    def states(self) -> dict[int, str]:
        """Version -> "ready", or "refused: " and why."""
        found = {version: self._loaded[key] for version, key in self._kept.items()}
        return {version: f"{REFUSED}: {one}" if isinstance(one, str) else READY for version, one in found.items()}

    def encoder(self, version: int) -> ColumnEncoder | None:
        """The encoder of a version that has been loaded; None for any other."""
        found = self._of(version)
        return None if found is None else found[1]

    def is_ready(self, version: int) -> bool:
        """True when the version has been loaded."""
        return self._of(version) is not None

    def has_failed(self, version: int) -> bool:
        """True when it could not be loaded, or a call of it took too long."""
        return version in self._failed or (version in self._kept and not self.is_ready(version))

    async def wait(self, version: int, seconds: float) -> bool:
        """Whether the version is ready: what is not by now will not be, so the time goes by at once."""
        if not self.is_ready(version):
            self._passes(seconds)
        return self.is_ready(version)

    async def score(self, version: int, rows: Array, seconds: float) -> Array:
        """What a version says to encoded rows, float64 `[rows]`. Raises SlotError."""
        found = self._of(version)
        if found is None:
            raise SlotError(Why.DIED, "it is not ready")
        fault = self._fault(version)
        if fault is Fault.SLOW:
            self._passes(min(SLOW_S, seconds))
            if seconds < SLOW_S:
                self._failed.add(version)
                raise SlotError(Why.LATE, f"it did not answer within {seconds:g} s")
        if fault is Fault.BROKEN:
            raise SlotError(Why.ERROR, "a fault that was planted")
        try:
            scores = found[0].answer(rows)
        except Exception as error:  # as a slot's process tells it
            raise SlotError(Why.ERROR, type(error).__name__) from error
        if fault is Fault.NAN:
            return np.full(len(rows), np.nan)
        return self._turned(scores) if fault is Fault.WRONG else scores

    def _of(self, version: int) -> tuple[Loaded, ColumnEncoder] | None:
        found = self._loaded.get(self._kept[version]) if version in self._kept else None
        return None if isinstance(found, str) else found

    def _load(self, version: int, baseline_of: int) -> tuple[Loaded, ColumnEncoder] | str:
        try:
            with threadpool_limits(1):  # as in a slot: what is compared with the probe is few rows
                loaded = load_version(self._use_case, version, self._places, baseline_of=baseline_of)
        except (MlopsError, OSError) as refused:
            return str(refused)
        return loaded, ColumnEncoder(loaded.scorer.encoder)

    def _fault(self, version: int) -> Fault | None:
        spoil = self._spoils.get(version)
        if spoil is None:
            return None
        row = self._row()
        waits = version == row.challenger and _STAGES.index(row.stage) < _STAGES.index(spoil.since)
        return None if waits else spoil.fault

    def _turned(self, scores: Array) -> Array:
        """Answers that are plainly worse: the other side of one half, or of what is answered on the whole."""
        if self._use_case.label.task is Task.CLASSIFICATION:
            return 1.0 - scores
        return -scores
