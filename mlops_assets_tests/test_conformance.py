"""The battery holds for the flights, and catches an engine that breaks each of its laws."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_assets import conformance
from mlops_assets.conformance import ConformanceError, battery
from mlops_assets.core.features import feature_table
from mlops_assets.declare import DataError, UseCase
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.conftest import week_and_history
from mlops_assets_tests.core.features.worlds import PEOPLE, SHOP, VISITS, rows, visit

Engine = Callable[..., pa.Table]
WORLD = rows(VISITS, *(visit(n, asked=n, done=n + 2, paid=n + 3, amount=n * n, note=f"{n}") for n in range(12)))
HISTORY = {"visits": WORLD, "people": rows(PEOPLE, {"name": "Ann", "since": 1, "colour": "red"})}


def test_the_flights_keep_every_law() -> None:
    """A week whose look-back holds the change to summer time."""
    requests, history = week_and_history("2013-03-11")

    proofs = battery(FLIGHT_DELAYS, requests, history, sample=25)

    assert [proof.law for proof in proofs] == [
        "no request is lost and none doubled",
        "row order, chunks and threads change nothing",
        "native equals portable",
        "what is not yet known changes nothing",
        "the naive engine agrees",
        "what is served is what is trained on",
    ]
    assert all(proof.compared > 500 for proof in proofs)


def test_every_instant_of_a_small_world_is_blind_to_its_future() -> None:
    assert conformance.future_blind(SHOP, WORLD, HISTORY, cuts=99).compared > 0
    assert str(conformance.naive_agrees(SHOP, WORLD, HISTORY)) == (
        "the naive engine agrees: 192 values compared, none differs"
    )
    assert conformance.served_agrees(SHOP, WORLD, HISTORY).compared == 2 * 12 * 14


def peeking(use_case: UseCase, requests: pa.Table, history: Mapping[str, pa.Table], **how: Any) -> pa.Table:
    """An engine that looks up everything four minutes too late."""
    place, asked = requests.column_names.index("asked"), requests["asked"]
    late = requests.set_column(place, "asked", pc.add(asked, pa.scalar(timedelta(minutes=4), pa.duration("us"))))
    made = feature_table(use_case, late, history, **how)
    back = pc.subtract(made["asked"], pa.scalar(timedelta(minutes=4), pa.duration("us")))
    return made.set_column(made.column_names.index("asked"), "asked", back)


def losing(use_case: UseCase, requests: pa.Table, history: Mapping[str, pa.Table], **how: Any) -> pa.Table:
    """An engine that joins inwards: a request of which nothing is known is gone."""
    made = feature_table(use_case, requests, history, **how)
    return made.filter(pc.is_valid(made["last_amount"]))


def in_order_of_arrival(use_case: UseCase, requests: pa.Table, history: Mapping[str, pa.Table], **how: Any) -> pa.Table:
    """An engine whose answer hangs on which row came first."""
    made = feature_table(use_case, requests, history, **how)
    first = pa.array([requests["number"][0].as_py()] * made.num_rows)
    return made.set_column(made.column_names.index("twice"), "twice", first)


@pytest.mark.parametrize(
    ("engine", "law", "said"),
    [
        (peeking, conformance.future_blind, "what is not yet known changes nothing, but for the request {'shop': 'a'"),
        (peeking, conformance.naive_agrees, "feature 'last_amount' is None here and 4 there"),
        (peeking, conformance.served_agrees, "what is served is what is trained on, but for the request {'shop': 'a'"),
        (losing, conformance.nothing_lost, "12 requests became 10 rows"),
        (in_order_of_arrival, conformance.order_blind, "row order, chunks and threads change nothing, but for"),
    ],
)
def test_a_broken_engine_is_caught_with_row_feature_and_both_values(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, law: Callable[..., Any], said: str
) -> None:
    monkeypatch.setattr(conformance, "feature_table", engine)

    with pytest.raises(ConformanceError) as caught:
        law(SHOP, WORLD, HISTORY)

    assert said in str(caught.value)
    assert isinstance(caught.value, DataError)


def test_two_forms_that_differ_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def differing(use_case: UseCase, requests: pa.Table, history: Mapping[str, pa.Table], *, form: Any) -> pa.Table:
        return (feature_table if form is conformance.native else peeking)(use_case, requests, history)

    monkeypatch.setattr(conformance, "feature_table", differing)

    with pytest.raises(ConformanceError, match="native equals portable, but for the request"):
        conformance.forms_agree(SHOP, WORLD, HISTORY)
