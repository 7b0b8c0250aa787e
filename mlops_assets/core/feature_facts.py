"""Features as plain facts: what the declaration says of one, as JSON values.

`features/words.py` says the same in a sentence. Here belongs what a program compares or lists.
"""

from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from typing import Any

from mlops_assets.core.versions import record_version
from mlops_assets.declare import AtRequest, Feature, UseCase

_WORDS = {"doc", "unit", "stable", "critical"}  # for people and alarms: no value of the feature depends on them


def facts(use_case: UseCase, feature: Feature) -> dict[str, Any]:
    """All that decides a feature's values, by name; what its declaration leaves out is not there.

    Beside the declared fields: `sort` (Last, Rate, ...), `type` of its values, the `table` it reads and `known_at`, the
    instant column of what it reads, both of the request for AtRequest. Spans are seconds, a function its dotted name.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS as flights
    >>> found = facts(flights, next(f for f in flights.features if f.name == "dest_late_6h"))
    >>> found["sort"], found["table"], found["key"], found["column"], found["known_at"], found["window"]
    ('Rate', 'flights', ['dest'], 'late', 'outcome_utc', 21600.0)
    """
    named = {field.name: _plain(getattr(feature, field.name)) for field in fields(feature) if field.name not in _WORDS}
    declared = {name: value for name, value in named.items() if value is not None}
    if isinstance(feature, AtRequest):
        table, known_at = use_case.requests.table, use_case.requests.as_of
    else:
        table, known_at = feature.table, use_case.table(feature.table).known_at[feature.column]
    about = {"sort": type(feature).__name__, "type": use_case.kind_of(feature).value}
    return declared | about | {"table": table, "known_at": known_at}


def features_digest(use_case: UseCase, features: Iterable[Feature]) -> str:
    """64 hexadecimal characters: the same for features declared alike, in this order. Docs and units do not count."""
    return record_version([facts(use_case, feature) for feature in features])


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    if callable(value):
        named = value if hasattr(value, "__qualname__") else type(value)  # a partial has no name of its own
        return f"{named.__module__}.{named.__qualname__}"
    return value
