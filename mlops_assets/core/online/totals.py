"""Running totals of one key of one series: what the online store keeps, and how a change rewrites it.

An *entry* is one event: the instant it became known, its row, the number it adds, its value. A *total* is an entry with
how many events there were up to it and what they add up to. Entries are ordered by (instant, row), so every look-up
has one answer; the last total at or before an instant says all that was known then.

Sums wrap around at 64 bits: a window is a difference of two, which comes out right whatever the totals have grown to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_assets.declare import DataError

Scalar = int | float | str | bool | None
Place = tuple[int, bytes]


class Entry(NamedTuple):
    """One event: known at `t` (us since 1970), of the row with key `row`, adding `v`, showing `value`."""

    t: int
    row: bytes
    v: int
    value: Scalar


class Total(NamedTuple):
    """An entry as kept: `n` events up to and with it, which add up to `s` (modulo 2^64)."""

    t: int
    row: bytes
    n: int
    s: int
    value: Scalar


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one key of one series: entries that come, places of entries that go (a corrected file)."""

    added: tuple[Entry, ...] = ()
    removed: tuple[Place, ...] = ()

    @property
    def first(self) -> Place:
        """The earliest place that changes: totals before it stay."""
        return min([entry[:2] for entry in self.added] + list(self.removed))


@dataclass(kw_only=True)
class Applied:
    """How many entries were new, were there already, were taken away."""

    added: int = 0
    known: int = 0
    removed: int = 0

    def __iadd__(self, other: "Applied") -> "Applied":
        self.added += other.added
        self.known += other.known
        self.removed += other.removed
        return self


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """The totals from the first changed place on: all of them, and those that must be written or deleted."""

    totals: tuple[Total, ...]
    deleted: tuple[Place, ...]
    applied: Applied = field(default_factory=Applied)


def wrapped(number: int) -> int:
    """The number modulo 2^64, as an int64.

    >>> wrapped(2**63), wrapped(wrapped(2**63 + 5) - wrapped(2**63 - 1))
    (-9223372036854775808, 6)
    """
    return (number + 2**63) % 2**64 - 2**63


def rewritten(before: Total | None, tail: Sequence[Total], change: Change) -> Rewritten:
    """The change made. `before` is the last total before `change.first`, `tail` all totals from there on, in order.

    Making the same change twice is making it once. What lies at or before a total that stands for pruned ones is left
    alone: no question that can be asked needs it. Raises DataError when an entry is there with another value.
    """
    floor = tail[0] if before is None and tail and tail[0].n > 1 else None
    if floor is not None:
        before, tail = floor, tail[1:]
    entries = {entry[:2]: entry for entry in _entries(before, tail)}
    applied, gone = Applied(), []
    for place in change.removed:
        if entries.pop(place, None) is not None:
            gone.append(place)
    fresh = {entry[:2] for entry in change.added}
    for entry in change.added:
        if floor is not None and entry[:2] <= floor[:2]:
            applied.known += 1
            continue
        there = entries.get(entry[:2])
        if there is None:
            entries[entry[:2]] = entry
            applied.added += 1
        elif there == entry:
            applied.known += 1
        else:
            raise DataError(
                f"the event at {entry.t} us of row {entry.row!r} is there with {there.value!r} adding {there.v}, and "
                f"comes with {entry.value!r} adding {entry.v}: one event has one value. Correct the week's file."
            )
    applied.removed = len(gone)
    totals = tuple(running(before, (entries[place] for place in sorted(entries))))
    return Rewritten(
        totals=totals if floor is None else (floor, *totals),
        deleted=tuple(p for p in gone if p not in fresh),
        applied=applied,
    )


def running(before: Total | None, entries: Iterable[Entry]) -> Iterable[Total]:
    """Entries in order with their running totals, going on from `before`."""
    n, s = (before.n, before.s) if before else (0, 0)
    for entry in entries:
        n, s = n + 1, wrapped(s + entry.v)
        yield Total(entry.t, entry.row, n, s, entry.value)


def _entries(before: Total | None, tail: Sequence[Total]) -> Iterable[Entry]:
    last = before.s if before else 0
    for total in tail:
        yield Entry(total.t, total.row, wrapped(total.s - last), total.value)
        last = total.s
