"""Skew in words: how much differs, which request first, and why."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets.core.features import feature_table
from mlops_assets.core.online import MemoryStore, OnlineFeatures, reaches
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.online.skew import Skew, projected, served_skew, skew
from mlops_assets.declare import DataError
from mlops_assets_tests.core.features.worlds import NOON, PEOPLE, SHOP, VISITS, minutes, rows, visit

ASKED = rows(VISITS, visit(90, asked=1), visit(91, asked=0), visit(92, asked=2, who=None))
PAST = visit(1, done=-4, amount=7, happy=True), visit(2, done=-1, amount=3), visit(3, paid=-2, price=1.5)
RED = {"name": "Ann", "since": 1, "colour": "red"}
FIRST = "request {'shop': 'a', 'number': 91} asked at 2013-07-10T12:00:00+00:00"


def history(*past: Any, facts: tuple[Any, ...] = (RED,)) -> dict[str, pa.Table]:
    return {"visits": rows(VISITS, *past), "people": rows(PEOPLE, *facts)}


TRUTH = history(*PAST)


def judged(store: MemoryStore, truth: dict[str, pa.Table] = TRUTH) -> Skew:
    """What is served from the store against the feature table of this history."""
    return served_skew(SHOP, feature_table(SHOP, ASKED, truth), ASKED, truth, store)


def cause(found: Skew) -> str:
    assert found.first is not None
    return found.first.cause


def test_equal_tables_are_said_to_be_equal() -> None:
    found = judged(projected(SHOP, TRUTH))

    assert found == Skew(rows=3, features=14, compared=42)
    assert found.sentence == "42 values of 3 requests compared, none differs."
    assert found.judged


def test_a_withheld_event_is_named_with_the_first_request_asked_and_both_values() -> None:
    found = judged(projected(SHOP, history(PAST[0], PAST[2])))

    assert found.sentence == (
        f"9 of 42 values differ, in 3 of 3 requests; first: {FIRST}, last_amount is 3 in the feature table and 7 "
        "served. Likely cause: the event of visits {'shop': 'a', 'number': 2} known at 2013-07-10T11:59:00+00:00 never "
        "reached the online store: materialize online_features for its week."
    )
    assert (found.values_differ, found.rows_differ) == (9, 3)
    assert dict(found.by_feature) == {"shop_visits": 3, "last_amount": 2, "amounts": 2, "mean_amount": 2}


def test_a_withheld_fact_is_named_without_an_instant() -> None:
    found = judged(projected(SHOP, history(*PAST, facts=())))

    assert found.by_feature == (("colour", 2),)
    assert cause(found).startswith("the event of people {'name': 'Ann', 'since': 1} known always never reached the onl")


def test_an_event_that_came_after_it_was_served_is_late() -> None:
    arrived = pa.array([None, NOON + minutes(3), None], pa.timestamp("us", "UTC"))
    late = TRUTH | {"visits": TRUTH["visits"].append_column("arrived@done", arrived)}

    assert cause(judged(projected(SHOP, late))) == (
        "late event: the event of visits {'shop': 'a', 'number': 2} known at 2013-07-10T11:59:00+00:00 arrived at "
        "2013-07-10T12:03:00+00:00, after it was asked"
    )


def test_a_feature_table_made_before_an_event_was_known_to_be_late_is_to_be_made_anew() -> None:
    arrived = pa.array([None, NOON + minutes(3), None], pa.timestamp("us", "UTC"))
    late = TRUTH | {"visits": TRUTH["visits"].append_column("arrived@done", arrived)}
    found = served_skew(SHOP, feature_table(SHOP, ASKED, TRUTH), ASKED, late, projected(SHOP, late))

    assert cause(found) == (
        "late event: the event of visits {'shop': 'a', 'number': 2} known at 2013-07-10T11:59:00+00:00 arrived after "
        "it was asked: was the feature table made before that was known? materialize it anew"
    )


def test_an_event_that_the_history_lacks_was_corrected_or_withdrawn() -> None:
    assert cause(judged(projected(SHOP, TRUTH), history(PAST[0], PAST[2]))) == (
        "the online store has an event that the validated history lacks, the event of visits {'shop': 'a', 'number': "
        "2} known at 2013-07-10T11:59:00+00:00: was the week corrected or withdrawn since? materialize online_features "
        "anew"
    )


@pytest.mark.parametrize(
    ("corrected", "said"),
    [
        (visit(2, done=-1, amount=4), "number': 2} known at 2013-07-10T11:59:00+00:00 has another value in the online"),
        (visit(2, done=-6, amount=3), "the online store has an event that the validated history lacks, the event of "),
        (visit(2, done=-0.5, amount=4), "known at 2013-07-10T11:59:30+00:00 is known at 2013-07-10T11:59:00+00:00 in"),
    ],
    ids=["value", "earlier", "later"],
)
def test_a_correction_that_did_not_reach_the_store_is_told(corrected: Any, said: str) -> None:
    found = judged(projected(SHOP, TRUTH), history(PAST[0], corrected, PAST[2]))

    assert said in cause(found)
    assert cause(found).endswith("was the week corrected or withdrawn since? materialize online_features anew")


def served_otherwise(name: str, value: Any, store: MemoryStore | None = None) -> Skew:
    """Skew of a served table in which one feature of all requests is altered."""
    online = store or projected(SHOP, TRUTH)
    served = OnlineFeatures(SHOP, projected(SHOP, TRUTH)).table(ASKED)
    other = pa.array([value] * 3, served.schema.field(name).type)
    served = served.set_column(served.column_names.index(name), name, other)
    return skew(SHOP, feature_table(SHOP, ASKED, TRUTH), served, TRUTH, online, asked=ASKED)


def test_the_same_events_with_another_value_point_to_the_declaration() -> None:
    assert cause(served_otherwise("amounts", 99)) == (
        "the same events give another value: was the declaration or a function changed since it was served?"
    )


def test_a_value_of_the_request_alone_points_to_its_function() -> None:
    assert cause(served_otherwise("twice", 5)).startswith("it is computed from the request alone: was the declaration")


def test_null_and_zero_differ() -> None:
    found = served_otherwise("notes", None)

    assert found.first is not None
    assert (found.first.trained, found.first.served, found.values_differ) == (0, None, 2)


def test_history_that_was_pruned_since_is_the_cause() -> None:
    store = projected(SHOP, TRUTH)
    store.prune(instant_us(NOON + minutes(60)), reaches(SHOP))

    assert cause(served_otherwise("amounts", 99, store)) == (
        "pruned history: the online store answers questions since 2013-07-10T13:00:00+00:00 only"
    )


def test_questions_older_than_the_kept_history_are_not_judged() -> None:
    store = projected(SHOP, TRUTH)
    store.prune(instant_us(NOON + minutes(1)), reaches(SHOP))
    found = judged(store)

    assert (found.judged, found.compared, found.first) == (False, 0, None)
    assert found.sentence == (
        "Nothing was compared: the online store keeps history only since 2013-07-10T12:01:00+00:00, and requests were "
        "asked before."
    )


@pytest.mark.parametrize(
    ("served", "trained", "said"),
    [
        (slice(0, 1), slice(0, 3), "it is in the feature table and was not served"),
        (slice(0, 3), slice(0, 1), "it is served and not in the feature table"),
    ],
)
def test_a_request_on_one_side_only_differs_in_every_value(served: slice, trained: slice, said: str) -> None:
    made, online = feature_table(SHOP, ASKED, TRUTH), OnlineFeatures(SHOP, projected(SHOP, TRUTH))
    found = skew(SHOP, made[trained], online.table(ASKED)[served], TRUTH, projected(SHOP, TRUTH), asked=ASKED)

    assert (found.rows, found.compared, found.rows_differ, found.values_differ) == (3, 42, 2, 28)
    assert found.sentence == f"28 of 42 values differ, in 2 of 3 requests; first: {FIRST}. Likely cause: {said}."


def test_a_request_asked_at_another_instant_is_another_request() -> None:
    moved = ASKED.set_column(
        ASKED.column_names.index("asked"), "asked", pc.add(ASKED["asked"], pa.scalar(minutes(1), pa.duration("us")))
    )
    served = OnlineFeatures(SHOP, projected(SHOP, TRUTH)).table(moved)
    found = skew(SHOP, feature_table(SHOP, ASKED, TRUTH), served, TRUTH, MemoryStore(), asked=ASKED)

    assert (found.rows, found.rows_differ) == (6, 6)


def test_a_value_of_another_type_differs() -> None:
    served = OnlineFeatures(SHOP, projected(SHOP, TRUTH)).table(ASKED)
    place = served.column_names.index("amounts")
    served = served.set_column(place, "amounts", served["amounts"].cast(pa.float64()))
    found = skew(SHOP, feature_table(SHOP, ASKED, TRUTH), served, TRUTH, MemoryStore(), asked=ASKED)

    assert found.by_feature == (("amounts", 3),)
    assert cause(found) == "it is int64 in the feature table and double served: was the declaration changed?"


def test_a_table_without_a_feature_or_with_a_request_twice_is_refused() -> None:
    made, store = feature_table(SHOP, ASKED, TRUTH), projected(SHOP, TRUTH)
    served = OnlineFeatures(SHOP, store).table(ASKED)

    with pytest.raises(DataError, match=r"shop: the served table lacks \['notes', 'happy_rate'\]: make it anew"):
        skew(SHOP, made, served.drop_columns(["notes", "happy_rate"]), TRUTH, store, asked=ASKED)
    with pytest.raises(DataError, match="shop: the feature table holds 3 requests too many of one"):
        skew(SHOP, pa.concat_tables([made, made]), served, TRUTH, store, asked=ASKED)


def test_a_history_without_a_table_that_features_read_is_refused() -> None:
    with pytest.raises(DataError, match=r"shop\.history\['people'\] is missing, there is \['visits'\]"):
        projected(SHOP, {"visits": TRUTH["visits"]})


def test_no_requests_do_not_differ() -> None:
    none = ASKED.slice(0, 0)
    found = served_skew(SHOP, feature_table(SHOP, none, TRUTH), none, TRUTH, projected(SHOP, TRUTH))

    assert found.sentence == "0 values of 0 requests compared, none differs."
