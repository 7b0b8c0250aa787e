"""An answer is found in whichever use case's log it is."""

from contextlib import closing
from dataclasses import replace

import pytest

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.serving.predictions import PredictionLog, Unavailable
from mlops_assets.stores.serving.served import served
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import answered, labelled, put


def test_an_answer_is_found_in_each_use_case_that_gave_one(serving: str) -> None:
    assert served(serving, "a") == []
    for name in ("one", "x" * 128):
        with closing(PredictionLog(serving, replace(FLIGHT_DELAYS, name=name))) as log:
            put(log, answered("both"), labelled("both", 0.0), answered(f"of {name[:3]}"))

    assert [found.use_case for found in served(serving, "both")] == ["one", "x" * 128]
    (found,) = served(serving, "of one")
    assert (found.use_case, found.version, found.trained_as, found.label) == ("one", 1, 1, None)
    assert served(serving, "both")[0].label == 0.0
    assert served(serving, "none") == served(serving, "") == served(serving, "x" * 129) == []


def test_a_request_of_several_rows_is_told_by_its_rows(serving: str) -> None:
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
        put(log, *(answered(f"q:{row}", request="q", row=row) for row in range(11)))

    with pytest.raises(DataError, match=r"a request of 11 rows to flight_delays: .* 'q:0' \.\. 'q:10'"):
        served(serving, "q")


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(Unavailable, match="the server must run"):
        served("postgresql://nobody@127.0.0.1:1/none", "a")
