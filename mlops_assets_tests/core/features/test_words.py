"""Features in words."""

from mlops_assets.core.features import describe
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.worlds import SHOP

FLIGHTS = {f.name: f for f in FLIGHT_DELAYS.features}
VISITS = {f.name: f for f in SHOP.features}


def test_a_window_says_what_over_which_time_and_known_when() -> None:
    assert describe(FLIGHT_DELAYS, FLIGHTS["carrier_origin_dep_delay_3h"]) == (
        "Mean of dep_delay in flights with the same carrier and origin, over what became known (at dep_utc) in the "
        "3 hours up to asked_utc; empty when nothing did, in min."
    )
    assert describe(SHOP, VISITS["amounts"]).startswith("Sum of amount in visits with the same who, over what became")
    assert "0 when nothing did" in describe(FLIGHT_DELAYS, FLIGHTS["tail_flights_1d"])


def test_a_last_value_opens_with_its_own_words_and_says_its_age() -> None:
    assert describe(FLIGHT_DELAYS, FLIGHTS["tail_last_delay"]) == (
        "arrival delay of the aircraft's last flight known by then: the last arr_delay in flights with the same "
        "tailnum, known (at outcome_utc) in the day up to asked_utc, in min."
    )
    assert describe(SHOP, VISITS["colour"]) == (
        "The colour in people with the same name as the request's who, a fact known always."
    )


def test_a_row_feature_says_its_rule() -> None:
    assert describe(SHOP, VISITS["twice"]) == "From the request's own size when asked (at asked): twice the size."


def test_every_declared_feature_has_one_sentence_of_its_own() -> None:
    sentences = [describe(FLIGHT_DELAYS, f) for f in FLIGHT_DELAYS.features]

    assert len(set(sentences)) == len(sentences)
    assert all(s.endswith(".") and "\n" not in s for s in sentences)
