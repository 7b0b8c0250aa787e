"""Counts of what a gateway does, in memory that all workers of a gateway share: a worker that is forked anew counts on.

Here belong which counts there are and how they add up. Each worker writes its own row and no other, so nothing is
locked; whoever reads adds the rows. The label sets are fixed: nothing that a client sends becomes a label.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ARMS = ("champion", "challenger")
ROUTES = ("invocations", "infer", "outcomes", "events", "operate", "read", "other")
CODES = (200, 400, 401, 403, 404, 405, 408, 409, 411, 413, 415, 422, 431, 500, 503)
OTHER = 0  # any further status
WHY = ("died", "late", "error", "invalid", "unwritten")
# upper bounds of latencies, in seconds
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

Labels = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Counts of one name: `labels` are the names of their labels, `sets` the values they take."""

    name: str
    kind: str  # "counter" or "gauge"
    doc: str
    labels: Labels
    sets: tuple[Labels, ...]


def _family(name: str, kind: str, doc: str, **labels: tuple[str, ...]) -> Family:
    sets: list[Labels] = [()]
    for values in labels.values():
        sets = [(*one, value) for one in sets for value in values]
    return Family(name=name, kind=kind, doc=doc, labels=tuple(labels), sets=tuple(sets))


_STATUSES = tuple(str(code) if code else "other" for code in (*CODES, OTHER))
_LE = (*map(str, BOUNDS_S), "+Inf")
FAMILIES = (
    _family("requests_total", "counter", "answered HTTP requests", route=ROUTES, status=_STATUSES),
    _family("rows_total", "counter", "rows answered, by the arm that answered", arm=ARMS),
    _family("fallback_rows_total", "counter", "rows the champion answered because the challenger could not"),
    _family("failed_calls_total", "counter", "calls of a model that brought no answer", arm=ARMS, why=WHY),
    _family("mirrored_rows_total", "counter", "rows scored by the other arm after the answer", arm=ARMS),
    _family("mirrored_dropped_total", "counter", "rows the other arm did not score: it was behind", arm=ARMS),
    _family("batches_total", "counter", "calls of a model for answers", arm=ARMS),
    _family("breaker_opened_total", "counter", "challengers this process stopped asking"),
    _family("connections_refused_total", "counter", "connections closed because too many were open"),
    _family("connections_timed_out_total", "counter", "connections closed because their request did not arrive"),
    _family("scoring_seconds_bucket", "counter", "calls of a model, by seconds", arm=ARMS, le=_LE),
    _family("scoring_seconds_sum", "counter", "", arm=ARMS),
    _family("request_seconds_bucket", "counter", "predictions, by seconds from request to reply", le=_LE),
    _family("request_seconds_sum", "counter", ""),
    _family("rows_waiting", "gauge", "rows admitted and not answered"),
    _family("connections", "gauge", "open connections"),
)
_PLACE = {
    (family.name, labels): place
    for place, (family, labels) in enumerate((family, labels) for family in FAMILIES for labels in family.sets)
}
_OF_CODE = {code: str(code) for code in CODES}


class Slab:
    """The shared memory of all workers; make it before they are forked."""

    def __init__(self, workers: int = 1) -> None:
        self._memory = mmap.mmap(-1, 8 * len(_PLACE) * workers)
        self._workers = workers

    def of(self, worker: int) -> "Stats":
        """The counts of one worker, by its number from 0."""
        return Stats(self, memoryview(self._memory).cast("d")[worker * len(_PLACE) : (worker + 1) * len(_PLACE)])

    def totals(self) -> Iterator[tuple[Family, Labels, float]]:
        """Every count, over all workers."""
        counts = memoryview(self._memory).cast("d")
        for (name, labels), place in _PLACE.items():
            yield _BY_NAME[name], labels, sum(counts[place :: len(_PLACE)])


_BY_NAME: Mapping[str, Family] = {family.name: family for family in FAMILIES}


class Stats:
    """The counts of one worker, and through `slab` those of all."""

    def __init__(self, slab: Slab, counts: "memoryview[float]") -> None:
        self.slab, self._counts = slab, counts
        for family in FAMILIES:
            if family.kind == "gauge":  # of a worker that was killed
                self.set(family.name, 0.0)

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Count something of one of `FAMILIES`."""
        self._counts[_PLACE[name, labels]] += by

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._counts[_PLACE[name, ()]] = value

    def replied(self, route: str, status: int) -> None:
        """Count a reply."""
        self.add("requests_total", route, _OF_CODE.get(status, "other"))

    def took(self, name: str, seconds: float, *labels: str) -> None:
        """Count how long something took: `name` is that of a histogram, `scoring_seconds` or `request_seconds`."""
        self.add(f"{name}_bucket", *labels, _LE[bisect_left(BOUNDS_S, seconds)])
        self.add(f"{name}_sum", *labels, by=seconds)

    def total(self, name: str, *labels: str) -> float:
        """A count over all workers."""
        return next(value for family, own, value in self.slab.totals() if (family.name, own) == (name, labels))
