"""Weeks of requests and outcomes in stretches of event time: who asks within ten minutes is asked about at once.

Here belongs what is asked and told when. Every request is asked within its own week; an outcome is told once it is
known, which may be weeks later. Nothing depends on where one begins, so a replay may go on between any two weeks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare import UseCase
from mlops_assets.replay.timeline import Matured, request_id, sent
from mlops_assets.replay.weeks import Weeks

EVERY_US = 600_000_000
_LATEST_US = 28 * 86_400_000_000  # after the end of its week an outcome is known, if it ever is
_TOLD = attrgetter("at_us", "id")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Asks:
    """Requests by column: their `ids`, and what they send as JSON values, all of one length."""

    ids: Sequence[str] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What happens from `at_us` on and before `until_us` (us since 1970).

    `matured` are the outcomes told at its begin, in the order of their telling; then the requests `asked` come.
    """

    at_us: int
    until_us: int
    asked: Asks
    matured: Sequence[Matured]


def stretches(
    use_case: UseCase,
    weeks: Weeks,
    keys: Sequence[str],
    *,
    seed: int,
    since: str | None = None,
    every_us: int = EVERY_US,
    most: int | None = None,
    delayed_us: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Stretch]:
    """The stretches of the weeks `keys` (oldest first) in which something happens, in order, from week `since` on.

    Requests give their features, and have the ids of `timeline.request_id`; where a week has more than `most`, so many
    are drawn by the seed. One whose `as_of` lies before its week is asked as the week begins. `delayed_us` says by how
    much later than they were known the outcomes of a week are told. Outcomes of the weeks before `since` are told when
    they are due, those that are due after the last week after it. One week is held at a time, and the outcomes that are
    not due yet. Raises DataError for a week that is not there.
    """
    first = since or keys[0]
    end = _bounds(use_case, first)[0]
    asked_of = _Weeks(use_case, weeks, seed, most, delayed_us)
    pending: list[Matured] = []
    for key in keys:
        if key < first and _bounds(use_case, key)[1] + _LATEST_US + delayed_us.get(key, 0) >= end:
            pending += asked_of.matured(key)
    told = _last(*_bounds(use_case, use_case.partitions.shift(first, -1)), every_us)
    pending = [one for one in pending if one.at_us > told]
    for key in keys:
        if key >= first:
            begin, end = _bounds(use_case, key)
            pending = sorted([*pending, *asked_of.matured(key)], key=_TOLD)
            due = sum(one.at_us <= _last(begin, end, every_us) for one in pending)
            yield from _cut(*asked_of.asks(key), pending[:due], begin, end, every_us)
            pending = pending[due:]
    if pending:
        after = end + ((pending[-1].at_us - end) // every_us + 2) * every_us
        yield from _cut(Asks(), np.empty(0, np.int64), pending, end, after, every_us)


class _Weeks:
    """The requests and outcomes of single weeks."""

    def __init__(
        self, use_case: UseCase, weeks: Weeks, seed: int, most: int | None, delayed_us: Mapping[str, int]
    ) -> None:
        self._use_case, self._weeks, self._seed, self._most = use_case, weeks, seed, most
        self._delayed_us = delayed_us

    def asks(self, key: str) -> tuple[Asks, Ints]:
        """The requests in order of time, and their `as_of` (us)."""
        requests, rows, names = self._weeks.sent(key, features=True)
        ids = np.array(self._ids(requests), dtype=object)
        at = requests[self._use_case.requests.as_of].cast(pa.int64()).to_numpy()
        order = np.lexsort((np.arange(len(at)), at))
        order = order[self._drawn(ids[order].tolist())]
        columns = {name: sent(None, rows[name].take(pa.array(order))) for name in names}
        return Asks(ids=ids[order].tolist(), columns=columns), at[order]

    def matured(self, key: str) -> list[Matured]:
        """The outcomes, at the instants at which they are told."""
        table, column = self._use_case.request_table, self._use_case.label.column
        requests = self._weeks.tables(key)[self._use_case.requests.table]
        ids, delay = self._ids(requests), self._delayed_us.get(key, 0)
        known = requests[table.known_at[column]].cast(pa.int64()).to_pylist()
        labels = requests[column].to_pylist()
        return [
            Matured(known[n] + delay, ids[n], labels[n], known[n])
            for n in self._drawn(ids)
            if labels[n] is not None and known[n] is not None
        ]

    def _ids(self, requests: pa.Table) -> list[str]:
        table = self._use_case.request_table
        kinds = {column.name: column for column in table.columns}
        keys = zip(*(sent(kinds[name], requests[name]) for name in table.key), strict=True)
        return [request_id(self._use_case, self._seed, key) for key in keys]

    def _drawn(self, ids: Sequence[str]) -> list[int]:
        """The places of those that are asked."""
        drawn = set(sorted(ids)[: self._most])
        return [n for n, id_ in enumerate(ids) if id_ in drawn]


def _cut(asks: Asks, at: Ints, matured: Sequence[Matured], begin: int, end: int, every_us: int) -> Iterator[Stretch]:
    """The stretches of a span: requests by when they are asked, outcomes by when they are told (none after `end`)."""
    count = -(-(end - begin) // every_us)
    told = np.array([one.at_us for one in matured], dtype=np.int64)
    asked_in = np.clip((at - begin) // every_us, 0, count - 1)
    told_in = np.clip(-((begin - told) // every_us), 0, count - 1)
    for n in np.union1d(asked_in, told_in).tolist():
        low, high = np.searchsorted(asked_in, [n, n + 1]).tolist()
        first, last = np.searchsorted(told_in, [n, n + 1]).tolist()
        yield Stretch(
            at_us=begin + n * every_us,
            until_us=min(begin + (n + 1) * every_us, end),
            asked=Asks(
                ids=asks.ids[low:high], columns={name: values[low:high] for name, values in asks.columns.items()}
            ),
            matured=matured[first:last],
        )


def _last(begin: int, end: int, every_us: int) -> int:
    """Where the last stretch of a span begins."""
    return begin + (end - begin - 1) // every_us * every_us


def _bounds(use_case: UseCase, key: str) -> tuple[int, int]:
    begin, end = use_case.partitions.bounds(key)
    return instant_us(begin), instant_us(end)
