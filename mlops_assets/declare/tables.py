"""Tables and columns: what a landed file must hold, and when each value may be seen.

`known_at` has no default: silence would be a leak. It names an instant column of the same table, or ALWAYS for
facts that stand long before anyone asks (a timetable, an aircraft's year of build).
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from mlops_assets.declare.checking import a_zone, freeze, known, no_repeats, refuse
from mlops_assets.declare.derived import Compute, Derived, NextClock, Plus, check_column, check_decimals
from mlops_assets.declare.errors import DeclarationError
from mlops_assets.declare.following import Following, check_following
from mlops_assets.declare.kinds import ALWAYS, Kind
from mlops_assets.declare.names import check_name


@dataclass(frozen=True, kw_only=True)
class Column:
    """One landed column.

    `ge`/`le` bound values inclusively, `isin` lists all allowed ones, `pattern` is a regular expression a whole
    string must match. A row that breaks one is quarantined; more nulls than `max_null_share` (0..1) refuse the
    whole table. `decimals` (0..9) fixes the decimal places of a FLOAT: sums then run over integers, exactly.
    `zone` says that an INSTANT lands as the wall clock of that IANA zone shows it, without a zone of its own; a time
    that the clocks skip or repeat is quarantined.
    """

    name: str
    kind: Kind
    known_at: str = ""  # no value is a default: leaving it out is refused below
    nullable: bool = False
    ge: float | None = None
    le: float | None = None
    isin: tuple[str | int, ...] | None = None
    pattern: str | None = None
    max_null_share: float | None = None
    decimals: int | None = None
    zone: str | None = None
    unit: str = ""
    doc: str = ""

    def __post_init__(self) -> None:
        where = f"Column {self.name!r}"
        check_column("column", self.name)
        known(where, "kind", str(self.kind), map(str, Kind))
        if not self.known_at:
            raise refuse(where, "known_at", self.known_at, "silence would be a leak", "name an instant or ALWAYS")
        if any(bound is not None and math.isnan(bound) for bound in (self.ge, self.le)):
            raise refuse(where, "ge/le", (self.ge, self.le), "NaN bounds nothing", "give a number or drop it")
        if self.ge is not None and self.le is not None and self.ge > self.le:
            raise refuse(where, "ge", self.ge, f"must not exceed le == {self.le}", "swap the bounds")
        bounded = self.ge is not None or self.le is not None
        if bounded and self.kind not in (Kind.INT, Kind.FLOAT):
            raise refuse(where, "ge/le", (self.ge, self.le), "bounds need an INT or FLOAT", "drop them or use isin")
        self._check_text_rules(where)
        if self.max_null_share is not None and not (self.nullable and 0 <= self.max_null_share <= 1):
            raise refuse(where, "max_null_share", self.max_null_share, "must be 0..1 on a nullable column",
                         "set nullable=True and a share")  # fmt: skip
        check_decimals(where, self.decimals, self.kind)
        if self.zone is not None:
            if self.kind is not Kind.INSTANT:
                raise refuse(where, "zone", self.zone, "only an INSTANT has a zone", "drop it")
            a_zone(where, "zone", self.zone)

    def _check_text_rules(self, where: str) -> None:
        if self.pattern is not None:
            if self.kind is not Kind.STRING:
                raise refuse(where, "pattern", self.pattern, "only a STRING has a pattern", "drop it")
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise refuse(where, "pattern", self.pattern, f"is no regular expression ({error})", "mend it") from None
        if self.isin is not None and not self.isin:
            raise refuse(where, "isin", self.isin, "allows nothing", "name the values or drop it")


@dataclass(frozen=True, kw_only=True)
class Every:
    """One row is expected every `step` for each value of `by`: the least share of them that must be there (0..1).

    Counted from the first to the last instant seen in the file, so a file that ends early is judged by its
    window's completeness, not here.
    """

    instant: str
    step: timedelta
    by: tuple[str, ...] = ()
    at_least: float = 1.0

    def __post_init__(self) -> None:
        freeze(self, by=tuple(self.by))
        if self.step <= timedelta(0):
            raise refuse("Every", "step", self.step, "must be positive", "e.g. hours(1)")
        if not 0 < self.at_least <= 1:
            raise refuse("Every", "at_least", self.at_least, "must be 0 < x <= 1", "a share of the rows expected")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a use case: where it lands, its key, its columns, the rules of the whole table.

    `landing` is a path below the landing zone; with `{partition}` in it there is one file a week, without it the
    file is a snapshot read whole every time. `key` columns identify a row: an exact repeat of a row is
    quarantined, two different rows of one key refuse the table. `late_by` is how long after its week's end a
    value may still become known: later than that is quarantined, since nothing would look for it.
    """

    name: str
    landing: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    derived: tuple[Derived, ...] = ()
    doc: str = ""
    min_rows: int = 1
    max_quarantined_share: float = 0.05
    every: Every | None = None
    day: str | None = None
    late_by: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        where = f"Table {self.name!r}"
        check_name("table", self.name)
        self._check_landing(where)
        freeze(self, key=tuple(self.key), columns=tuple(self.columns), derived=tuple(self.derived))
        if not self.key:
            raise refuse(where, "key", self.key, "must name at least one column", "a row needs an identity")
        no_repeats(where, "columns", [*(c.name for c in self.columns), *(d.name for d in self.derived)])
        landed = {c.name for c in self.columns}
        for name in self.key:
            known(where, "key", name, landed)
        seen = set(landed)
        for d in self.derived:
            for name in d.rule.reads:
                known(f"{where}.derived[{d.name!r}]", "reads", name, seen)
            seen.add(d.name)
        instants = set(self.instants)
        for name, at in self.known_at.items():
            known(f"{where}[{name!r}]", "known_at", at, instants | {ALWAYS})
        for d in self.derived:
            self._check_rule(f"{where}.derived[{d.name!r}]", d)
        if self.every is not None:
            known(where, "every.instant", self.every.instant, instants)
            for name in self.every.by:
                known(where, "every.by", name, landed)
        if self.day is not None:
            known(where, "day", self.day, instants - set(self.following))
        if self.snapshot and (later := sorted(n for n, at in self.known_at.items() if at != ALWAYS)):
            raise refuse(where, "known_at", later, "a snapshot has no history", "declare its columns known ALWAYS")
        if self.min_rows < 0:
            raise refuse(where, "min_rows", self.min_rows, "must be >= 0", "1 refuses an empty file")
        if not 0 <= self.max_quarantined_share < 1:
            raise refuse(where, "max_quarantined_share", self.max_quarantined_share, "must be 0 <= x < 1", "a share")
        if self.late_by < timedelta(0):
            raise refuse(where, "late_by", self.late_by, "must not be negative", "nothing is known before it happens")

    def _check_rule(self, where: str, derived: Derived) -> None:
        """Kinds that fit, and nothing of a later row known before that row."""
        rule, kinds, known_at = derived.rule, self.kinds, self.known_at
        if isinstance(rule, Plus):
            if kinds[rule.of] is not Kind.INSTANT:
                raise refuse(where, "of", f"{rule.of} ({kinds[rule.of].value})", "minutes are added to an INSTANT",
                             "name one")  # fmt: skip
            if isinstance(rule.minutes, str) and kinds[rule.minutes] is not Kind.INT:
                raise refuse(where, "minutes", f"{rule.minutes} ({kinds[rule.minutes].value})",
                             "minutes are whole numbers, an INT", "derive them as such")  # fmt: skip
        later = [name for name in rule.reads if name in self.following]
        if later:
            if not isinstance(rule, Compute) or derived.kind is Kind.INSTANT:
                raise refuse(where, "reads", later, "is a later row's value, so no row is judged by it",
                             "only a Compute that gives no instant may read it")  # fmt: skip
            if {known_at[name] for name in later} != {derived.known_at}:
                raise refuse(where, "known_at", derived.known_at, f"it reads {later}, of a later row",
                             f"it is known when they are: {sorted({known_at[name] for name in later})}")  # fmt: skip
        if isinstance(rule, Following):
            at = {d.name: d.rule for d in self.derived}.get(derived.known_at, derived.known_at)
            check_following(where, rule, kind=derived.kind, at=at, kinds=kinds, known_at=known_at)

    def _check_landing(self, where: str) -> None:
        for part in str(self.landing).replace("{partition}", "0").split("/"):  # an absolute path has an empty one
            try:
                check_name("part", part)
            except DeclarationError:
                raise refuse(where, "landing", self.landing, f"{part!r} may not be a part of a path below the landing "
                             "zone", "write it like 'visits/{partition}.parquet'") from None  # fmt: skip
        if not self.landing.endswith((".parquet", ".csv")):
            raise refuse(where, "landing", self.landing, "must end with .parquet or .csv", "convert the file")

    @property
    def snapshot(self) -> bool:
        """True when the file is not cut into weeks."""
        return "{partition}" not in self.landing

    @property
    def kinds(self) -> dict[str, Kind]:
        """Column name -> kind, landed columns first, in declared order."""
        landed = {c.name: c.kind for c in self.columns}
        return landed | {d.name: d.kind for d in self.derived}

    @property
    def known_at(self) -> dict[str, str]:
        """Column name -> the instant column at which its values may be seen, or ALWAYS."""
        return {c.name: c.known_at for c in self.columns} | {d.name: d.known_at for d in self.derived}

    @property
    def instants(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.kinds.items() if kind is Kind.INSTANT)

    @property
    def following(self) -> tuple[str, ...]:
        """Names of derived columns that hold a later row's value, or are computed from one."""
        found: list[str] = []
        for d in self.derived:
            if isinstance(d.rule, Following) or not set(d.rule.reads).isdisjoint(found):
                found.append(d.name)
        return tuple(found)

    @property
    def looks_up(self) -> tuple[str, ...]:
        """Names of other tables that a derived column reads (zones)."""
        return tuple(d.rule.zone.table for d in self.derived if isinstance(d.rule, NextClock))
