"""Which columns are watched, and what fills them."""

from mlops_assets.core.reference import PREDICTION, monitored
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS


def test_a_watched_column_names_the_join_that_fills_it_and_the_requests_own_columns_have_none() -> None:
    feeds = {column.name: column.feed for column in monitored(FLIGHT_DELAYS)}

    assert feeds["plane_year"] == feeds["plane_seats"] == "planes by tailnum"
    assert feeds["carrier_origin_dep_delay_3h"] == "flights by carrier, origin"
    assert feeds["distance"] == feeds[PREDICTION] == ""
