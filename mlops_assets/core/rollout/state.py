"""The row of a rollout: who answers what share, and where the challenger stands. One row for each use case.

Here belongs what the row holds. How it changes is `transitions.py`.
"""

from dataclasses import asdict, dataclass, replace

from mlops_assets.core.rollout.words import BASELINE, Stage
from mlops_assets.core.versions import JSON

KEPT_WARM = 3  # of the finalized versions, the newest: what one rolls back to is loaded already
PAUSED, FAULT = "paused", "fault"  # how `held` begins: by whom


@dataclass(frozen=True, kw_only=True)
class Row:
    """A rollout as it stands. Spans are in microseconds of the wall clock, `share` is 0 to 1.

    `epoch` counts events. `rollout` is the epoch at which this one was opened, `entered` the one at which its stage
    was entered (at `since_us`). `step` numbers the canary steps from 0. `champion` answers what the `challenger` does
    not; the latter is None where no rollout runs. `baseline_of` is the version whose training declared the baseline
    (version 0); 0 before the first rollout. `held` says why the share is frozen, "" when it is not. `plan` is the hash
    of the terms. `finalized` are the versions one may go back to, BASELINE first, the champion last; `waiting` those
    nominated meanwhile, oldest first. `salt` is of the assignment.
    """

    use_case: str
    epoch: int = 0
    rollout: int = 0
    stage: Stage = Stage.IDLE
    step: int = 0
    share: float = 0.0
    champion: int = BASELINE
    challenger: int | None = None
    baseline_of: int = 0
    held: str = ""
    held_since_us: int = 0
    since_us: int = 0
    entered: int = 0
    plan: str = ""
    finalized: tuple[int, ...] = (BASELINE,)
    waiting: tuple[int, ...] = ()
    salt: str = ""

    @property
    def warm(self) -> tuple[int, ...]:
        """The versions that must stay loaded, ascending: both arms, and what one may go back to at once."""
        arms = {self.champion} | ({self.challenger} if self.challenger is not None else set())
        return tuple(sorted(arms | set(self.finalized[-KEPT_WARM:])))

    @property
    def paused(self) -> bool:
        """True when it is an operator who froze the share: only an operator thaws it."""
        return self.held.startswith(PAUSED)

    def alone(self) -> "Row":
        """The same with the champion answering everything: what a gateway does that may not trust the share."""
        return replace(self, share=0.0)

    def to_json(self) -> dict[str, JSON]:
        """The row as JSON values, by field."""
        told = asdict(self) | {"stage": self.stage.value}
        return told | {"finalized": list(self.finalized), "waiting": list(self.waiting)}
