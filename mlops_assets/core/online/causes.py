"""Why one served value is not that of the feature table: found by comparing the events behind it, one by one.

The validated history and the online store each hold the events of a key, named by (instant, row). The newest that only
one of them holds is the cause; where both hold the same, it lies in the declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrivals import arrival_kinds
from mlops_assets.core.features.plan import microseconds, series_of
from mlops_assets.core.online.naming import event
from mlops_assets.core.online.ordered import EVER, instant_us, moment, ordered
from mlops_assets.core.online.series import changes, online_series
from mlops_assets.core.online.store import Ask, OnlineStore
from mlops_assets.core.online.totals import Change, Entry, Place, Scalar, wrapped
from mlops_assets.declare import AtRequest, Count, DataError, Feature, Last, Table, UseCase

_FOREVER = 2**63 - 1
_CHANGED = "was the declaration or a function changed since it was served?"
_ANEW = "was the week corrected or withdrawn since? materialize online_features anew"


def cause(
    use_case: UseCase,
    feature: Feature,
    request: Mapping[str, Any],
    as_of: datetime,
    history: Mapping[str, pa.Table],
    store: OnlineStore,
) -> str:
    """The likely reason, in words, why `feature` of the request was served with another value.

    `request` maps the columns that the feature is looked up by to values; `history` are validated tables by name.
    """
    if isinstance(feature, AtRequest):
        return f"it is computed from the request alone: {_CHANGED}"
    keys, at, kept_since = [request[name] for name in feature.key], instant_us(as_of), store.kept_since
    if None in keys:
        return f"a request without its key has no events: {_CHANGED}"
    if kept_since is not None and at < kept_since:
        return f"pruned history: the online store answers questions since {moment(kept_since).isoformat()} only"
    table = use_case.table(feature.table)
    age = feature.within if isinstance(feature, Last) else feature.window
    put = _Put(
        use_case=use_case,
        table=table,
        series=online_series(use_case)[series_of(use_case, feature)].name,
        key=ordered(keys, [table.kinds[name] for name in feature.table_key]),
        after=None if age is None else at - microseconds(age),
        until=at,
    )
    rows = validated(use_case, history, table.name)
    for name, value in zip(feature.table_key, keys, strict=True):
        rows = rows.filter(pc.equal(rows[name], pa.scalar(value, rows[name].type)))
    offline, online = put.offline(rows), put.online(store)
    places = sorted(offline.keys() | online.keys())
    for place in reversed(places[-1:] if isinstance(feature, Last) else places):  # Last reads the newest alone
        named = event(table, place[1], place[0])
        if place not in online:
            return _lacking(named, put.elsewhere(store, place[1]), at)
        if place not in offline:
            return f"the online store has an event that the validated history lacks, {named}: {_ANEW}"
        if _read(feature, offline[place]) != _read(feature, online[place]):
            return f"{named} has another value in the online store than in the validated history: {_ANEW}"
    on_time = put.offline(rows.drop_columns([name for name in arrival_kinds(table) if name in rows.column_names]))
    for place in sorted(on_time.keys() - offline.keys(), reverse=True):
        return (
            f"late event: {event(table, place[1], place[0])} arrived after it was asked: was the feature table made "
            "before that was known? materialize it anew"
        )
    return f"the same events give another value: {_CHANGED}"


@dataclass(frozen=True, kw_only=True)
class _Put:
    """One look-up: the events of `key` in `series` known in (after, until] us, or known always and until then."""

    use_case: UseCase
    table: Table
    series: str
    key: bytes
    after: int | None
    until: int

    def offline(self, rows: pa.Table) -> dict[Place, Entry]:
        """Those of validated rows of the key."""
        entries = changes(self.use_case, self.table, rows).get((self.series, self.key), Change()).added
        return {e[:2]: e for e in entries if (self.after is None or self.after < e.t) and e.t <= self.until}

    def online(self, store: OnlineStore) -> dict[Place, Entry]:
        """Those that the online store keeps; of facts known always the last, which is all that is read."""
        after = EVER if self.after is None else self.after
        (before,) = store.look_up(self.until, [Ask(self.series, self.key, after)])
        found, added = {}, before.s if before else 0
        if before is not None and self.after is None:
            found[before[:2]] = Entry(before.t, before.row, 0, before.value)
        for total in store.totals(self.series, self.key, after, self.until):
            found[total[:2]] = Entry(total.t, total.row, wrapped(total.s - added), total.value)
            added = total.s
        return found

    def elsewhere(self, store: OnlineStore, row: bytes) -> int | None:
        """The latest instant (us) at which the online store has an event of this row, None when it has none."""
        return max((t.t for t in store.totals(self.series, self.key, EVER, _FOREVER) if t.row == row), default=None)


def validated(use_case: UseCase, history: Mapping[str, pa.Table], name: str) -> pa.Table:
    """The rows of one table. Raises DataError when it is missing."""
    if name not in history:
        raise DataError(
            f"{use_case.name}.history[{name!r}] is missing, there is {sorted(history)}: features read it, give its "
            "validated rows."
        )
    return history[name]


def _read(feature: Feature, entry: Entry) -> Scalar:
    """What a feature reads of an event."""
    return entry.value if isinstance(feature, Last) else None if isinstance(feature, Count) else entry.v


def _lacking(named: str, elsewhere: int | None, at: int) -> str:
    if elsewhere is None:
        return f"{named} never reached the online store: materialize online_features for its week"
    there = moment(elsewhere).isoformat()
    if elsewhere > at:
        return f"late event: {named} arrived at {there}, after it was asked"
    return f"{named} is known at {there} in the online store: {_ANEW}"
