"""Feature vectors served from an online store: the values the offline engine gives, one request at a time.

Everything is laid out once from the declaration: which totals are asked for, and how each feature is read from them.
A window is the difference of two totals and one division, as offline (`features/values.py`), so both agree bit for bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features.at_request import at_request
from mlops_assets.core.features.plan import microseconds, series_of
from mlops_assets.core.online.ordered import instant_us, moment, ordered
from mlops_assets.core.online.series import SERIES, incomplete, online_series, reaches
from mlops_assets.core.online.store import Ask, OnlineStore
from mlops_assets.core.online.totals import Scalar, Total, wrapped
from mlops_assets.declare import AtRequest, Count, DataError, Feature, Kind, Last, Mean, Rate, UseCase

_AVERAGES = (Mean, Rate)


@dataclass(frozen=True, kw_only=True)
class Vector:
    """The declared features of one request, in declared order, and the age of what each was made from.

    An age is as_of minus the instant at which the newest event behind the value became known; None where there is
    none (nothing known, a fact of always, a value of the request itself).
    """

    as_of: datetime
    values: Mapping[str, Scalar]
    ages: Mapping[str, timedelta | None]


@dataclass(frozen=True)
class _Reading:
    """How one looked-up feature is read from the totals found: at `now`, and for a window at `before` too."""

    feature: Feature
    now: int
    before: int
    span_us: int | None
    scale: int
    kind: Kind
    missing: Scalar


class OnlineFeatures:
    """The features of a use case as known at an instant, from an online store.

    Raises DeclarationError like `feature_table` where the declaration would leak, and DataError for a store that was
    filled by another declaration and lacks a series.
    """

    def __init__(self, use_case: UseCase, store: OnlineStore) -> None:
        self._use_case, self._store = use_case, store
        asked = use_case.request_table
        self._keys: list[tuple[tuple[str, ...], list[Kind]]] = []
        self._asks: list[tuple[str, int, int]] = []  # series, which key, how long before as_of
        self._readings: dict[str, _Reading] = {}
        self._at_request = [feature for feature in use_case.features if isinstance(feature, AtRequest)]
        reads = dict.fromkeys(name for feature in self._at_request for name in feature.reads)
        self._row = pa.struct([pa.field(name, ARROW[asked.kinds[name]]) for name in reads])
        kept = online_series(use_case)
        for feature in use_case.features:
            if isinstance(feature, AtRequest):
                continue
            series = kept[series_of(use_case, feature)]
            key = self._place(self._keys, (feature.key, [asked.kinds[name] for name in feature.key]))
            span = feature.within if isinstance(feature, Last) else feature.window
            span_us = None if span is None else microseconds(span)
            now = self._place(self._asks, (series.name, key, 0))
            window = not isinstance(feature, Last)
            before = self._place(self._asks, (series.name, key, span_us or 0)) if window else now
            kind, missing = use_case.kind_of(feature), feature.missing
            missing = float(missing) if kind is Kind.FLOAT and missing is not None else missing  # 0 may be declared
            self._readings[feature.name] = _Reading(
                feature, now, before, span_us, 10 ** (series.decimals or 0), kind, missing
            )

        self._since = self._held(store.note(SERIES))

    def _held(self, note: str | None) -> dict[int, str]:
        """The instant (us) before which a series that was declared later cannot answer -> why."""
        reach, since = reaches(self._use_case), {}
        for name, week in incomplete(self._use_case, note).items():
            mend = f"materialize online_features of the {self._use_case.lookback_weeks} weeks before anew"
            if not week:
                raise DataError(f"{self._use_case.name}: the online store does not hold {name!r} yet: {mend}.")
            begin = instant_us(self._use_case.partitions.bounds(week)[0])
            if name in reach:
                since[begin + reach[name]] = f"{name!r} is online since the week {week} only: {mend}"
        return since

    @staticmethod
    def _place(known: list[Any], wanted: Any) -> int:
        if wanted not in known:
            known.append(wanted)
        return known.index(wanted)

    def vector(self, request: Mapping[str, Any], as_of: datetime | None = None) -> Vector:
        """All features of one request. `request` maps the columns they read to values, `as_of` is an aware instant,

        the request's own when left out. An unknown key gives the declared missing values. Raises DataError for a column
        that is absent or of another kind, PrunedError when as_of is older than the history that is kept.
        """
        asked = request.get(self._use_case.requests.as_of) if as_of is None else as_of
        if not isinstance(asked, datetime) or asked.tzinfo is None:
            raise DataError(f"{self._use_case.name}: as_of == {asked!r}, must be an instant with its time zone.")
        values, ages = self.look_up(request, asked)
        if self._at_request:
            own = self._own(self._one_row(request, asked))
            values |= {name: column[0].as_py() for name, column in own.items()}
        names = [feature.name for feature in self._use_case.features]
        return Vector(
            as_of=asked,
            values={name: values[name] for name in names},
            ages={name: ages.get(name) for name in names},
        )

    def look_up(
        self, keys: Mapping[str, Any], as_of: datetime
    ) -> tuple[dict[str, Scalar], dict[str, timedelta | None]]:
        """The looked-up features alone: values and ages by name. Arguments and errors as in `vector`."""
        at = instant_us(as_of)
        found = self._found(keys, at)
        values: dict[str, Scalar] = {}
        ages: dict[str, timedelta | None] = {}
        for name, reading in self._readings.items():
            value, since = _read(reading, found, at)
            values[name], ages[name] = value, None if since is None else timedelta(microseconds=at - since)
        return values, ages

    def table(self, requests: pa.Table) -> pa.Table:
        """The features of validated requests, one row each, in their order: key, as_of, features in declared order."""
        name, rows = self._use_case.requests.as_of, requests.num_rows
        read = list(dict.fromkeys([n for key, _ in self._keys for n in key]))
        moments = requests[name].cast(pa.int64()).to_pylist()
        columns: dict[str, list[Scalar]] = {feature: [] for feature in self._readings}
        for at, *keys in zip(moments, *(requests[n].to_pylist() for n in read), strict=True):
            found = self._found(dict(zip(read, keys, strict=True)), at)
            for feature, reading in self._readings.items():
                columns[feature].append(_read(reading, found, at)[0])
        own = self._own(requests) if rows else {}
        made = {n: requests[n] for n in dict.fromkeys([*self._use_case.request_table.key, name])}
        for declared in self._use_case.features:
            kind = ARROW[self._use_case.kind_of(declared)]
            made[declared.name] = own.get(declared.name, pa.array(columns.get(declared.name, []), kind))
        return pa.table(made)

    def asks(self, keys: Mapping[str, Any], as_of: datetime) -> list[Ask]:
        """What one request asks of the store, null keys left out."""
        return [ask for ask in self._laid_out(keys, instant_us(as_of)) if ask is not None]

    def _laid_out(self, keys: Mapping[str, Any], at: int) -> list[Ask | None]:
        made: list[bytes | None] = []
        for names, kinds in self._keys:
            try:
                values = [keys[name] for name in names]
            except KeyError as absent:
                raise DataError(
                    f"{self._use_case.name}: the request lacks {absent.args[0]!r}, by which features are looked up: it "
                    f"must give {list(names)} (null where there is none)."
                ) from None
            made.append(None if None in values else ordered(values, kinds))
        return [
            None if (key := made[place]) is None else Ask(series, key, at - offset)
            for series, place, offset in self._asks
        ]

    def _found(self, keys: Mapping[str, Any], at: int) -> list[Total | bool | None]:
        """For each ask the total found, None where nothing was known, False where the key is null."""
        for instant, why in self._since.items():
            if at < instant:
                raise DataError(f"{self._use_case.name}: as_of == {moment(at).isoformat()} looks too far back: {why}.")
        asks = self._laid_out(keys, at)
        answers = iter(self._store.look_up(at, [ask for ask in asks if ask is not None]))
        return [False if ask is None else next(answers) for ask in asks]

    def _own(self, requests: pa.Table) -> dict[str, pa.Array]:
        return {feature.name: at_request(self._use_case, feature, requests) for feature in self._at_request}

    def _one_row(self, request: Mapping[str, Any], as_of: datetime) -> pa.Table:
        """The request as a table of one row, with the columns that `AtRequest` features read."""
        name, given = self._use_case.name, {**request, self._use_case.requests.as_of: as_of}
        try:
            row = {column.name: given[column.name] for column in self._row}
        except KeyError as absent:
            feature = next(feature.name for feature in self._at_request if absent.args[0] in feature.reads)
            raise DataError(
                f"{name}: the request lacks {absent.args[0]!r}, which feature {feature!r} is computed from: "
                "give it (null where there is none)."
            ) from None
        try:
            return pa.Table.from_struct_array(pa.array([row], self._row))  # half the time of an array for each column
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            kinds = self._use_case.request_table.kinds
            return pa.table({column: _one_value(name, column, value, kinds[column]) for column, value in row.items()})


def _read(reading: _Reading, found: Sequence[Total | bool | None], at: int) -> tuple[Scalar, int | None]:
    """The value of one feature, and the instant of the newest event behind it."""
    now, feature = found[reading.now], reading.feature
    if isinstance(feature, Last):
        if not isinstance(now, Total) or (reading.span_us is not None and now.t <= at - reading.span_us):
            return reading.missing, None
        return now.value, now.t if reading.span_us is not None else None
    if isinstance(now, bool):
        return reading.missing, None
    before = found[reading.before]
    n0, s0 = (before.n, before.s) if isinstance(before, Total) else (0, 0)
    n, s = (now.n - n0, wrapped(now.s - s0)) if now is not None else (0, 0)
    since = now.t if now is not None and n else None
    if isinstance(feature, Count):
        return n, since
    if isinstance(feature, _AVERAGES):
        return (s / (n * reading.scale) if n else reading.missing), since
    return (s / reading.scale if reading.kind is Kind.FLOAT else s), since


def _one_value(use_case: str, column: str, value: object, kind: Kind) -> pa.Array:
    try:
        return pa.array([value], ARROW[kind])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DataError(f"{use_case}: {column} == {value!r} of the request is no {kind.value}: correct it.") from error
