"""The online store in memory: the smallest thing that keeps the interface's promises, for replay, tests and proofs."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from mlops_assets.core.online.store import Ask, refuse_pruned
from mlops_assets.core.online.totals import Applied, Change, Place, Total, rewritten

_AFTER_ALL = b"\xff"  # no row key begins with it


def _place(total: Total) -> Place:
    return total[:2]


class MemoryStore:
    """Sorted lists by (series, key).

    >>> from mlops_assets.core.online.totals import Entry
    >>> store = MemoryStore()
    >>> _ = store.apply({("late", b"UA"): Change(added=(Entry(10, b"1", 1, True), Entry(20, b"2", 0, False)))})
    >>> [total and (total.n, total.s) for total in store.look_up(20, [Ask("late", b"UA", t) for t in (9, 10, 25)])]
    [None, (1, 1), (2, 1)]
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, bytes], list[Total]] = {}
        self._notes: dict[str, str] = {}
        self._kept_since: int | None = None

    def look_up(self, as_of: int, asks: Sequence[Ask]) -> list[Total | None]:
        refuse_pruned(as_of, self._kept_since)
        found: list[Total | None] = []
        for series, key, t in asks:
            kept = self._totals.get((series, key), [])
            place = bisect_right(kept, (t, _AFTER_ALL), key=_place)
            found.append(kept[place - 1] if place else None)
        return found

    def apply(self, changes: Mapping[tuple[str, bytes], Change], notes: Mapping[str, str] | None = None) -> Applied:
        applied, made = Applied(), {}
        for where, change in changes.items():
            kept = self._totals.get(where, [])
            place = bisect_left(kept, change.first, key=_place)
            new = rewritten(kept[place - 1] if place else None, kept[place:], change)
            made[where] = kept[:place] + list(new.totals)
            applied += new.applied
        self._totals.update(made)
        self._notes.update(notes or {})
        return applied

    def totals(self, series: str, key: bytes, after: int, until: int) -> list[Total]:
        return [total for total in self._totals.get((series, key), []) if after < total.t <= until]

    def prune(self, as_of: int, reach: Mapping[str, int]) -> int:
        if self._kept_since is not None and as_of < self._kept_since:
            return 0
        gone = 0
        for where, kept in list(self._totals.items()):
            if where[0] not in reach:
                continue
            old = bisect_right(kept, (as_of - reach[where[0]], _AFTER_ALL), key=_place)
            drop = old if old == len(kept) else max(old - 1, 0)  # the last old one is what windows are counted from
            gone += drop
            if drop == len(kept):
                del self._totals[where]
            else:
                self._totals[where] = kept[drop:]
        self._kept_since = as_of
        return gone

    @property
    def kept_since(self) -> int | None:
        return self._kept_since

    def note(self, name: str) -> str | None:
        return self._notes.get(name)

    def entries(self) -> int:
        return sum(map(len, self._totals.values()))

    def close(self) -> None:
        """Nothing is open."""
