"""An event of a rollout: what was decided, by whom, why; bound to the one before by its hash.

Here belongs what an event is. What follows from it is `transitions.py`; it knows no database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from mlops_assets.core.versions import JSON, record_version
from mlops_assets.declare.errors import DataError

FIRST = "0" * 64  # what the first event says comes before it


class Kind(Enum):
    """What happened. Only ADVANCED and FINALIZED let more users see a challenger: these need a certificate."""

    OPENED = "OPENED"  # a rollout of a version begins
    QUEUED = "QUEUED"  # a version waits for the running rollout to end
    SUPERSEDED = "SUPERSEDED"  # versions that waited wait no longer: a newer one does
    READY = "READY"  # every gateway has the challenger loaded
    REFUSED = "REFUSED"  # a gateway cannot load it, and says why
    ADVANCED = "ADVANCED"
    FINALIZED = "FINALIZED"
    PAUSED = "PAUSED"  # by an operator
    HELD = "HELD"  # by a fault: the evidence cannot be trusted now
    RESUMED = "RESUMED"
    ROLLED_BACK = "ROLLED_BACK"  # the challenger is out
    RESTORED = "RESTORED"  # an earlier finalized version is champion again

    @property
    def increases(self) -> bool:
        """True for what needs lease and certificate."""
        return self in (Kind.ADVANCED, Kind.FINALIZED)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One decision. `epoch` counts from 1, `at_us` is microseconds since 1970, `once` names the decision.

    `facts` are JSON values, by kind. `previous` and `hash` bind it into the chain; "" before it is sealed.
    """

    epoch: int
    at_us: int
    kind: Kind
    who: str
    why: str
    once: str
    facts: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))
    previous: str = ""
    hash: str = ""

    def __post_init__(self) -> None:
        for name in ("who", "why", "once"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise DataError(f"event {self.kind.value}: {name} == {value!r}, must be a text that says something.")

    def sealed(self, previous: str) -> "Event":
        """The event behind the one with the hash `previous`. Raises DataError for facts that are not JSON."""
        bound = replace(self, previous=previous)
        return replace(bound, hash=bound.computed_hash())

    def computed_hash(self) -> str:
        """What `hash` must be."""
        told = {name: getattr(self, name) for name in ("epoch", "at_us", "who", "why", "once", "previous")}
        return record_version(told | {"kind": self.kind.value, "facts": dict(self.facts)})
