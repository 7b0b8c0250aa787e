"""Features as plain facts: what the declaration says of one, as JSON values.

`features/words.py` says the same in a sentence. Here belongs what a program compares or lists.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from mlops_assets.core.versions import record_version
from mlops_assets.declare import AtRequest, Feature, Last, UseCase


def facts(use_case: UseCase, feature: Feature) -> dict[str, Any]:
    """All that decides a feature's values: its sort, its type, what it reads, by which key, known when, how far back.

    `known_at` is the instant column of what it reads: of the looked-up table, for `AtRequest` the request's as_of.
    `window_s` and `within_s` are seconds, None where the sort has none; `fn` is the function's dotted name.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS as flights
    >>> found = facts(flights, next(f for f in flights.features if f.name == "dest_late_6h"))
    >>> found["sort"], found["table"], found["key"], found["known_at"], found["window_s"], found["within_s"]
    ('Rate', 'flights', ['dest'], 'outcome_utc', 21600.0, None)
    """
    plain = {"name": feature.name, "sort": type(feature).__name__, "type": use_case.kind_of(feature).value}
    if isinstance(feature, AtRequest):
        looked = {"table": use_case.requests.table, "key": [], "table_key": [], "reads": list(feature.reads)}
        fn = f"{feature.fn.__module__}.{feature.fn.__qualname__}"
        return plain | looked | {"known_at": use_case.requests.as_of, "window_s": None, "within_s": None, "fn": fn}
    return plain | {
        "table": feature.table,
        "key": list(feature.key),
        "table_key": list(feature.table_key),
        "reads": [feature.column],
        "known_at": use_case.table(feature.table).known_at[feature.column],
        "window_s": None if isinstance(feature, Last) else _seconds(feature.window),
        "within_s": _seconds(feature.within) if isinstance(feature, Last) else None,
        "fn": None,
    }


def features_digest(use_case: UseCase, features: Iterable[Feature]) -> str:
    """64 hexadecimal characters: the same for features declared alike, in this order. Docs and units do not count."""
    return record_version([facts(use_case, feature) for feature in features])


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
