"""One table, whatever the order of the rows, the chunks, the threads, the form."""

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.conformance import order_blind
from mlops_assets.core.features import feature_table
from mlops_assets.core.features.asof import Form, native, portable, sql
from mlops_assets.core.features.engine import look_up
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

Week = tuple[pa.Table, dict[str, pa.Table]]


def tied(rng: np.random.Generator, asks: int, events: int) -> tuple[pa.Table, pa.Table]:
    """Few keys and few instants: nearly every event has a twin."""
    left = pa.table({"q": np.arange(asks), "k": rng.integers(0, 40, asks), "t": rng.integers(-50, 50, asks)})
    seq, known = np.arange(events), rng.integers(-60, 40, events)
    right = pa.table({"k": rng.integers(0, 40, events), "t": known, "seq": seq, "v": rng.integers(-9, 9, events)})
    return left, right


@pytest.mark.parametrize("form", [native, portable], ids=lambda form: form.__name__)
def test_ten_runs_over_shuffled_ties_and_thread_counts_give_one_answer(form: Form) -> None:
    rng = np.random.default_rng(7)
    asks, events = tied(rng, 20_000, 60_000)
    first = look_up(asks, events, size=20_000, threads=1)

    for run in range(10):
        left, right = (t.take(pa.array(rng.permutation(t.num_rows))) for t in (asks, events))
        again = look_up(left, right, size=20_000, form=form, threads=1 + run % 2)
        assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in ("n", "s", "seq"))


def test_ten_runs_of_a_week_of_flights_give_one_table(july: Week) -> None:
    for seed in range(5):
        order_blind(FLIGHT_DELAYS, *july, threads=(1, 2), seed=seed)


def test_the_two_forms_give_one_table_of_flights(july: Week) -> None:
    assert feature_table(FLIGHT_DELAYS, *july).equals(feature_table(FLIGHT_DELAYS, *july, form=portable))


def test_the_portable_form_needs_nothing_an_engine_may_lack() -> None:
    text = sql(portable).upper()

    assert "ASOF" in sql(native).upper()
    assert not any(word in text for word in ("ASOF", "LATERAL", "IGNORE NULLS", "LAST", "RANGE BETWEEN", "INTERVAL"))


def test_the_answer_depends_on_no_more_history_than_the_declared_look_back(july: Week) -> None:
    """A week more or less of history before the look-back changes nothing."""
    requests, history = july
    first = requests["asked_utc"].to_numpy().min()
    flights = history["flights"]
    reach = flights.filter(pa.array(flights["sched_dep_utc"].to_numpy() > first - np.timedelta64(33, "D")))

    assert reach.num_rows < flights.num_rows
    assert feature_table(FLIGHT_DELAYS, requests, history | {"flights": reach}).equals(
        feature_table(FLIGHT_DELAYS, requests, history)
    )
