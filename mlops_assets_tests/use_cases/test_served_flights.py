"""Real flights, told event by event as they became known, each request served at its moment: what training sees."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.core.features import feature_table
from mlops_assets.core.online import OnlineFeatures, OnlineStore, changes
from mlops_assets.core.online.series import encoded
from mlops_assets.core.online.skew import Skew, skew
from mlops_assets.core.online.totals import Change, Entry
from mlops_assets.stores.online import SqliteStore
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS as USE_CASE
from mlops_assets_tests.core.features.conftest import flights, history

FLIGHTS, WEEKS = USE_CASE.table("flights"), USE_CASE.partitions.keys()
Tables = dict[str, pa.Table]
Told = tuple[tuple[str, bytes], Entry]


def in_order_of_knowledge(tables: Tables, withheld: bytes | None) -> list[Told]:
    """Every event of the history, the first known first, but for those of one flight."""
    told = [
        (where, entry)
        for name, rows in tables.items()
        for where, change in changes(USE_CASE, USE_CASE.table(name), rows).items()
        for entry in change.added
        if name != "flights" or entry.row != withheld
    ]
    return sorted(told, key=lambda event: event[1].t)


def tell(store: OnlineStore, events: list[Told]) -> None:
    """Apply these events as one change."""
    found: dict[tuple[str, bytes], list[Entry]] = {}
    for where, entry in events:
        found.setdefault(where, []).append(entry)
    store.apply({where: Change(added=tuple(entries)) for where, entries in found.items()})


def served(store: OnlineStore, asked: pa.Table, tables: Tables, withheld: bytes | None = None) -> pa.Table:
    """The requests in the order asked, each answered when the store had been told what was known, and no more."""
    asked, events = asked.sort_by("asked_utc"), in_order_of_knowledge(tables, withheld)
    moments, known = asked["asked_utc"].cast(pa.int64()).to_pylist(), [entry.t for _, entry in events]
    starts = [row for row in range(len(moments)) if row == 0 or moments[row] != moments[row - 1]]
    online, answers, told = OnlineFeatures(USE_CASE, store), [], 0
    for start, end in pairwise([*starts, len(moments)]):
        until = bisect_right(known, moments[start])
        tell(store, events[told:until])
        told = until
        answers.append(online.table(asked.slice(start, end - start)))
    return pa.concat_tables(answers)


def compared(store: OnlineStore, asked: pa.Table, tables: Tables, withheld: bytes | None = None) -> Skew:
    """What was served against the feature table of the whole history."""
    trained = feature_table(USE_CASE, asked, tables)
    return skew(USE_CASE, trained, served(store, asked, tables, withheld), tables, store, asked=asked)


def the_flight(rows: pa.Table, **key: str | int) -> bytes:
    """The key of the one flight with these values."""
    for name, value in key.items():
        rows = rows.filter(pc.equal(rows[name], value))
    (row,) = encoded(rows, FLIGHTS.key, FLIGHTS)
    return row


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = SqliteStore(tmp_path / "online.sqlite")
    yield opened
    opened.close()


def a_day() -> tuple[pa.Table, Tables]:
    """The requests of 9 January 2013, and the two weeks until then."""
    tables = history(WEEKS[:2])
    rows = tables["flights"]
    return rows.filter(pc.and_(pc.equal(rows["month"], 1), pc.equal(rows["day"], 9))), tables


def test_a_day_of_requests_is_served_as_it_is_trained_on(store: OnlineStore) -> None:
    asked, tables = a_day()

    assert compared(store, asked, tables).sentence == "28,864 values of 902 requests compared, none differs."


def test_one_event_withheld_is_named_with_the_first_request_and_feature_it_changes(store: OnlineStore) -> None:
    asked, tables = a_day()
    withheld = the_flight(asked, carrier="9E", flight=3405)
    found = compared(store, asked, tables, withheld)

    assert found.sentence == (
        "152 of 28,864 values differ, in 83 of 902 requests; first: request {'year': 2013, 'month': 1, 'day': 9, "
        "'carrier': 'B6', 'flight': 31, 'origin': 'JFK'} asked at 2013-01-09T13:39:00+00:00, origin_dep_delay_1h is "
        "-1.5714285714285714 in the feature table and -1.3703703703703705 served. Likely cause: the event of flights "
        "{'year': 2013, 'month': 1, 'day': 9, 'carrier': '9E', 'flight': 3405, 'origin': 'JFK'} known at "
        "2013-01-09T13:38:00+00:00 never reached the online store: materialize online_features for its week."
    )
    assert found.by_feature[:3] == (("carrier_late_1d", 38), ("carrier_late_7d", 38), ("origin_dep_delay_3h", 28))


@pytest.mark.slow
def test_twelve_thousand_requests_with_their_whole_look_back_are_served_as_they_are_trained_on(
    store: OnlineStore,
) -> None:
    weeks = WEEKS[: USE_CASE.lookback_weeks + 2]
    found = compared(store, flights(weeks[-2:]), history(weeks))

    assert found.rows >= 10_000
    assert found.sentence == f"{found.rows * 32:,} values of {found.rows:,} requests compared, none differs."


@pytest.mark.slow
def test_of_twelve_thousand_requests_the_first_that_lacks_a_withheld_event_is_named(store: OnlineStore) -> None:
    weeks = WEEKS[: USE_CASE.lookback_weeks + 2]
    asked = flights(weeks[-2:])
    rows = asked.sort_by("dep_utc").slice(1000, 1)
    (withheld,), (flight,) = encoded(rows, FLIGHTS.key, FLIGHTS), rows.to_pylist()
    first = compared(store, asked, history(weeks), withheld).first

    assert first is not None
    assert first.as_of >= flight["dep_utc"]
    assert str({name: flight[name] for name in FLIGHTS.key}) in first.cause
    assert f"known at {flight['dep_utc'].isoformat()} never reached the online store" in first.cause
