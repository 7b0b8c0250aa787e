"""What may be seen when: the edges of every window, late data, and the golden flight."""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.features import feature_table
from mlops_assets.declare import Last, Mean
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import BY_WHO, NOON, PEOPLE, SHOP, VISITS, minutes, rows, use_case, visit

Week = tuple[pa.Table, dict[str, pa.Table]]


def asked_at_noon(*past: Any, **request: Any) -> dict[str, Any]:
    """The features of one request of Ann's, asked at noon, given these other visits."""
    asked = rows(VISITS, visit(0, **request))
    history = {"visits": rows(VISITS, *past, visit(0, **request)), "people": rows(PEOPLE)}
    (row,) = feature_table(SHOP, asked, history).to_pylist()
    return row


def test_a_value_is_seen_at_the_instant_it_becomes_known() -> None:
    row = asked_at_noon(visit(1, done=0, amount=7))

    assert (row["last_amount"], row["amounts"], row["mean_amount"]) == (7, 7, 7.0)


def test_a_microsecond_later_it_is_not() -> None:
    row = asked_at_noon(visit(1, done=1 / 60e6, amount=7))

    assert (row["last_amount"], row["amounts"], row["mean_amount"]) == (None, 0, None)


def test_a_window_is_open_at_its_start() -> None:
    row = asked_at_noon(visit(1, done=-5, amount=7), visit(2, done=-5 + 1 / 60e6, amount=1))

    assert row["amounts"] == 1


def test_the_last_value_is_forgotten_at_its_age_limit() -> None:
    assert asked_at_noon(visit(1, done=-10, amount=7))["last_amount"] is None
    assert asked_at_noon(visit(1, done=-10 + 1 / 60e6, amount=7))["last_amount"] == 7


def test_a_null_is_passed_over() -> None:
    row = asked_at_noon(visit(1, done=-2, amount=7), visit(2, done=-1, amount=None))

    assert (row["last_amount"], row["mean_amount"]) == (7, 7.0)


def test_a_value_without_an_instant_is_never_known() -> None:
    assert asked_at_noon(visit(1, done=None, amount=7))["last_amount"] is None


def test_late_data_counts_from_when_it_arrived() -> None:
    """A visit long ago whose price was paid just now is the last price known."""
    row = asked_at_noon(visit(1, done=-9, paid=-1, price=2.5), visit(2, done=-1, paid=-3, price=9.0))

    assert row["last_price"] == 2.5


def test_of_two_values_known_at_one_instant_the_last_is_of_the_greatest_key() -> None:
    tied = visit(8, done=-1, amount=8), visit(9, done=-1, amount=-9)

    assert asked_at_noon(*tied)["last_amount"] == asked_at_noon(*tied[::-1])["last_amount"] == -9


def test_a_null_key_gives_null_for_counts_and_sums_too() -> None:
    row = asked_at_noon(visit(1, done=-1, amount=7, who=None), who=None)

    assert (row["amounts"], row["notes"], row["prices"], row["last_amount"], row["shop_visits"]) == (*[None] * 4, 1)


def test_nothing_happened_is_zero_for_counts_and_sums_and_null_for_the_rest() -> None:
    row = asked_at_noon()

    assert (row["notes"], row["amounts"], row["prices"]) == (0, 0, 0.0)
    assert (row["mean_amount"], row["happy_rate"], row["last_amount"], row["colour"]) == (None, None, None, None)


def test_a_declared_missing_value_stands_where_nothing_is_known() -> None:
    filled = (
        Last(name="last_amount", **BY_WHO, column="amount", within=minutes(10), missing=-1),
        Mean(name="mean_price", **BY_WHO, column="price", window=minutes(10), missing=-1.0),
    )
    asked = rows(VISITS, visit(0), visit(1, who=None), visit(2, who="Bob"))
    told = rows(VISITS, visit(5, done=-1, paid=-1, amount=7, price=2.5))
    made = feature_table(use_case(filled), asked, {"visits": told, "people": rows(PEOPLE)})

    assert made["last_amount"].to_pylist() == [7, -1, -1]
    assert made["mean_price"].to_pylist() == [2.5, -1.0, -1.0]


def test_a_value_that_arrived_late_counts_from_its_arrival() -> None:
    """Both were done five minutes before; one was told of only a minute after the question."""
    told = rows(VISITS, visit(1, done=-5, amount=7), visit(2, done=-4, amount=1), visit(3, done=-9, amount=50))
    arrived = pa.array([None, NOON + minutes(1), NOON - minutes(2)], told["done"].type)
    history = {"visits": told.append_column("arrived@done", arrived), "people": rows(PEOPLE)}
    (row,) = feature_table(SHOP, rows(VISITS, visit(0)), history).to_pylist()

    assert (row["last_amount"], row["amounts"], row["mean_amount"]) == (50, 50, 28.5)


def test_a_request_does_not_see_its_own_outcome() -> None:
    row = asked_at_noon(done=3, amount=5, happy=True)

    assert (row["last_amount"], row["shop_visits"], row["happy"]) == (None, 0, True)
    assert (row["label_known_at"] - NOON).total_seconds() == 180


def test_golden_record_ua_779_knows_of_64_minutes_not_of_381(july: Week) -> None:
    """UA 779 on 10 July 2013, aircraft N836UA, asked at 21:05 UTC for a departure at 23:05.

    Of the aircraft's two earlier flights that day the first left 64 minutes late and had landed 91 late. The second,
    scheduled for 18:59, had not left at all: that it would leave 381 and land 396 minutes late, nobody could know.
    """
    requests, history = july
    flight = pc.and_(pc.equal(requests["flight"], 779), pc.equal(requests["day"], 10))
    asked = requests.filter(pc.and_(flight, pc.equal(requests["carrier"], "UA")))
    as_of = asked["asked_utc"][0]
    same_aircraft = history["flights"].filter(pc.equal(history["flights"]["tailnum"], asked["tailnum"][0]))

    (row,) = feature_table(FLIGHT_DELAYS, asked, history).to_pylist()
    naive = same_aircraft.filter(pc.less_equal(same_aircraft["sched_dep_utc"], as_of)).sort_by("sched_dep_utc")

    assert (asked["tailnum"][0].as_py(), row["asked_utc"].isoformat()) == ("N836UA", "2013-07-10T21:05:00+00:00")
    assert (row["tail_last_dep_delay"], row["tail_last_delay"]) == (64, 91)
    assert (naive["dep_delay"].to_pylist()[-1], naive["arr_delay"].to_pylist()[-1]) == (381, 396)
    assert naive["dep_utc"].to_pylist()[-1] == datetime.fromisoformat("2013-07-11T01:20:00+00:00")


def test_no_flight_is_lost_cancelled_and_without_tail_number_included(july: Week) -> None:
    requests, history = july
    made = feature_table(FLIGHT_DELAYS, requests, history)

    key = list(FLIGHT_DELAYS.request_table.key)
    assert made.select(key).equals(requests.select(key).sort_by([(name, "ascending") for name in key]))
    assert pc.sum(requests["cancelled"]).as_py() == 298
    nameless = pc.sum(pc.is_null(requests["tailnum"])).as_py()
    assert nameless > 0
    assert pc.sum(pc.is_null(made["tail_flights_1d"])).as_py() == nameless
    assert made["origin_departures_1h"].null_count == 0
    assert made["late"].null_count == requests["late"].null_count
