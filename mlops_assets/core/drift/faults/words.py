"""What a feed fault is, as reports and stores carry it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class FaultKind(Enum):
    """What is wrong with a feed. MOVED: a column declared stable moved, and nothing more specific fits."""

    MISSING = "missing"
    JOIN = "join"
    STUCK = "stuck"
    UNIT = "unit"
    CLOCK = "clock"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A broken feed: the columns it spoils, what is wrong, and one sentence that names both and the figures."""

    columns: tuple[str, ...]
    kind: FaultKind
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict."""
        return {"columns": list(self.columns), "kind": self.kind.value, "sentence": self.sentence}
