"""One entry of the ledger: a decision, who made it and why, bound to the one before by its hash.

Here belongs what an entry is and how it is hashed. It knows no database.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from mlops_assets.core.versions import JSON, canonical_json, record_version
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name

REGISTERED, VERDICT, NOMINATED, ALIAS = "registered", "verdict", "nominated", "alias"
WAITING, REPRODUCED = "registration_waiting", "reproduced"
# decisions about a rollout; who answers what share after one is in its evidence (`lineage.stages`)
OPENED, ADVANCED, FINALIZED = "rollout_opened", "stage_advanced", "finalized"
HELD, RESUMED = "held", "resumed"
ROLLED_BACK, REJECTED, RESTORED = "rolled_back", "rejected", "restored"
QUEUED, SUPERSEDED = "queued", "superseded"
ROLLOUT = (OPENED, ADVANCED, FINALIZED, HELD, RESUMED, ROLLED_BACK, REJECTED, RESTORED, QUEUED, SUPERSEDED)
# about retraining: a sensor's claim, its run that failed, an operator who closed the circuit breaker
REQUESTED, FAILED, CLOSED = "retrain_requested", "retrain_failed", "retraining_closed"
RETRAINING = (REQUESTED, FAILED, CLOSED)
KINDS = (REGISTERED, VERDICT, NOMINATED, ALIAS, WAITING, REPRODUCED, *ROLLOUT, *RETRAINING)
FIRST = "0" * 64  # what the first entry says comes before it


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger. `evidence` is canonical JSON, `at` a UTC instant of fixed width, `seq` counts from 1.

    `once` names the decision: what has the same is the same decision told again. `hash` is over all the rest.
    """

    seq: int
    at: str
    use_case: str
    kind: str
    subject: str
    who: str
    why: str
    evidence: str
    once: str
    previous: str
    hash: str

    @property
    def facts(self) -> Mapping[str, Any]:
        """The evidence, parsed. Raises DamagedError for what was changed to something else."""
        try:
            found = json.loads(self.evidence)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DamagedError(f"the evidence of entry {self.seq} of the ledger was changed: run `mlops doctor`.")
        return found

    @property
    def points(self) -> tuple[str, int | None]:
        """Of an alias entry: the alias, and the version it points to from then on (None: nowhere)."""
        facts = self.facts
        if "alias" not in facts or "version" not in facts:
            raise DamagedError(f"entry {self.seq} of the ledger is no alias entry any more: run `mlops doctor`.")
        return facts["alias"], facts["version"]

    @property
    def answers(self) -> tuple[int, int | None, str, float]:
        """Of an entry about a rollout: champion (0: the baseline), challenger, its stage and its share from then on."""
        facts = self.facts
        try:
            return facts["champion"], facts["challenger"], facts["stage"], facts["share"]
        except KeyError as lost:
            raise DamagedError(f"entry {self.seq} of the ledger tells of no rollout: run `mlops doctor`.") from lost

    def computed_hash(self) -> str:
        """What `hash` must be. Raises DataError where a field holds what no entry can."""
        told = asdict(self)
        del told["hash"]
        return record_version(told)

    def decides_the_same_as(self, other: "Entry") -> bool:
        """True when both tell one decision; when it was told and by whom may differ, a retry tells it again."""
        return all(getattr(self, n) == getattr(other, n) for n in ("use_case", "kind", "subject", "why", "evidence"))


def entry_after(last: Entry | None, *, at: str, evidence: Mapping[str, JSON], **told: str) -> Entry:
    """The entry that follows `last` (None: the first), checked and hashed. Raises DataError naming the wrong field."""
    check_name("ledger's use_case", told["use_case"], error=DataError)
    if told["kind"] not in KINDS:
        raise DataError(f"ledger: kind == {told['kind']!r}, must be one of {KINDS}: record it as one of them.")
    for name in ("subject", "who", "why", "once"):
        if not isinstance(told[name], str) or not told[name].strip():
            raise DataError(f"ledger: {name} == {told[name]!r}, must be a text that says something: fill it in.")
    fields: dict[str, Any] = told | {
        "seq": last.seq + 1 if last else 1,
        "at": instant(at),
        "evidence": canonical_json(dict(evidence)).decode(),
        "previous": last.hash if last else FIRST,
    }
    return Entry(**fields, hash=record_version(fields))


def instant(text: str) -> str:
    """An ISO 8601 instant in UTC to the microsecond, always 32 characters, so that texts sort as instants do.

    Raises DataError for what is none, or has no zone.

    >>> instant("2013-07-01T02:00:00+02:00")
    '2013-07-01T00:00:00.000000+00:00'
    """
    try:
        met = datetime.fromisoformat(text)
        if met.tzinfo is not None:
            return met.astimezone(UTC).isoformat(timespec="microseconds")
    except (TypeError, ValueError, OverflowError):
        pass  # said below, in one sentence
    raise DataError(f"at == {text!r}, must be an ISO 8601 instant with its zone: write it like 2013-07-01T10:05:00Z.")
