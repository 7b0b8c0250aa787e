"""What becomes known comes in once: by event or by file, in any order, however often a process is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.features import feature_table
from mlops_assets.core.online import MemoryStore, OnlineFeatures, OnlineStore, changes
from mlops_assets.core.online.ordered import moment
from mlops_assets.declare import DataError
from mlops_assets.stores.crashpoints import VARIABLE
from mlops_assets.stores.journal import Journal
from mlops_assets.stores.write_path import WritePath
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import PEOPLE, rows, visit
from mlops_assets_tests.core.validation.departures import AIRPORTS, ARRIVED, DEPARTURE, TIMETABLE
from mlops_assets_tests.stores.shop import (
    COUNT,
    DAILY,
    SHOP,
    WEEK,
    at,
    content,
    event,
    land,
    opened,
    validated,
    visits,
)

Row = dict[str, Any]
Opened = tuple[WritePath, Journal, OnlineStore]
ALL = ("always", "done", "paid")


@pytest.fixture
def way(tmp_path: Path) -> Iterator[WritePath]:
    with opened(tmp_path) as (write_path, _, _):
        yield write_path


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Opened]:
    with opened(tmp_path) as everything:
        yield everything


def projected(*tables: pa.Table) -> dict[tuple[str, bytes], Any]:
    """What an online store holds that was made from these rows alone."""
    store = MemoryStore()
    for table in tables:
        store.apply(changes(SHOP, DAILY, table))
    return content(store)


FULL = visit(1, 0, 5, 9, amount=3, happy=True, price=2.5, note="x")


# --- outcomes ------------------------------------------------------------------------------------------------------


def test_every_event_is_accepted_known_already_or_quarantined_in_the_order_in_which_they_came(way: WritePath) -> None:
    told = [event(FULL, "always"), {"shop": "a"}, event(FULL, "always"), event(FULL, "done", "paid"),
            event(FULL, "done") | {"amount": 4}]  # fmt: skip

    assert [(o.status, o.reason) for o in way.accept("visits", told, at(0))] == [
        ("accepted", ""),
        ("quarantined", "number is missing: an event names its row by ['shop', 'number']"),
        ("duplicate", ""),
        ("accepted", ""),
        ("quarantined", "amount is told as 4, but was 3 before: what was told once stands"),
    ]


@pytest.mark.parametrize("key", [None, float("nan"), True, "1", 2**63])
def test_a_key_that_names_no_row_is_quarantined(way: WritePath, key: object) -> None:
    (outcome,) = way.accept("visits", [event(FULL, "always") | {"number": key}], at(0))

    assert outcome.status == "quarantined"
    assert outcome.reason.startswith("number ")


def test_an_event_that_no_database_takes_as_text_is_quarantined_with_the_others_accepted(way: WritePath) -> None:
    strange = [event(FULL, "always") | more for more in ({"\ud800": 1}, {"who": "\ud800"}, {"who": "\0"})]

    outcomes = way.accept("visits", [*strange, event(FULL, "always")], at(0))
    assert [o.status for o in outcomes] == ["quarantined"] * 3 + ["accepted"]


def test_quarantined_events_keep_their_reasons_and_repeats_are_counted(shop: Opened) -> None:
    way, journal, _ = shop
    wrong = event(FULL, "always") | {"size": None}
    for minute in (1, 2):
        way.accept("visits", [wrong, wrong | {"number": 2}][: 3 - minute], at(minute))

    first, second = journal.refused()
    assert (first.table, first.times, first.arrived) == ("visits", 2, at(1))
    assert first.reasons == "size must not be null"
    assert first.given["number"] == 1
    assert (second.times, second.given["number"]) == (1, 2)


def test_before_zones_can_be_looked_up_an_event_that_needs_them_is_refused_in_words(tmp_path: Path) -> None:
    journal, store = Journal(tmp_path / "journal.db"), MemoryStore()
    early = WritePath(FLIGHT_DELAYS, journal, store)

    with pytest.raises(DataError, match=r"time zones are read from \['airports'\], of which no week is validated"):
        early.accept("flights", [TIMETABLE], ARRIVED)
    assert journal.last_arrival() is None


def test_events_of_a_table_without_zones_bring_those_online_that_a_killed_one_left_behind(tmp_path: Path) -> None:
    journal, store = Journal(tmp_path / "journal.db"), MemoryStore()
    way = WritePath(FLIGHT_DELAYS, journal, store, lambda: AIRPORTS)
    way.accept("flights", [TIMETABLE, DEPARTURE], ARRIVED)
    after = MemoryStore()
    wind = {"origin": "EWR", "year": 2013, "month": 1, "day": 8, "hour": 5, "time_hour": "2013-01-08T10:00:00+00:00"}

    (outcome,) = WritePath(FLIGHT_DELAYS, journal, after, lambda: AIRPORTS).accept("weather", [wind], ARRIVED)
    assert outcome.status == "accepted"
    assert after.entries() == store.entries() > 0


# --- once ----------------------------------------------------------------------------------------------------------


def test_the_same_event_three_times_counts_once(shop: Opened) -> None:
    way, journal, store = shop
    (first,) = way.accept("visits", [event(FULL, *ALL)], at(0))
    once = content(store)
    again = way.accept("visits", [event(FULL, *ALL)] * 2, at(1))

    assert (first.status, [o.status for o in again]) == ("accepted", ["duplicate"] * 2)
    assert content(store) == once == projected(validated(journal))


def test_by_event_and_then_by_file_it_counts_once(shop: Opened) -> None:
    way, journal, store = shop
    way.accept("visits", [event(FULL, *ALL)], at(7))
    once = content(store)
    land(way, validated(journal, FULL))

    assert content(store) == once
    (outcome,) = way.accept("visits", [event(FULL, *ALL)], at(8))
    assert outcome.status == "duplicate"


def test_by_file_and_then_by_event_it_counts_once(shop: Opened) -> None:
    way, journal, store = shop
    land(way, validated(journal, FULL))
    once = content(store)
    outcomes = way.accept(
        "visits", [event(FULL, *ALL), event(FULL, "done"), event(FULL, "done") | {"amount": 9}], at(9)
    )

    assert [o.status for o in outcomes] == ["duplicate", "duplicate", "quarantined"]
    assert content(store) == once


def test_a_week_validated_half_way_leaves_open_what_was_not_told_yet(shop: Opened) -> None:
    way, journal, store = shop
    way.accept("visits", [event(FULL, "always")], at(0))
    first = validated(journal)
    land(way, first)
    (outcome,) = way.accept("visits", [event(FULL, "done", "paid")], at(9))

    assert outcome.status == "accepted"
    land(way, validated(journal), first)
    assert content(store) == projected(validated(journal))


def test_a_file_tells_the_rest_of_a_row_that_an_event_began(shop: Opened) -> None:
    way, journal, _ = shop
    way.accept("visits", [event(FULL, "always")], at(0))
    land(way, validated(journal, FULL))
    outcomes = way.accept("visits", [event(FULL, "done"), event(FULL, "paid") | {"note": "y"}], at(9))

    assert [o.status for o in outcomes] == ["duplicate", "quarantined"]


def test_a_file_validated_before_an_event_of_its_rows_came_is_refused_before_anything_counts_twice(
    shop: Opened,
) -> None:
    way, journal, store = shop
    before = validated(journal, FULL)
    way.accept("visits", [event(FULL, *ALL)], at(7))
    once = content(store)

    with pytest.raises(DataError, match=r"after the week was validated\. Materialize raw_data and validated_dataset"):
        land(way, before)
    assert content(store) == once
    land(way, validated(journal, FULL))
    assert content(store) == once


def test_after_a_corrected_week_the_store_is_that_of_the_corrected_week_alone(shop: Opened) -> None:
    way, journal, store = shop
    way.accept("visits", [event(visits()[0], "always", "done")], at(5))
    old = validated(journal, *visits())
    land(way, old)
    new = [visits()[0] | {"price": 99.0}, visits()[1] | {"amount": -5}, *visits()[3:]]
    corrected = validated(journal, *new)
    land(way, corrected, old)

    assert content(store) == projected(corrected)
    outcomes = way.accept("visits", [event(row, "paid") for row in (new[0], visits()[0])], at(50))
    assert [o.status for o in outcomes] == ["duplicate", "quarantined"]
    (outcome,) = way.accept("visits", [event(visits()[2], *ALL)], at(50))
    assert outcome.status == "accepted"
    assert content(store) != projected(corrected)


# --- time ----------------------------------------------------------------------------------------------------------


def test_an_arrival_never_runs_backwards(shop: Opened) -> None:
    way, journal, _ = shop
    way.accept("visits", [event(FULL, "always")], at(10))
    way.accept("visits", [event(FULL, "done", "paid")], at(3))

    (row,) = validated(journal).to_pylist()
    assert row["arrived@always"] == row["arrived@done"] == moment(at(10))


def test_a_value_that_arrives_after_the_question_is_not_seen_by_it(shop: Opened) -> None:
    way, journal, store = shop
    land(way, validated(journal, FULL))
    asked = rows(DAILY, *(visit(90 + n, minute) for n, minute in enumerate((5, 6, 7, 8))))
    late = visit(2, 0, 4, amount=100)
    before = OnlineFeatures(SHOP, store).table(asked)
    way.accept("visits", [event(late, "always", "done")], at(7))
    served = OnlineFeatures(SHOP, store).table(asked)

    assert served.slice(0, 2).equals(before.slice(0, 2))
    assert served["amounts"].to_pylist() == [3, 3, 103, 103]
    history = {"visits": validated(journal, FULL), "people": rows(PEOPLE)}
    offline = feature_table(SHOP, asked, history)
    assert [offline[f.name].to_pylist() for f in SHOP.features] == [served[f.name].to_pylist() for f in SHOP.features]


MOMENT = st.integers(-6, 20)
TOLD = st.fixed_dictionaries({
    "who": st.sampled_from(["Ann", "Bob", None]), "shop": st.sampled_from(["a", "é"]), "asked": st.integers(-6, 6),
    "takes": st.none() | st.integers(1, 8), "pays": st.none() | st.integers(1, 8),
    "amount": st.none() | st.integers(-3, 3), "happy": st.none() | st.booleans(),
    "price": st.none() | st.integers(-300, 300).map(lambda n: n / 100), "note": st.none() | st.just("x"),
    "groups": st.sampled_from([("always",), ("always", "done"), ("always", "paid"), ALL]),
    "arrive": st.tuples(MOMENT, MOMENT, MOMENT), "landed": st.booleans(),
})  # fmt: skip


def as_visit(number: int, drawn: Row) -> Row:
    asked = drawn["asked"]
    done, paid = (None if drawn[name] is None else asked + drawn[name] for name in ("takes", "pays"))
    values = {name: drawn[name] for name in ("who", "shop", "amount", "happy", "price", "note")}
    return visit(number, asked, done, paid, **values)


@settings(max_examples=30, deadline=None)
@given(st.lists(TOLD, max_size=6), st.lists(MOMENT, min_size=1, max_size=5), st.booleans())
def test_offline_and_online_agree_whatever_comes_by_event_or_file_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Row], questions: list[int], twice: bool
) -> None:
    told = [(as_visit(number, one), one) for number, one in enumerate(drawn)]
    events = sorted(
        ((minute, number, group) for number, (_, one) in enumerate(told)
         for group, minute in zip(one["groups"], sorted(one["arrive"]), strict=False)),
        key=lambda e: e[0],
    )  # fmt: skip
    asked = rows(DAILY, *(visit(90 + n, minute, who=("Ann", "Bob")[n % 2]) for n, minute in enumerate(questions)))
    with opened(tmp_path_factory.mktemp("shop")) as (way, journal, store):
        corrected = None
        for minute, number, group in events:
            outcomes = way.accept("visits", [event(told[number][0], group)] * 2, at(minute))
            assert [o.status for o in outcomes] == ["accepted", "duplicate"]
            if twice and number == 0:
                half = validated(journal)
                land(way, half, corrected)
                corrected = half
        table = validated(journal, *(row for row, one in told if one["landed"]))
        land(way, table, corrected)

        served = OnlineFeatures(SHOP, store).table(asked)
        offline = feature_table(SHOP, asked, {"visits": table, "people": rows(PEOPLE)})
        assert content(store) == projected(table)
        for feature in SHOP.features:
            assert served[feature.name].to_pylist() == offline[feature.name].to_pylist()


# --- kills and crowds ----------------------------------------------------------------------------------------------


def program(folder: Path, *what: object, crash_at: str = "") -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "mlops_assets_tests.stores.shop", folder, *what]
    return subprocess.Popen(
        list(map(str, arguments)), stdout=subprocess.PIPE, text=True, env=os.environ | {VARIABLE: crash_at}
    )


def unharmed(folder: Path, last: int) -> dict[tuple[str, bytes], Any]:
    """The store after the program's events, when no one is killed."""
    folder.mkdir()
    with opened(folder) as (way, _, store):
        for number in range(last):
            for groups in (("always",), ("done", "paid")):
                way.accept("visits", [event(visits()[number], *groups)], at(number + 2 * len(groups)))
        return content(store)


@pytest.mark.parametrize("point", ["journal.written", "journal.kept", "online.rewritten", "online.committed"])
def test_killed_while_an_event_is_taken_no_acknowledged_one_is_missing_and_the_next_completes_it(
    tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    killed = program(folder, "tell", 0, 4, crash_at=f"{point}:4")
    said, _ = killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    with opened(folder) as (way, journal, _):
        acknowledged = [
            event(visits()[number // 2], *(("always",), ("done", "paid"))[number % 2]) for number in range(3)
        ]
        assert said.split() == ["0", "accepted", "0", "accepted", "1", "accepted"]
        assert [o.status for o in way.accept("visits", acknowledged, at(4))] == ["duplicate"] * 3
        durable = len(journal.told("visits", WEEK)[1].told.arrived) == 3
        assert durable == (point != "journal.written")
    assert program(folder, "tell", 1, 4).wait() == 0

    with opened(folder) as (_, _, store):
        assert content(store) == unharmed(tmp_path / "unharmed", 4)


@pytest.mark.parametrize("point", ["online.chunk:1", "online.chunk:2", "online.rewritten:3", "online.committed:1"])
def test_killed_while_a_week_lands_the_same_again_does_what_is_left(tmp_path: Path, point: str) -> None:
    assert program(tmp_path, "tell", 0, 2).wait() == 0
    killed = program(tmp_path, "land", crash_at=point)
    assert killed.wait() == -signal.SIGKILL
    with opened(tmp_path) as (_, journal, store):
        whole = projected(validated(journal, *visits()))
        assert content(store) != whole
        assert store.note("landed") is None
    assert program(tmp_path, "land").wait() == 0

    with opened(tmp_path) as (_, _, store):
        assert content(store) == whole
        assert store.note("landed") == WEEK


def test_two_processes_that_tell_at_once_lose_nothing(tmp_path: Path) -> None:
    with opened(tmp_path):
        both = [program(tmp_path, "tell", *span) for span in ((0, 8), (4, COUNT))]
    said = [process.communicate()[0].split()[1::2] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    everything = [*said[0], *said[1]]
    assert (everything.count("accepted"), everything.count("duplicate")) == (2 * COUNT, 2 * 4)
    with opened(tmp_path) as (_, journal, store):
        assert content(store) == projected(validated(journal))
        assert len(journal.told("visits", WEEK)) == COUNT
