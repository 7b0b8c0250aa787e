"""May a model be trained again by itself? Asked by sensors, decided under the write lock, one claim for each yes.

A claim is an entry of the ledger with the row of its decision, written in one transaction: of any number of processes
and sensors that see a cause one makes it, and each sees what was claimed before. It is an outbox as well: the sensor
that holds it asks for the run until there is one, so a process that was killed in between loses no training.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection

from mlops_assets.core.retraining.cause import Cause
from mlops_assets.core.retraining.facts import Facts, Training, failures_in_a_row
from mlops_assets.core.retraining.policy import Decision, decide
from mlops_assets.core.signals import Answer
from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name
from mlops_assets.declare.use_case import UseCase
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.records import decisions
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.records.entry import CLOSED, FAILED, REQUESTED, Entry, instant
from mlops_assets.stores.records.ledger import Ledger, append_in, find, read_entries
from mlops_assets.stores.records.trainings import KINDS, Claim, Followed, followed

# in the order a claim reaches them; those of the ledger come after
CRASH_POINTS = (
    "retraining.decided",  # nothing is written
    "retraining.noted",  # the decision's row is there, not the entry
)


@dataclass(frozen=True, kw_only=True)
class Considered:
    """A decision. `first`: it was not made before; `claimed`: it made a claim now.

    `claim` is the one of its cause, be it an older one (None: there is none).
    """

    decision: Decision
    first: bool
    claimed: bool
    claim: Claim | None


class Retrainings:
    """The retrainings in a database of records."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database, self._ledger = database, ledger

    def consider(
        self, use_case: UseCase, cause: Cause, answer: Answer, facts: Facts, *,
        sensor: str, evidence: Mapping[str, JSON], at: str,
    ) -> Considered:  # fmt: skip
        """Decide whether `cause` starts a training, write it down, and claim the training when it does.

        The trainings are those of the ledger as it is in this moment, whatever `facts` has. `evidence` are the signals
        and what else the sensor saw, `at` is an ISO 8601 instant with its zone: it is told, nothing follows from it.
        Raises DataError for what cannot be recorded, DamagedError when the ledger was cut off or rewritten.
        """
        check_name("sensor", sensor, error=DataError)
        with self._ledger.appending() as connection:
            known = replace(facts, trainings=self._followed(connection, use_case.name).trainings)
            decision = decide(use_case, cause, answer, known)
            reach("retraining.decided")
            first = decisions.put(connection, cause, decision, sensor=sensor, signals=evidence, at=instant(at))
            reach("retraining.noted")
            if decision.yes:
                _claim(connection, cause, decision, sensor=sensor, evidence=evidence, at=at)
            made = find(connection, _name(cause.key))
        claim = None if made is None else Claim.of(made)
        return Considered(decision=decision, first=first, claimed=decision.yes, claim=claim)

    def trainings(self, use_case: str) -> tuple[Training, ...]:
        """Every training, in the order in which they were settled, the pending last."""
        with self._database.reading() as connection:
            return self._followed(connection, use_case).trainings

    def open_claims(self, use_case: str, sensor: str) -> tuple[Claim, ...]:
        """What a sensor claimed and nobody has settled yet, the oldest first: it asks for their runs."""
        with self._database.reading() as connection:
            pending = self._followed(connection, use_case).pending
        return tuple(claim for claim in pending if claim.sensor == sensor)

    def failed(self, key: str, *, why: str, at: str) -> Entry | None:
        """Write down that the run of a claim failed; None when the claim was settled before: that stands.

        Raises DataError for a key that nothing was claimed by.
        """
        with self._ledger.appending() as connection:
            made = find(connection, _name(key))
            if made is None:
                raise DataError(f"retraining: key == {key!r}, nothing was claimed by it: is it the run's own key?")
            claim = Claim.of(made)
            if claim not in self._followed(connection, claim.use_case).pending:
                return None
            return append_in(
                connection, at=at, use_case=claim.use_case, kind=FAILED, subject=claim.model, who=claim.sensor, why=why,
                once=f"retrain failed {key}", evidence={"key": key, "window": claim.window},
            )  # fmt: skip

    def close(self, use_case: str, *, who: str, why: str, at: str) -> Entry:
        """Close the circuit breaker: the failures so far count no more, and the cooldown is the declared one again.

        Raises DataError where no failure stands.
        """
        with self._ledger.appending() as connection:
            entries = read_entries(connection, use_case, kinds=KINDS)
            failures = failures_in_a_row(followed(entries).settled)
            if not failures:
                raise DataError(f"{use_case}: no training has failed since the last that did not: nothing to close.")
            return append_in(
                connection, at=at, use_case=use_case, kind=CLOSED, subject=use_case, who=who, why=why,
                once=f"retraining closed {use_case} after {entries[-1].seq}", evidence={"failures": failures},
            )  # fmt: skip

    def decisions(self, use_case: str, limit: int = 20) -> list[decisions.Recorded]:
        """The decisions made last, the newest first."""
        with self._database.reading() as connection:
            return decisions.read(connection, use_case, limit)

    @staticmethod
    def _followed(connection: Connection, use_case: str) -> Followed:
        return followed(read_entries(connection, use_case, kinds=KINDS))


def _claim(
    connection: Connection, cause: Cause, decision: Decision, *, sensor: str, evidence: Mapping[str, JSON], at: str
) -> None:
    told = asdict(cause) | {"signal": cause.signal.name, "key": cause.key}
    del told["use_case"]  # the entry has it
    append_in(
        connection, at=at, use_case=cause.use_case, kind=REQUESTED, subject=cause.model, who=sensor,
        why=decision.reason, once=_name(cause.key),
        evidence=told | {"guards": decisions.guards_of(decision), "signals": dict(evidence)},
    )  # fmt: skip


def _name(key: str) -> str:
    """What a claim is called in the ledger."""
    return f"retrain {key}"
