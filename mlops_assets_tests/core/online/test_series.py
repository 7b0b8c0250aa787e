"""What an online store holds of a use case: nothing is missing from it without a word."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops_assets.core.online import MemoryStore, OnlineFeatures
from mlops_assets.core.online.series import SERIES, changes, incomplete, online_since
from mlops_assets.declare import Count, DataError, UseCase, days
from mlops_assets.use_cases.parking import PARKING

MORE = Count(name="readings_2d", table="readings", key=("SystemCodeNumber",), column="Occupancy", window=days(2))


def with_more() -> UseCase:
    return replace(PARKING, features=(*PARKING.features, MORE))


def test_a_series_is_known_since_the_earliest_week_that_was_brought() -> None:
    note = online_since(PARKING, online_since(PARKING, None, "2016-10-10"), "2016-10-03")

    assert set(json.loads(online_since(PARKING, note, "2016-10-17")).values()) == {"2016-10-03"}
    assert incomplete(PARKING, note) == {}


def test_an_empty_store_lacks_nothing_yet() -> None:
    assert incomplete(PARKING, None) == {}


def test_a_feature_declared_later_is_refused_until_its_weeks_are_online() -> None:
    store = MemoryStore()
    store.apply({}, {SERIES: online_since(PARKING, None, "2016-10-03")})

    OnlineFeatures(PARKING, store)
    with pytest.raises(DataError, match=r"does not hold 'readings\(SystemCodeNumber\).Occupancy.*materialize"):
        OnlineFeatures(with_more(), store)


def test_a_question_that_looks_back_beyond_the_first_week_of_a_new_series_is_refused() -> None:
    grown = with_more()
    store = MemoryStore()
    store.apply({}, {SERIES: online_since(grown, online_since(PARKING, None, "2016-10-03"), "2016-10-17")})
    keys = {"SystemCodeNumber": "Broad Street"}
    monday = datetime(2016, 10, 17, tzinfo=UTC)

    with pytest.raises(DataError, match="online since the week 2016-10-17 only"):
        OnlineFeatures(grown, store).look_up(keys, monday + days(1))
    values, _ = OnlineFeatures(grown, store).look_up(keys, monday + days(3))
    assert values["readings_2d"] == 0


def test_bringing_a_week_again_brings_back_what_was_lost() -> None:
    from mlops_assets_tests.use_cases.test_parking import gate  # the shipped weeks, validated

    table, rows = PARKING.table("readings"), gate("2016-10-03").clean
    store, whole = MemoryStore(), MemoryStore()
    brought = changes(PARKING, table, rows)
    whole.apply(brought)
    store.apply({where: change for n, (where, change) in enumerate(brought.items()) if n % 2})
    store.apply(changes(PARKING, table, rows, corrected=rows))

    assert store.entries() == whole.entries()
    assert all(store.totals(*where, -(2**63), 2**62) == whole.totals(*where, -(2**63), 2**62) for where in brought)
