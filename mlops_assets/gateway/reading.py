"""The controller's reading of the prediction log: what it has seen of the stage that runs, and whether that is fresh.

Here belongs reading on from the checkpoint. Judging is `core/rollout`; what cannot be read is a fault, never a number.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, Protocol

from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.declare import RolloutPlan
from mlops_assets.stores.serving.checkpoints import Checkpoint
from mlops_assets.stores.serving.log_reader import Batch
from mlops_assets.stores.serving.rollouts import Rollouts, Stale

CHUNK = 5_000  # records read at once; the lease is renewed in between
MOST_CHUNKS = 40  # of one tick
STALE = 360  # times the plan's silence without a new record: the evidence is stale (an hour by default)


class Log(Protocol):
    """What is asked of the prediction log (`stores/serving/predictions.py`)."""

    def since(self, cursor: int | None, limit: int, *, rollout: str, block: timedelta | None) -> Batch:
        """The records after the cursor."""


class Read(NamedTuple):
    """What was read: the evidence of the stage, the challenger's answers that users got in this rollout.

    `fault` says why the evidence cannot be trusted now ("": it can); `fresh`: all of the log is in it, and something
    new was, no longer ago than the plan's silence.
    """

    evidence: Evidence
    exposed: int
    fault: str
    fresh: bool


class Reading:
    """The reading of a log for the rollouts of one use case. `monotonic` is a clock in seconds."""

    def __init__(self, rollouts: Rollouts, log: Log, monotonic: Callable[[], float]) -> None:
        self._rollouts, self._log, self._monotonic = rollouts, log, monotonic
        self._of: tuple[int, int] | None = None
        self.forget()

    def forget(self) -> None:
        """Begin again at the checkpoint: what is in memory may rest on what is past."""
        self._of, self._kept = None, None
        self._drained, self._broken = False, ""
        self._since = self._readable = self._monotonic()
        self._new: float | None = None

    def read(self, standing: Standing, renewed: Callable[[], bool]) -> Read:
        """Read on, keep a checkpoint. `renewed` renews the lease and says whether it is still held.

        Raises Stale when the rollout has moved on meanwhile, or the lease is lost; DataError before a first rollout.
        """
        row, terms = standing.row, standing.terms
        if self._of != (row.rollout, row.entered) or self._kept is None or terms is None:
            self.forget()
            self._of, self._kept = (row.rollout, row.entered), self._rollouts.checkpoints.get(standing)
        before = kept = self._kept
        try:
            for _ in range(MOST_CHUNKS):
                kept = self._one(standing, kept)
                if self._drained:
                    break
                if not renewed():
                    raise Stale(f"{row.use_case}: the lease was lost while the log was read")
            self._broken, self._readable = "", self._monotonic()
        except Stale:
            raise
        except Exception as unreadable:  # whatever it is: what cannot be read says nothing
            self._broken, self._drained = f"the prediction log cannot be read ({unreadable})", False
        self._kept = kept
        if kept != before and not self._rollouts.checkpoints.keep(standing, kept):
            raise Stale(f"{row.use_case}: epoch {row.epoch} had passed when the log was read")
        return Read(kept.evidence, kept.exposed, self._fault(terms.plan), self._fresh(terms.plan))

    def _one(self, standing: Standing, kept: Checkpoint) -> Checkpoint:
        """One chunk of the log."""
        row, plan = standing.row, standing.terms.plan
        batch = self._log.since(kept.cursor, CHUNK, rollout=str(row.rollout), block=plan.quality.block)
        seen = [call for call in batch.seen if call.epoch >= row.entered]  # pairs count since the rollout began
        self._drained = batch.rows < CHUNK
        if seen or batch.pairs:
            self._new = self._monotonic()
        return Checkpoint(kept.evidence.fold(seen, batch.pairs), batch.cursor, kept.exposed + batch.exposed)

    def _fresh(self, plan: RolloutPlan) -> bool:
        within = plan.silence.total_seconds()
        return self._drained and self._new is not None and self._monotonic() - self._new <= within

    def _fault(self, plan: RolloutPlan) -> str:
        now, patience_s = self._monotonic(), plan.silence.total_seconds()
        if self._broken and now - self._readable > patience_s:
            return self._broken
        quiet_s = now - max(self._since, self._new or self._since)
        return f"nothing new was logged for {quiet_s:,.0f} s" if quiet_s > STALE * patience_s else ""
