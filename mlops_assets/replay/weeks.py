"""The rows of a week that is to be played: what the store has published of it, else what the landed files give.

Here belongs finding them. Files go through the gate as they always do; nothing is written.
"""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from mlops_assets.core.arrow_types import landed_type
from mlops_assets.core.features.table import feature_table
from mlops_assets.core.validation import validate
from mlops_assets.declare import AtRequest, DataError, UseCase
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.landing import Landing


class Weeks:
    """The weeks of a use case in a store and a landing zone; those of `anew` are read from there, stored or not."""

    def __init__(self, use_case: UseCase, assets: AssetStore, landing: Landing, *, anew: Collection[str] = ()) -> None:
        self._use_case, self._assets, self._landing, self._anew = use_case, assets, landing, anew
        self._read: dict[str, Mapping[str, pa.Table]] = {}

    def tables(self, week: str) -> Mapping[str, pa.Table]:
        """The validated tables of a week. Raises DataError when it is in neither place, or the gate refuses it."""
        if week not in self._read:
            asset = f"{self._use_case.name}/validated_dataset"
            stored = self._is_stored(asset, week)
            self._read[week] = self._assets.load(asset, week).tables if stored else self._landed(week)
        return self._read[week]

    def features(self, week: str) -> pa.Table:
        """The features of every request of a week, in the order of its validated rows; `DataError` as in `tables`."""
        asset, requests = f"{self._use_case.name}/feature_table", self._requests(week)
        if self._is_stored(asset, week):
            (made,) = self._assets.load(asset, week).tables.values()
        else:
            made = feature_table(self._use_case, requests, self._history(week))
        key = self._use_case.request_table.key
        places = {row: n for n, row in enumerate(_rows(made, key))}
        try:
            return made.take(pa.array([places[row] for row in _rows(requests, key)], pa.int64()))
        except KeyError as absent:
            raise DataError(f"{asset}@{week} lacks the request {absent}: materialize it anew.") from None

    def sent(self, week: str, *, features: bool) -> tuple[pa.Table, pa.Table, tuple[str, ...]]:
        """(requests, rows, columns of them that are sent), both in one order: the `features`, or what looks them up."""
        requests = self._requests(week)
        asked = self._use_case.requests.as_of
        if features:
            names = [feature.name for feature in self._use_case.model_features]
            rows = self.features(week)
            for name in self._use_case.rollout.unit:
                if name not in rows.column_names:
                    rows = rows.append_column(name, requests[name])
            return requests, rows, tuple(dict.fromkeys([asked, *names, *self._use_case.rollout.unit]))
        reads = [f.reads if isinstance(f, AtRequest) else f.key for f in self._use_case.features]
        columns = dict.fromkeys([asked, *(n for names in reads for n in names), *self._use_case.rollout.unit])
        return requests, requests, tuple(columns)

    def _is_stored(self, asset: str, week: str) -> bool:
        return week not in self._anew and self._assets.latest(asset, week) is not None

    def _requests(self, week: str) -> pa.Table:
        return self.tables(week)[self._use_case.requests.table]

    def _history(self, week: str) -> dict[str, pa.Table]:
        """What the week's features may look at: its tables and those of the weeks before that there are."""
        axis = self._use_case.partitions
        weeks = [self.tables(other) for other in axis.window(week, -self._use_case.lookback_weeks, 0)]
        return {
            t.name: weeks[-1][t.name]
            if t.snapshot
            else pa.concat_tables([tables[t.name] for tables in weeks], promote_options="default")
            for t in self._use_case.tables
        }

    def _landed(self, week: str) -> Mapping[str, pa.Table]:
        landed = {
            t.name: self._landing.read(t.landing, week, columns={c.name: landed_type(c) for c in t.columns}).table
            for t in self._use_case.tables
        }
        judged = validate(self._use_case, landed, week)
        for name, table in judged.items():
            if not table.passed:
                why = next(rule.sentence for rule in table.rules if not rule.passed)
                raise DataError(f"{self._use_case.name} {name}@{week} does not pass the gate: {why}")
        return {name: table.clean for name, table in judged.items()}


def _rows(table: pa.Table, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
