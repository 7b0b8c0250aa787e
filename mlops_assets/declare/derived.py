"""Derived columns: facts computed from landed rows, by a rule that says itself in words.

`Plus` and `NextClock` cover the time arithmetic every event table needs, `Following` the value of a later row;
`Compute` takes a pure function of whole Arrow columns for the rest. All are computed at validation, before anything
else sees the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mlops_assets.declare.checking import a_zone, freeze, known, refuse
from mlops_assets.declare.following import Following
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.names import check_name

RESERVED = frozenset({"row", "reasons"})  # columns of the quarantine, beside the landed ones


def check_column(where: str, name: str) -> None:
    """Raises DeclarationError unless `name` may be a column's: a safe name, and not one of the quarantine's own."""
    check_name(where, name)
    if name in RESERVED:
        raise refuse(f"{where} {name!r}", "name", name, "is a column of the quarantine", "give it another name")


def check_decimals(where: str, decimals: int | None, kind: Kind) -> None:
    """Raises DeclarationError unless a column of this kind may have so many decimal places (None: not declared)."""
    if decimals is not None and not (kind is Kind.FLOAT and 0 <= decimals <= 9):
        raise refuse(where, "decimals", decimals, "must be 0..9 on a FLOAT", "an INT is exact already")


@dataclass(frozen=True, kw_only=True)
class Plus:
    """The instant `of` plus `minutes` (a column of minutes, or a number); null when either is null."""

    of: str
    minutes: str | int

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.of, self.minutes) if isinstance(self.minutes, str) else (self.of,)

    def __str__(self) -> str:
        return f"{self.of} + {self.minutes} min"


@dataclass(frozen=True, kw_only=True)
class Zone:
    """The time zone of a place: `column` of the row in `table` whose `key` equals this row's `place`.

    `otherwise` names zones for places the table lacks or has no zone for. A place known to neither is quarantined.
    """

    place: str
    table: str
    key: str
    column: str
    otherwise: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        freeze(self, otherwise=MappingProxyType(dict(self.otherwise)))
        for place, zone in self.otherwise.items():
            a_zone(f"Zone of {self.place!r}", f"otherwise[{place!r}]", zone)


@dataclass(frozen=True, kw_only=True)
class NextClock:
    """The first instant at or after `after` at which the wall clock in `zone` shows `clock` (hhmm).

    Right for anything shorter than 24 h, past midnight and over the change of the clocks included.
    """

    clock: str
    after: str
    zone: Zone

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.clock, self.after, self.zone.place)

    def __str__(self) -> str:
        return f"first {self.clock} o'clock at {self.zone.place} after {self.after}"


@dataclass(frozen=True, kw_only=True)
class Compute:
    """`fn` of whole Arrow columns `reads`, in order, returning one array of the same length.

    It must be pure and row by row: row i of the result may depend on row i of the inputs alone.
    """

    fn: Callable[..., Any]
    reads: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self, reads=tuple(self.reads))

    def __str__(self) -> str:
        doc = (self.fn.__doc__ or self.fn.__name__).strip().splitlines()[0]
        return f"{doc} (reads {', '.join(self.reads)})"


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A derived column: `rule` gives its value, `known_at` says when that value may be seen (no default).

    `decimals` (0..9) fixes the decimal places of a FLOAT: sums then run over integers, exactly.
    """

    name: str
    rule: Plus | NextClock | Following | Compute
    known_at: str = ""  # no value is a default: leaving it out is refused below
    kind: Kind = Kind.INSTANT
    decimals: int | None = None
    unit: str = ""
    doc: str = ""

    def __post_init__(self) -> None:
        check_column("derived column", self.name)
        where = f"Derived {self.name!r}"
        known(where, "kind", str(self.kind), map(str, Kind))
        if not self.known_at:
            raise refuse(where, "known_at", self.known_at, "silence would be a leak", "name an instant or ALWAYS")
        if isinstance(self.rule, Plus | NextClock) and self.kind is not Kind.INSTANT:
            raise refuse(where, "kind", self.kind, "Plus and NextClock give instants", "leave kind out")
        check_decimals(where, self.decimals, self.kind)
