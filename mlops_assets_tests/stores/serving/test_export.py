"""A week's predictions leave the log as one table; only what left it is forgotten."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pytest

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.versions import table_version
from mlops_assets.declare import Kind
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.serving.export import COLUMNS, feature_columns, table_of
from mlops_assets.stores.serving.predictions import Failed, PredictionLog
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import AS_OF, AS_OF_US, ROLLOUT, answered, labelled, mirrored, put

WEEK, NEXT = "2013-07-01", "2013-07-08"
BEGINS, ENDS = (instant_us(moment) for moment in FLIGHT_DELAYS.partitions.bounds(WEEK))


@pytest.fixture
def log(serving: str) -> Iterator[PredictionLog]:
    """An empty log."""
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
        yield log


def test_a_row_holds_the_answer_and_all_that_became_known_of_it(log: PredictionLog) -> None:
    features = '{"carrier":"UA","distance":719,"tail_delay_7d":0.1,"precip":null,"gone":1}'
    put(log, answered("a", features=features, bad="slow"), mirrored("a", score=0.5), labelled("a"))
    table = log.export(WEEK).table

    (row,) = table.to_pylist()
    told = {
        "id": "a", "as_of": AS_OF, "version": 1, "arm": "champion", "stage": "CANARY", "share": 0.05, "score": 0.25,
        "status": "ok", "bad": "slow", "mirrored_version": 2, "mirrored_score": 0.5, "label": 1.0, "latency_us": 300,
        "carrier": "UA", "distance": 719, "tail_delay_7d": 0.1, "precip": None, "temp": None,
    }  # fmt: skip
    assert {name: row[name] for name in told} == told
    assert table.column_names == [*COLUMNS, *(feature.name for feature in FLIGHT_DELAYS.features)]
    assert table.schema.field("distance").type == pa.int64()
    assert table.schema.field("precip").type == pa.float64()


def test_a_week_is_of_calendar_days_where_the_use_case_lives(log: PredictionLog) -> None:
    put(log, *(answered(id, as_of_us=at) for id, at in
               [("before", BEGINS - 1), ("first", BEGINS), ("last", ENDS - 1), ("after", ENDS)]))  # fmt: skip

    assert log.export(WEEK).table["id"].to_pylist() == ["first", "last"]
    assert log.export(NEXT).table["id"].to_pylist() == ["after"]
    assert log.export("2013-07-15").table.num_rows == 0
    assert log.export("2013-07-15").table.schema == log.export(WEEK).table.schema


@pytest.mark.parametrize("week", ["2013-07-02", "next week", "../../etc", ""])
def test_a_week_that_is_none_is_refused(log: PredictionLog, week: str) -> None:
    with pytest.raises(DataError, match="must be a Monday"):
        log.export(week)


def test_the_same_predictions_give_the_same_data_version_whatever_came_first(serving: str) -> None:
    answers = [answered(f"r{n}", as_of_us=AS_OF_US + n // 3, version=1 + n % 2) for n in range(30)]
    records = [*answers, *(mirrored(f"r{n}") for n in range(20)), *(labelled(f"r{n}") for n in range(10, 30))]
    versions = set()
    for number in range(3):
        random.Random(number).shuffle(records)
        case = replace(FLIGHT_DELAYS, name=f"log{number}")
        with closing(PredictionLog(serving, case)) as log:
            for at in range(0, len(records), 7):
                put(log, *records[at : at + 7])
            table = log.export(WEEK).table
            order = [(row["as_of"], row["id"]) for row in table.to_pylist()]
            assert order == sorted(order) and len(order) == 30
            versions.add(table_version(table))

    assert len(versions) == 1


def test_a_value_that_is_not_of_its_features_kind_is_told(log: PredictionLog) -> None:
    put(log, answered("a"), answered("b", features='{"distance":"far"}'))

    with pytest.raises(DataError, match=r"prediction 'b': features\.distance == 'far', must be int"):
        log.export(WEEK)


def test_a_feature_that_has_the_name_of_a_column_of_the_log_gets_another() -> None:
    (origin,) = (feature for feature in FLIGHT_DELAYS.features if feature.name == "origin")
    case = replace(FLIGHT_DELAYS, features=(*FLIGHT_DELAYS.features, replace(origin, name="score")))
    table = table_of(case, [])

    assert feature_columns(case)["score"] == "feature_score" and feature_columns(case)["origin"] == "origin"
    assert table.column_names[-1] == "feature_score" and case.kind_of(origin) is Kind.STRING


def test_only_a_week_that_was_exported_whole_is_forgotten(log: PredictionLog) -> None:
    put(log, answered("a"), mirrored("a"), labelled("a"), answered("its label comes late"))
    put(log, answered("next", as_of_us=ENDS), Failed(request="x", status_code=400, reason="", at_us=BEGINS))
    assert log.forget(ENDS + 1) == 0 and log.answered("a") is not None
    assert log.failed(0) == {}

    for late in (labelled("its label comes late"), mirrored("its label comes late"), answered("late")):
        log.note_export(WEEK, log.export(WEEK), "0f1a")
        put(log, late)
        assert log.forget(ENDS) == 0
    log.note_export(WEEK, log.export(WEEK), "0f1b")
    assert log.forget(ENDS - 1) == 0
    assert log.forget(ENDS) == 3

    assert log.answered("a") is None and log.label_of("a") is None
    assert log.answered("next") is not None and log.export(NEXT).table.num_rows == 1


def test_a_week_that_was_forgotten_is_not_exported_as_an_empty_one(log: PredictionLog) -> None:
    put(log, answered("a"))
    before = log.export(WEEK)
    log.note_export(WEEK, before, "0f1a")
    log.forget(ENDS)
    put(log, answered("late"))

    with pytest.raises(DataError, match="week 2013-07-01 was forgotten after it was exported as 0f1a, which stands"):
        log.export(WEEK)
    log.note_export(WEEK, before, "0f1b")
    with pytest.raises(DataError, match="exported as 0f1a, which stands"):
        log.export(WEEK)
    assert log.forget(ENDS) == 0 and log.answered("late") is not None


def test_a_cursor_goes_on_after_everything_was_forgotten(log: PredictionLog) -> None:
    put(log, *(answered(f"r{n}") for n in range(5)))
    cursor = log.since(None, 100, rollout=ROLLOUT, block=None).cursor
    log.note_export(WEEK, log.export(WEEK), "0f1a")
    assert log.forget(ENDS) == 5 and log.end() == cursor

    put(log, answered("new"))
    batch = log.since(cursor, 100, rollout=ROLLOUT, block=None)
    assert len(batch.seen) == 1 and batch.cursor == cursor + 1


def test_very_many_are_forgotten_in_pieces(log: PredictionLog) -> None:
    put(log, *(answered(f"r{n}") for n in range(2_500)))
    log.note_export(WEEK, log.export(WEEK), "0f1a")

    assert log.forget(ENDS) == 2_500
