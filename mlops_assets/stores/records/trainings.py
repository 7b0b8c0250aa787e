"""Trainings that sensors asked for or somebody started, and what became of each: what the ledger says of them.

Here belongs following the entries of one use case. They are read and written by `retrainings.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from mlops_assets.core.retraining.cause import Signal
from mlops_assets.core.retraining.facts import Outcome, Training
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.records.entry import CLOSED, FAILED, REQUESTED, RETRAINING, VERDICT, Entry

KINDS = (VERDICT, *RETRAINING)  # the entries that are followed
_OUTCOMES = {
    Verdict.PASS.value: Outcome.NOMINATED,
    Verdict.INCONCLUSIVE.value: Outcome.NOMINATED,
    Verdict.FAIL.value: Outcome.FELL_SHORT,
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A training that is to be started once: of the week `window`, in a run that is named `key`.

    Who holds it is `sensor`; `at` is when it was made (ISO 8601, UTC), `model` which one was judged, `reason` why.
    """

    use_case: str
    key: str
    window: str
    model: str
    signal: Signal
    sensor: str
    reason: str
    at: str

    @classmethod
    def of(cls, entry: Entry) -> "Claim":
        """The claim that an entry makes. Raises DamagedError for one that makes none."""
        facts = entry.facts
        try:
            return cls(
                use_case=entry.use_case, key=facts["key"], window=facts["window"], model=facts["model"],
                signal=Signal[facts["signal"]], sensor=entry.who, reason=entry.why, at=entry.at,
            )  # fmt: skip
        except KeyError as lost:
            raise _damaged(entry) from lost

    def settled(self, outcome: Outcome) -> Training:
        """The training it asked for."""
        return Training(partition=self.window, key=self.key, signal=self.signal, outcome=outcome)


class Followed(NamedTuple):
    """What the entries of one use case amount to."""

    settled: tuple[Training, ...]  # in the order in which they were
    pending: tuple[Claim, ...]

    @property
    def trainings(self) -> tuple[Training, ...]:
        """All of them, the pending last."""
        return *self.settled, *(claim.settled(Outcome.PENDING) for claim in self.pending)


def followed(entries: Iterable[Entry]) -> Followed:
    """What became of every training of one use case; entries of other kinds are passed over.

    A claim is pending until its run is told to have failed or a candidate of its week is judged. A judgement that no
    claim waits for is a training that somebody started. Raises DamagedError for an entry that was changed.
    """
    settled: list[Training] = []
    pending: dict[str, Claim] = {}
    for entry in entries:
        if entry.kind == REQUESTED:
            claim = Claim.of(entry)
            pending[claim.key] = claim
        elif entry.kind == FAILED:
            settled += [pending.pop(key).settled(Outcome.FAILED) for key in [_key(entry)] if key in pending]
        elif entry.kind == VERDICT:
            week, outcome = _judged(entry)
            waited = [claim for claim in pending.values() if claim.window == week]
            by_hand = [] if waited else [Training(partition=week, key="", signal=None, outcome=outcome)]
            settled += by_hand + [pending.pop(claim.key).settled(outcome) for claim in waited]
        elif entry.kind == CLOSED:
            settled = [replace(met, forgiven=met.outcome is not Outcome.NOMINATED) for met in settled]
    return Followed(tuple(settled), tuple(pending.values()))


def _key(entry: Entry) -> str:
    try:
        return str(entry.facts["key"])
    except KeyError as lost:
        raise _damaged(entry) from lost


def _judged(entry: Entry) -> tuple[str, Outcome]:
    try:
        return entry.facts["partition"], _OUTCOMES[entry.facts["judgement"]["verdict"]]
    except (KeyError, TypeError) as lost:
        raise _damaged(entry) from lost


def _damaged(entry: Entry) -> DamagedError:
    return DamagedError(f"entry {entry.seq} of the ledger is no {entry.kind} any more: run `mlops doctor`.")
