"""What is replayed: which weeks, under which policy, with what done to them on purpose. And the instants it goes by."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from blake3 import blake3

from mlops_assets.core.versions import JSON, canonical_json, record_version
from mlops_assets.declare import DataError, UseCase
from mlops_assets.replay.sabotage import Deed
from mlops_assets.stores.landing import Landing


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One policy's replay. `use_case` declares the policy, `name` and `changes` tell it from what is shipped.

    `landing` is the user's landing zone, of all use cases. The first model learns from the weeks up to `first`;
    requests are asked from `begin`, the week after it, to `end`. `most`: so many of a week at most, drawn by the seed.
    """

    use_case: UseCase
    name: str
    changes: Mapping[str, str]
    landing: str
    begin: str
    end: str
    seed: int = 1
    most: int | None = None
    sabotage: tuple[Deed, ...] = ()

    @property
    def zone(self) -> Landing:
        """Where the files of the use case lie."""
        return zone_of(self.use_case, self.landing)

    @property
    def weeks(self) -> tuple[str, ...]:
        """All weeks whose files are needed: from the first on the axis to `end`."""
        return self.use_case.partitions.between(self.use_case.partitions.start, self.end)

    @property
    def first(self) -> str:
        """The newest week the first model learns from."""
        return self.use_case.partitions.shift(self.begin, -1)

    @property
    def played(self) -> tuple[str, ...]:
        """The weeks from `begin` to `end`."""
        return tuple(week for week in self.weeks if week >= self.begin)

    def over(self, at: datetime) -> int:
        """How many of the weeks with requests are over at an instant."""
        week = self.use_case.partitions.week_of(at)
        return sum(key < week for key in self.played)

    def files(self, week: str) -> dict[str, str]:
        """Table -> sha256 of the file of a week, of snapshots too. Raises DataError where one is not there."""
        tables = self.use_case.tables
        return {t.name: hashlib.sha256(self.zone.fetch(t.landing, week).data).hexdigest() for t in tables}

    def lands_at(self, week: str) -> datetime:
        """When a week's files are complete: its last label has matured."""
        return self.use_case.partitions.bounds(week)[1] + self.use_case.label.maturity

    def run_id(self, number: int) -> str:
        """The id of the run with this number: the same in every replay of the scenario."""
        told = canonical_json([self.use_case.name, self.name, self.seed, number])
        return str(UUID(bytes=blake3(told).digest(16), version=4))

    def to_json(self) -> dict[str, JSON]:
        """What makes it this one, the files of each week among it."""
        files: dict[str, JSON] = {
            f"files of {week}": record_version(dict(self.files(week)))[:16] for week in self.weeks
        }
        return files | {
            "use_case": self.use_case.name, "policy": self.name, "changes": dict(self.changes), "begin": self.begin,
            "end": self.end, "seed": self.seed, "most": self.most, "sabotage": [str(deed) for deed in self.sabotage],
        }  # fmt: skip


def zone_of(use_case: UseCase, landing: str) -> Landing:
    """The landing zone of a use case in that of all."""
    return Landing(f"{landing.rstrip('/')}/{use_case.name}")


def span(use_case: UseCase, landing: str, begin: str, end: str) -> tuple[str, str]:
    """(`begin`, `end`), where "" stands for the first week a model can be there for, and the last that has landed.

    Raises DataError for weeks that are no weeks, in the wrong order, too early for a first model, or without files.
    """
    axis, zone = use_case.partitions, zone_of(use_case, landing)
    dated = [table for table in use_case.tables if not table.snapshot]
    landed = sorted(set.intersection(*(set(zone.partitions(table.landing)) for table in dated)))
    earliest = axis.shift(axis.start, use_case.model.min_weeks)
    if not landed or landed[-1] < earliest:
        raise DataError(
            f"{use_case.name}: a replay takes the files of at least {use_case.model.min_weeks + 1} weeks, "
            f"from {axis.start} to {earliest}, in {landing}: land them."
        )
    begin, end = begin or earliest, end or landed[-1]
    for week in (begin, end):
        axis.check(week, axis.bounds(landed[-1])[1])
    if not earliest <= begin <= end:
        raise DataError(
            f"{use_case.name}: a replay from {begin} to {end} must begin with {earliest} or later, since a first model "
            f"takes {use_case.model.min_weeks} weeks, and end no earlier: choose other weeks."
        )
    if lacking := [week for week in axis.between(axis.start, end) if week not in landed]:
        raise DataError(f"{use_case.name}: no files of {', '.join(lacking[:3])} have landed: land them, or end before.")
    return begin, end
