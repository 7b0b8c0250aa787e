"""Rows that give what features are looked up by: the vector is that of the online store, as of the instant they say."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.core.online import OnlineFeatures
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.requests import Asking, Question, table_of_records
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.feature_store import feature_store, online_url
from mlops_assets.stores.online import open_online
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

AS_OF = datetime(2013, 1, 20, 15, 0, tzinfo=UTC)
NOW_US = instant_us(AS_OF)
ASKED = {
    "year": 2013, "month": 1, "day": 20, "sched_dep_time": 1200, "carrier": "UA", "flight": 779, "tailnum": "N836UA",
    "origin": "EWR", "dest": "ORD", "distance": 719, "sched_dep_utc": "2013-01-20T17:00:00Z",
    "sched_arr_utc": "2013-01-20T19:30:00Z", "asked_utc": "2013-01-20T15:00:00Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """Over an online store that is filled as the declaration says, and knows nothing yet."""
    folder = str(tmp_path_factory.mktemp("online"))
    with feature_store(FLIGHT_DELAYS, online=folder, journals=folder, assets=AssetStore(f"{folder}/store")) as (
        path,
        _,
    ):
        path.catch_up()
    made = Asking(FLIGHT_DELAYS, folder, lambda: NOW_US)
    yield made
    made.close()


def question(asking: Asking, *rows: dict[str, Any]) -> Question:
    return asyncio.run(asking.question(table_of_records(rows, "rows")))


def test_looked_up_features_are_the_online_stores(asking: Asking) -> None:
    found = question(asking, ASKED, {**ASKED, "asked_utc": None})

    with closing(open_online(online_url(asking._online, FLIGHT_DELAYS))) as store:
        given = {**ASKED, **{n: datetime.fromisoformat(str(ASKED[n])) for n in ("sched_dep_utc", "sched_arr_utc")}}
        due = OnlineFeatures(FLIGHT_DELAYS, store).vector(given, moment(NOW_US)).values
    assert {name: values[0] for name, values in found.columns.items()} == due
    assert found.columns["weekday"] == [6, 6] and found.columns["dep_minute"] == [720, 720]
    assert found.as_of_us == [NOW_US, NOW_US]
    assert found.units == ['["N836UA"]', '["N836UA"]']


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"flight": True}, "flight[0]"),
        ({"flight": 2**63}, "flight[0]"),
        ({"carrier": 7}, "carrier[0]"),
        ({"carrier": "U\0A"}, "carrier[0]"),
        ({"sched_dep_utc": "2013-01-20T17:00:00"}, "sched_dep_utc[0]"),
        ({"asked_utc": "0001-01-01T00:00:00Z"}, "asked_utc[0]"),
    ],
)
def test_a_column_of_another_kind_is_refused_where_it_is(asking: Asking, change: dict[str, Any], where: str) -> None:
    with pytest.raises(Refused) as raised:
        question(asking, {**ASKED, **change})

    assert (raised.value.status, raised.value.told["where"]) == (400, where)


def test_a_row_that_gives_neither_is_told_what_lacks_for_both(asking: Asking) -> None:
    with pytest.raises(
        Refused, match=r"give neither the features \(.*plane_seats.* lacking\) nor .*\(tailnum lacking\)"
    ):
        question(asking, {name: value for name, value in ASKED.items() if name != "tailnum"})


def test_without_an_online_store_looked_up_rows_are_told_to_come_again(tmp_path: Path) -> None:
    asking = Asking(FLIGHT_DELAYS, str(tmp_path), lambda: NOW_US)
    with pytest.raises(Refused) as raised:
        question(asking, ASKED)
    asking.close()

    assert (raised.value.status, raised.value.retry_after) == (503, 10)
