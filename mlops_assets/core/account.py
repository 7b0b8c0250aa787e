"""What a replay tells: a year of models in event time, policy by policy. Plain records, JSON in and out.

Instants are ISO 8601 in UTC, weeks are their Mondays, versions are numbers (0: the baseline). Nothing in it depends on
the wall clock but `Costs.seconds`, which is no part of `same`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True)
class Week:
    """One week of requests, once its labels had matured.

    `asked` requests got `answered` answers (`by_version`: version as text -> how many), `labelled` of them have a label
    by now. `metrics`: name -> value of the answers that users got, on the labelled rows; None where it is undefined.
    `predicted` and `actual` are means over the labelled rows. `data`, `prediction`, `concept`, `response` are the
    values of the signals and of the answer to them (`core/signals.py`), "" where no model was judged; `drift` maps each
    watched column to its distance over its threshold (PSI; 1.0 is drift), `faults` say what is wrong with the feed.
    """

    week: str
    asked: int
    answered: int
    labelled: int
    by_version: Mapping[str, int]
    metrics: Mapping[str, float | None]
    predicted: float | None = None
    actual: float | None = None
    data: str = ""
    prediction: str = ""
    concept: str = ""
    response: str = ""
    reason: str = ""
    drift: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered model: the newest week it learned from, when and why it was trained ("first", or what asked for it),

    and the gate's sentence.
    """

    version: int
    week: str
    registered_at: str
    cause: str
    why: str
    verdict: str
    judged: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of a rollout: `version` was the challenger at `share` (0..1) of the traffic, beside `champion`.

    `stage` is the value of a `Stage` of `core/rollout/words.py`; a final stage stands until the next rollout begins.
    `why` is the sentence of the decision that began it, `until` is "" for one that lasts.
    """

    version: int
    champion: int
    stage: str
    share: float
    since: str
    until: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """An entry of the ledger."""

    at: str
    kind: str
    subject: str
    who: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """What was done to the history on purpose, and what came of it, in words."""

    week: str
    kind: str
    done: str
    met: str


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What the policy cost. `shadow`: answers of a challenger nobody waited for. `exposed`: answers users got from a

    challenger before it was final; `harmed`: those of challengers that were then rolled back. `failed`: requests
    without an answer. Of the `runs` of jobs `failed_runs` failed. `seconds` of wall time, which differ from run to run.
    """

    runs: int
    trainings: int
    rollouts: int
    finalized: int
    rolled_back: int
    shadow: int
    exposed: int
    harmed: int
    failed: int
    seconds: float
    failed_runs: int = 0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What one policy did. `changes`: declared field -> its value in this policy ("retraining.max_age" -> "28 days").

    `metrics`: over all labelled answers, name -> value; the first is the one that promotion goes by. `ledger`: the hash
    of the ledger's last entry: equal ledgers have equal ones.
    """

    name: str
    changes: Mapping[str, str]
    weeks: tuple[Week, ...]
    versions: tuple[Version, ...]
    stages: tuple[Stage, ...]
    ledger: str
    told: tuple[Told, ...]
    sabotage: tuple[Sabotage, ...]
    costs: Costs
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Against:
    """What the policies are held against: the same requests answered by models that were put in place without proof.

    `name` says how ("never trained again", "trained every week"); `weeks`: week -> metric -> value, on the rows that
    `Week.metrics` are on; `trainings` is what it would have taken.
    """

    name: str
    weeks: Mapping[str, Mapping[str, float | None]]
    metrics: Mapping[str, float | None]
    trainings: int


@dataclass(frozen=True, kw_only=True)
class Account:
    """The whole of it. `first`: the newest week the first model learned from; the replay goes from `begin` to `end`.

    `metric` is what promotion goes by, `higher` whether more of it is better. `most`: so many requests of a week were
    drawn at most, None: all are asked.
    """

    use_case: str
    metric: str
    higher: bool
    first: str
    begin: str
    end: str
    seed: int
    policies: tuple[Policy, ...]
    against: tuple[Against, ...] = ()
    most: int | None = None

    @property
    def same(self) -> "Account":
        """The account without what differs from run to run."""
        return replace(self, policies=tuple(replace(p, costs=replace(p.costs, seconds=0.0)) for p in self.policies))

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Account":
        """What `to_json` gave, or what a JSON parser made of it. Raises msgspec.ValidationError for anything else."""
        return msgspec.convert(told, cls)
