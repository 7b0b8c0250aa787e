"""The truth may come late, early, twice, or two ways: one label stands for an answer, the first."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.stores.serving.predictions import PredictionLog, Told
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import DAY, ROLLOUT, answered, labelled, mirrored, put


@pytest.fixture
def log(serving: str) -> Iterator[PredictionLog]:
    """An empty log."""
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
        yield log


def pairs(log: PredictionLog) -> int:
    return len(log.since(0, 1_000, rollout=ROLLOUT, block=DAY).pairs)


def test_a_label_is_kept_with_its_answer(log: PredictionLog) -> None:
    put(log, answered("a"))

    assert put(log, labelled("a", 1.0)) == ["written"]
    assert log.label_of("a") == labelled("a", 1.0) and log.label_of("b") is None


def test_the_same_label_again_changes_nothing(log: PredictionLog) -> None:
    put(log, answered("a"), mirrored("a"), labelled("a"))

    assert put(log, labelled("a"), labelled("a")) == ["repeated", "repeated"]
    assert pairs(log) == 1


def test_of_two_labels_the_first_stands_and_the_second_is_told(log: PredictionLog) -> None:
    put(log, answered("a"), mirrored("a"), labelled("a", 1.0))
    (outcome,) = log.put([labelled("a", 0.0)]).result(30)

    assert outcome.told is Told.CONFLICT and outcome.stored == labelled("a", 1.0)
    assert log.label_of("a") == labelled("a", 1.0) and pairs(log) == 1


def test_a_label_that_comes_before_its_answer_waits_for_it(log: PredictionLog) -> None:
    assert put(log, labelled("a")) == ["waiting"]
    assert pairs(log) == 0 and log.answered("a") is None

    assert put(log, answered("a"), mirrored("a")) == ["written", "written"]
    assert pairs(log) == 1 and put(log, labelled("a")) == ["repeated"]


def test_a_label_may_come_in_one_commit_with_its_answer(log: PredictionLog) -> None:
    assert put(log, labelled("a"), mirrored("a"), answered("a")) == ["written"] * 3
    assert pairs(log) == 1


@settings(max_examples=30)
@given(
    told=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, 0.0, 1.0])), min_size=1, max_size=5), max_size=6
    )
)
def test_whatever_is_told_in_whatever_order_the_first_label_stands(
    tmp_path_factory: pytest.TempPathFactory, told: list[list[tuple[int, float | None]]]
) -> None:
    """Each item is a row's number and its label, or None for its answer."""
    answers: set[int] = set()
    labels: dict[int, float] = {}
    with closing(PredictionLog(tmp_path_factory.mktemp("log"), FLIGHT_DELAYS)) as log:
        for together in told:
            answers |= {row for row, label in together if label is None}
            expected = []
            for row, label in together:
                if label is not None:
                    if row in labels:
                        expected.append("repeated" if labels[row] == label else "conflict")
                    else:
                        expected.append("written" if row in answers else "waiting")
                    labels.setdefault(row, label)
            items = [answered(f"r{row}") if label is None else labelled(f"r{row}", label) for row, label in together]
            outcomes = put(log, *items)
            assert [t for t, (_, label) in zip(outcomes, together, strict=True) if label is not None] == expected

        found = {row: log.label_of(f"r{row}") for row in range(4)}
        assert {row: label.label for row, label in found.items() if label is not None} == labels
