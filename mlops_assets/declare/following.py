"""A value that a later row of the same table brings: what a label "in an hour" is made of.

Here belong the rule and what a table must keep that declares one: what is found may not be seen before the row it was
found in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from mlops_assets.declare.checking import as_names, freeze, known, refuse
from mlops_assets.declare.kinds import ALWAYS, Kind
from mlops_assets.declare.partitions import WEEK


@dataclass(frozen=True, kw_only=True)
class Following:
    """The value of `column` in the first later row with equal `by`; null when there is none.

    Later is an instant `at` in [own at + after, own at + after + within); of several rows at one instant the first by
    the table's key. A null in `by` equals nothing. It looks inside the week's file alone, so what would lie beyond the
    week's end is null; a quarantined row is never found.

    The value is known at the instant of the row found, which is a `Following` too, of the column `at`, known at itself:

    >>> hour = {"by": ("car_park",), "at": "read", "after": timedelta(minutes=50), "within": timedelta(minutes=25)}
    >>> print(Following(column="ratio", **hour))
    ratio of the first row of the same car_park from 0:50:00 up to 1:15:00 after read
    >>> Following(column="ratio", **hour).moment == Following(column="read", **hour)
    True
    """

    column: str
    by: tuple[str, ...]
    at: str
    after: timedelta
    within: timedelta

    def __post_init__(self) -> None:
        freeze(self, by=as_names("Following", "by", self.by))
        if not self.by:
            raise refuse("Following", "by", self.by, "must name a column", "say whose later row it is")
        for field in ("after", "within"):
            span = getattr(self, field)
            if not (isinstance(span, timedelta) and timedelta(0) < span <= WEEK):
                raise refuse("Following", field, span, "must be a span above 0 and at most a week",
                             "it looks at later rows of one week's file, e.g. hours(1)")  # fmt: skip

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.by, self.at, self.column)))

    @property
    def moment(self) -> "Following":
        """The same search for the instant of the row found: when its values are known."""
        return replace(self, column=self.at)

    def __str__(self) -> str:
        span = f"from {self.after} up to {self.after + self.within} after {self.at}"
        return f"{self.column} of the first row of the same {', '.join(self.by)} {span}"


def check_following(
    where: str, rule: Following, *, kind: Kind, at: object, kinds: Mapping[str, Kind], known_at: Mapping[str, str]
) -> None:
    """Raises DeclarationError unless the rule fits the table's columns and gives nothing away early.

    `kind` is the declared one of the column it fills, `at` the rule of the column that says when that is known; `kinds`
    and `known_at` are the table's.
    """
    known(where, "at", rule.at, (name for name, is_a in kinds.items() if is_a is Kind.INSTANT))
    if kind is not kinds[rule.column]:
        raise refuse(where, "kind", kind.value, f"{rule.column!r} is {kinds[rule.column].value}", "give it that kind")
    for name in rule.reads:
        if known_at[name] not in (ALWAYS, rule.at):
            raise refuse(where, "reads", f"{name} (known at {known_at[name]})",
                         f"a row is found at its {rule.at!r}, when this is not known yet",
                         f"follow columns known ALWAYS or at {rule.at!r}")  # fmt: skip
    if at != rule.moment:
        raise refuse(where, "known_at", at, f"what is found is known at the {rule.at!r} of the row found",
                     f"derive that instant by the same Following(column={rule.at!r}, ...), known at itself, and name "
                     "it")  # fmt: skip
