"""Training/serving skew: the values that were served against those of the feature table, value by value.

Both come from one declaration and must be equal. Where they are not, the first request, feature and both values are
named, and why (`causes.py`). Served values are those of an online store, or logged by whoever served.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.features.keys import whole
from mlops_assets.core.features.plan import plan
from mlops_assets.core.online.causes import cause, validated
from mlops_assets.core.online.memory import MemoryStore
from mlops_assets.core.online.ordered import moment
from mlops_assets.core.online.series import changes, encoded
from mlops_assets.core.online.store import OnlineStore, PrunedError
from mlops_assets.core.online.vector import OnlineFeatures
from mlops_assets.declare import DataError, UseCase

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One request of which one value differs: `feature` in the feature table and as served.

    `feature` None: the request is on one side only, and the values are None.
    """

    key: Mapping[str, Any]
    as_of: datetime
    feature: str | None
    trained: Any
    served: Any
    cause: str

    def __str__(self) -> str:
        what = f"{self.feature} is {self.trained!r} in the feature table and {self.served!r} served"
        told = "" if self.feature is None else f", {what}"
        return f"request {dict(self.key)} asked at {self.as_of.isoformat()}{told}. Likely cause: {self.cause}."


@dataclass(frozen=True, kw_only=True)
class Skew:
    """What came of a comparison: `rows` requests, `features` values of each, `compared` values in all.

    `values_differ` of them differ, in `rows_differ` requests; a request on one side only differs in every value.
    `by_feature` counts the differing values, most first. `first` is the earliest asked. `unjudged` says why nothing
    could be compared, empty when it was.
    """

    rows: int
    features: int
    compared: int
    values_differ: int = 0
    rows_differ: int = 0
    by_feature: tuple[tuple[str, int], ...] = ()
    first: Difference | None = None
    unjudged: str = ""

    @property
    def judged(self) -> bool:
        """Whether anything could be compared."""
        return not self.unjudged

    @property
    def sentence(self) -> str:
        """The outcome in words.

        >>> Skew(rows=6063, features=32, compared=194016).sentence
        '194,016 values of 6,063 requests compared, none differs.'
        """
        if self.unjudged:
            return self.unjudged
        if self.first is None:
            return f"{self.compared:,} values of {self.rows:,} requests compared, none differs."
        return (
            f"{self.values_differ:,} of {self.compared:,} values differ, in {self.rows_differ:,} of {self.rows:,} "
            f"requests; first: {self.first}"
        )


def projected(use_case: UseCase, history: Mapping[str, pa.Table]) -> MemoryStore:
    """The online store that validated tables project to; arguments as in `feature_table`, and DataError as there."""
    store = MemoryStore()
    for name in dict.fromkeys(series.table for series in plan(use_case)):
        store.apply(changes(use_case, use_case.table(name), validated(use_case, history, name)))
    return store


def served_skew(
    use_case: UseCase, trained: pa.Table, asked: pa.Table, history: Mapping[str, pa.Table], store: OnlineStore
) -> Skew:
    """`skew` of what the store serves for the requests `asked`; not judged when it was pruned beyond one of them."""
    try:
        served = OnlineFeatures(use_case, store).table(asked)
    except PrunedError:
        since = "" if (kept := store.kept_since) is None else f" since {moment(kept).isoformat()}"
        told = f"Nothing was compared: the online store keeps history only{since}, and requests were asked before."
        return Skew(rows=asked.num_rows, features=len(use_case.features), compared=0, unjudged=told)
    return skew(use_case, trained, served, history, store, asked=asked)


def skew(
    use_case: UseCase,
    trained: pa.Table,
    served: pa.Table,
    history: Mapping[str, pa.Table],
    store: OnlineStore,
    *,
    asked: pa.Table,
) -> Skew:
    """Every feature of every request of `trained` (a feature table) against `served` (key, as_of, features).

    Rows are matched by key and as_of; a value of another Arrow type differs. `asked` are the validated requests,
    `history` the validated tables by name and `store` what was served from: by them the first difference is explained.
    Raises DataError for a table that lacks a column or holds a request twice.
    """
    names = [feature.name for feature in use_case.features]
    mine = _requests(use_case, "the feature table", trained, names)
    theirs = _requests(use_case, "the served table", served, names)
    both, alone = sorted(mine.keys() & theirs.keys()), sorted(mine.keys() ^ theirs.keys())
    one = trained.select(names).take(pa.array([mine[request] for request in both], pa.int64()))
    other = served.select(names).take(pa.array([theirs[request] for request in both], pa.int64()))
    wrong = {name: _differ(whole(one[name]), whole(other[name])) for name in names}
    rows = np.flatnonzero(np.logical_or.reduce(list(wrong.values())))
    first: Difference | None = None
    if len(rows) and both[rows[0]] < min(alone, default=b"\xff"):
        row = int(rows[0])
        name = next(name for name in names if wrong[name][row])
        values = one[name][row].as_py(), other[name][row].as_py()
        why = f"it is {one[name].type} in the feature table and {other[name].type} served: was the declaration changed?"
        if one[name].type == other[name].type:
            why = _cause(use_case, name, both[row], asked, history, store)
        first = _difference(use_case, trained.slice(mine[both[row]], 1), name, values, why)
    elif alone:
        was = alone[0] in theirs
        table, place = (served, theirs[alone[0]]) if was else (trained, mine[alone[0]])
        why = "it is served and not in the feature table" if was else "it is in the feature table and was not served"
        first = _difference(use_case, table.slice(place, 1), None, (None, None), why)
    counts = {name: int(flags.sum()) + len(alone) for name, flags in wrong.items()}
    return Skew(
        rows=len(both) + len(alone),
        features=len(names),
        compared=(len(both) + len(alone)) * len(names),
        values_differ=sum(counts.values()),
        rows_differ=len(rows) + len(alone),
        by_feature=tuple(sorted(((n, c) for n, c in counts.items() if c), key=lambda counted: -counted[1])),
        first=first,
    )


def _identity(use_case: UseCase) -> list[str]:
    """The columns that make a request: as_of in front, so that their bytes sort as they were asked."""
    return [use_case.requests.as_of, *use_case.request_table.key]


def _requests(use_case: UseCase, where: str, table: pa.Table, features: Sequence[str]) -> dict[bytes, int]:
    """Each request and its row."""
    identity = _identity(use_case)
    absent = [name for name in (*identity, *features) if name not in table.column_names]
    if absent:
        raise DataError(f"{use_case.name}: {where} lacks {absent}: make it anew from the declaration that stands now.")
    found = {request: row for row, request in enumerate(encoded(table, identity, use_case.request_table))}
    if len(found) < table.num_rows:
        raise DataError(
            f"{use_case.name}: {where} holds {table.num_rows - len(found)} requests too many of one {identity}: each "
            "may stand once."
        )
    return found


def _differ(one: pa.Array, other: pa.Array) -> Bools:
    """Where two columns differ; null equals null alone."""
    if one.type != other.type:
        return np.ones(len(one), dtype=bool)
    same = pc.if_else(pc.is_null(one), pc.is_null(other), pc.fill_null(pc.equal(one, other), False))
    return ~np.asarray(same.to_numpy(zero_copy_only=False), dtype=bool)


def _cause(
    use_case: UseCase,
    name: str,
    request: bytes,
    asked: pa.Table,
    history: Mapping[str, pa.Table],
    store: OnlineStore,
) -> str:
    row = _requests(use_case, "the table of what was asked", asked, ()).get(request)
    if row is None:
        return "the request is not among those asked"
    (values,) = asked.slice(row, 1).to_pylist()
    feature = next(feature for feature in use_case.features if feature.name == name)
    return cause(use_case, feature, values, values[use_case.requests.as_of], history, store)


def _difference(use_case: UseCase, row: pa.Table, feature: str | None, values: tuple[Any, Any], why: str) -> Difference:
    as_of, *key = _identity(use_case)
    return Difference(
        key={name: row[name][0].as_py() for name in key},
        as_of=row[as_of][0].as_py(),
        feature=feature,
        trained=values[0],
        served=values[1],
        cause=why,
    )
