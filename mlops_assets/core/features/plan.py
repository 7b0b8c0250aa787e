"""What must be looked up: features gathered into series, each series into the instants it is asked at.

A *series* is one column of one table under one key: its events are the rows with a value, known at the column's
instant. `Last` asks a series at as_of; `Count`, `Sum`, `Mean`, `Rate` ask it at as_of and at as_of - window and take
the difference. Features that share a series share its lookups. Derived from the declaration alone: no data here.
"""

from dataclasses import dataclass
from datetime import timedelta

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.declare import ALWAYS, AtRequest, DeclarationError, Feature, Last, Mean, Rate, Sum, UseCase
from mlops_assets.declare.use_case import decimals


@dataclass(frozen=True, kw_only=True)
class Series:
    """`column` of `table` per `table_key`, asked by the request's `key`; known at instant column `at`, or ALWAYS."""

    table: str
    key: tuple[str, ...]
    table_key: tuple[str, ...]
    column: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a series is asked: `offsets_us` before as_of (0 first), how far back its events matter, and whether sums.

    `reach_us` None: facts known ALWAYS, which have no age. `decimals` None: nothing adds up, only rows count.
    """

    offsets_us: tuple[int, ...]
    reach_us: int | None
    decimals: int | None


def series_of(use_case: UseCase, feature: Feature) -> Series:
    """The series a looked-up feature reads. Raises DeclarationError where its key would be seen before its time."""
    if isinstance(feature, AtRequest):
        raise TypeError(f"feature {feature.name!r} is computed from the request: it reads no series")
    table, asked = use_case.table(feature.table), use_case.request_table
    at = table.known_at[feature.column]
    where = f"{use_case.name}.features[{feature.name!r}]"
    for mine, theirs in zip(feature.key, feature.table_key, strict=True):
        if table.known_at[theirs] not in (ALWAYS, at):
            raise DeclarationError(
                f"{where} finds {feature.column!r}, known at {at!r}, by the key {theirs!r}, known at "
                f"{table.known_at[theirs]!r}: a row could be found before its key is known, that is a leak. "
                f"Key it by columns known {ALWAYS!r} or at {at!r}."
            )
        if ARROW[asked.kinds[mine]] != ARROW[table.kinds[theirs]]:
            raise DeclarationError(
                f"{where} compares key {mine!r} ({asked.kinds[mine].value}) with {feature.table}.{theirs} "
                f"({table.kinds[theirs].value}), which are never equal: declare both of one kind."
            )
    return Series(table=feature.table, key=feature.key, table_key=feature.table_key, column=feature.column, at=at)


def microseconds(span: timedelta) -> int:
    """The span in whole microseconds."""
    return span // timedelta(microseconds=1)


def plan(use_case: UseCase) -> dict[Series, Need]:
    """Every series the declared features need, with what it is asked. Raises DeclarationError as `series_of` does."""
    reads: dict[Series, list[Feature]] = {}
    for feature in use_case.features:
        if not isinstance(feature, AtRequest):
            reads.setdefault(series_of(use_case, feature), []).append(feature)
    return {series: _need(use_case, series, features) for series, features in reads.items()}


def _need(use_case: UseCase, series: Series, features: list[Feature]) -> Need:
    offsets, reach, adds = {0}, 0, False
    for feature in features:
        if isinstance(feature, AtRequest):
            continue
        age = feature.within if isinstance(feature, Last) else feature.window
        if age is not None:
            reach = max(reach, microseconds(age))
        if not isinstance(feature, Last):
            offsets.add(microseconds(feature.window))
        adds = adds or isinstance(feature, Sum | Mean | Rate)
    places = decimals(use_case.table(series.table), series.column) if adds else None
    return Need(offsets_us=tuple(sorted(offsets)), reach_us=None if series.at == ALWAYS else reach, decimals=places)
