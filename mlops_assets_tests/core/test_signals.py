"""The truth table, whole: every combination of the three signals has one response and a reason."""

from itertools import product

import pytest

from mlops_assets.core.signals import Concept, Data, Prediction, Response, Signals, respond, truth_table

ALL = [Signals(data=d, prediction=p, concept=c) for d, p, c in product(Data, Prediction, Concept)]


def response(data: Data, prediction: Prediction, concept: Concept) -> Response:
    return respond(Signals(data=data, prediction=prediction, concept=concept)).response


def test_the_table_is_whole_and_gives_a_reason_for_each() -> None:
    rows = truth_table()
    assert len(rows) == len(ALL) == len({(row["data"], row["prediction"], row["concept"]) for row in rows}) == 60
    assert all(row["reason"] and row["response"] in {r.value for r in Response} for row in rows)


@pytest.mark.parametrize("signals", [s for s in ALL if s.data is Data.FAULT])
def test_a_broken_feed_is_mended_before_anything_is_concluded(signals: Signals) -> None:
    assert respond(signals).response is Response.CHECK_FEED


@pytest.mark.parametrize("signals", ALL)
def test_only_proven_trouble_retrains(signals: Signals) -> None:
    if respond(signals).response is Response.RETRAIN:
        assert signals.concept is Concept.DRIFT or (signals.data is Data.ACT and signals.concept is not Concept.OK)


@pytest.mark.parametrize("signals", [s for s in ALL if s.concept is Concept.OK])
def test_a_model_that_is_still_right_is_never_retrained(signals: Signals) -> None:
    assert respond(signals).response in (Response.NOTHING, Response.WATCH, Response.CHECK_FEED)


def test_the_corners() -> None:
    assert response(Data.QUIET, Prediction.STABLE, Concept.OK) is Response.NOTHING
    assert response(Data.QUIET, Prediction.STABLE, Concept.DRIFT) is Response.RETRAIN
    assert response(Data.ACT, Prediction.DRIFT, Concept.DRIFT) is Response.RETRAIN
    assert response(Data.ACT, Prediction.DRIFT, Concept.OK) is Response.WATCH
    assert response(Data.ACT, Prediction.STABLE, Concept.UNKNOWN) is Response.RETRAIN
    assert response(Data.QUIET, Prediction.DRIFT, Concept.DRIFT) is Response.ROLL_BACK
    assert response(Data.QUIET, Prediction.DRIFT, Concept.OK) is Response.WATCH
    assert response(Data.UNKNOWN, Prediction.UNKNOWN, Concept.UNKNOWN) is Response.WATCH
