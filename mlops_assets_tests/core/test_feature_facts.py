"""What a program may compare of two declared features."""

from dataclasses import replace

import pytest

from mlops_assets.core.feature_facts import facts, features_digest
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare import days
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS, same

BY_NAME = {feature.name: feature for feature in FLIGHT_DELAYS.features}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_facts_of_every_feature_are_json(name: str) -> None:
    assert canonical_json(facts(FLIGHT_DELAYS, BY_NAME[name]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tail_delay_7d", {"window": days(6)}),
        ("tail_last_delay", {"within": days(2)}),
        ("dest_late_7d", {"key": ("origin",), "table_key": ("origin",)}),
        ("tail_last_delay", {"column": "dep_delay"}),
        ("weekday", {"fn": same}),
        ("weekday", {"name": "day"}),
    ],
)
def test_whatever_decides_a_value_changes_the_digest(name: str, change: dict[str, object]) -> None:
    feature = BY_NAME[name]

    assert features_digest(FLIGHT_DELAYS, [replace(feature, **change)]) != features_digest(FLIGHT_DELAYS, [feature])


def test_words_and_alarms_do_not_and_the_order_does() -> None:
    one, other = BY_NAME["weekday"], BY_NAME["origin"]
    worded = replace(one, doc="day", unit="d", stable=False, critical=True)

    assert features_digest(FLIGHT_DELAYS, [worded]) == features_digest(FLIGHT_DELAYS, [one])
    assert features_digest(FLIGHT_DELAYS, [one, other]) != features_digest(FLIGHT_DELAYS, [other, one])


def test_a_fact_of_a_static_table_is_known_always_and_a_request_when_it_is_asked() -> None:
    assert facts(FLIGHT_DELAYS, BY_NAME["plane_seats"])["known_at"] == "always"
    assert facts(FLIGHT_DELAYS, BY_NAME["weekday"])["known_at"] == "asked_utc"
