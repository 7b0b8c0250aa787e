"""From columns to ACT, WATCH, QUIET or INCONCLUSIVE."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.drift.table import (
    Completeness,
    Judgeable,
    TableVerdict,
    benjamini_hochberg,
    judge_table,
    shortfall,
    weights_of,
)
from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DataError


def column(name: str, verdict: Verdict, weight: float, **more: Any) -> Judgeable:
    return Judgeable(name=name, verdict=verdict, weight=weight, **{"watch": verdict is Verdict.DRIFT, **more})


CALM = column("calm", Verdict.STABLE, 0.9)


@pytest.mark.parametrize(
    ("moving", "expected"),
    [
        (column("x", Verdict.DRIFT, 0.20), TableVerdict.ACT),
        (column("x", Verdict.DRIFT, 0.19), TableVerdict.WATCH),
        (column("x", Verdict.DRIFT, 0.0, critical=True), TableVerdict.ACT),
        (column("x", Verdict.DRIFT, 0.0, prediction=True), TableVerdict.ACT),
        (column("x", Verdict.DRIFT, 0.9, stable=True), TableVerdict.QUIET),
        (column("x", Verdict.DRIFT, 0.9, fault=True), TableVerdict.QUIET),
        (column("x", Verdict.STABLE, 0.3, watch=True), TableVerdict.WATCH),
        (column("x", Verdict.STABLE, 0.1, watch=True), TableVerdict.QUIET),
        (column("x", Verdict.STABLE, 0.3), TableVerdict.QUIET),
        (column("x", Verdict.INSUFFICIENT_DATA, 0.3), TableVerdict.INCONCLUSIVE),
        (column("x", Verdict.INSUFFICIENT_DATA, 0.1), TableVerdict.QUIET),
        (column("x", Verdict.INSUFFICIENT_DATA, 0.0, critical=True), TableVerdict.INCONCLUSIVE),
        (column("x", Verdict.INSUFFICIENT_DATA, 0.0, prediction=True), TableVerdict.INCONCLUSIVE),
        (column("x", Verdict.INSUFFICIENT_DATA, 0.9, stable=True), TableVerdict.QUIET),
    ],
)
def test_one_moving_column_among_calm_ones(moving: Judgeable, expected: TableVerdict) -> None:
    judged = judge_table([CALM, moving], DriftPolicy())

    assert judged.verdict is expected
    assert judged.sentence.startswith(expected.value)


verdicts, weights = st.sampled_from(Verdict), st.floats(0, 1)
columns = st.lists(
    st.builds(
        Judgeable,
        name=st.sampled_from("abcdef"),
        verdict=verdicts,
        watch=st.booleans(),
        weight=weights,
        stable=st.booleans(),
        critical=st.booleans(),
        prediction=st.booleans(),
        fault=st.booleans(),
    ),
    max_size=6,
)


@given(columns, st.lists(st.just("'x': 40 % missing"), min_size=1, max_size=5))
def test_a_fault_makes_it_watch_whatever_else_drifted(judged: list[Judgeable], faults: list[str]) -> None:
    with_fault, without = (judge_table(judged, DriftPolicy(), told) for told in (faults, []))

    assert with_fault.verdict is TableVerdict.WATCH
    assert with_fault.score == without.score
    assert with_fault.sentence.startswith("WATCH: check the feed: 'x': 40 % missing")
    assert ("not acted on while a feed is broken" in with_fault.sentence) == (without.verdict is TableVerdict.ACT)


@given(columns, verdicts)
def test_a_column_in_a_fault_counts_for_nothing(judged: list[Judgeable], verdict: Verdict) -> None:
    broken = column("broken", verdict, 1.0, fault=True, critical=True)

    assert judge_table([*judged, broken], DriftPolicy()) == judge_table(judged, DriftPolicy())


def test_three_fifteenths_reach_a_fifth_in_spite_of_rounding() -> None:
    columns = [column(name, Verdict.DRIFT, 1 / 15) for name in "abc"]

    assert judge_table([*columns, CALM], DriftPolicy()).verdict is TableVerdict.ACT


def test_insufficient_data_never_adds_to_the_score() -> None:
    judged = judge_table([column("x", Verdict.INSUFFICIENT_DATA, 1.0)], DriftPolicy())

    assert judged.score == 0


def test_benjamini_hochberg_is_one_test_for_one_column_and_stricter_for_many() -> None:
    assert benjamini_hochberg([0.024], 0.025) == [True]
    assert benjamini_hochberg([0.024] + [0.9] * 19, 0.025) == [False] * 20
    assert benjamini_hochberg([0.02] * 20, 0.025) == [True] * 20
    assert benjamini_hochberg([], 0.025) == []


def test_a_short_window_names_the_number_the_bound_and_the_likely_cause() -> None:
    few = shortfall(120, Completeness(days_with_rows=2, days=7), DriftPolicy())

    assert len(few) == 2
    assert "120 rows, min_rows is 500" in few[0]
    assert "2 of 7 days" in few[1]
    assert shortfall(500, Completeness(days_with_rows=6, days=7), DriftPolicy()) == ()


def test_importances_are_normalised_and_refused_when_they_cannot_be_true() -> None:
    assert weights_of(None, ["a", "b", "score"], "score") == {"a": 0.5, "b": 0.5, "score": 0.0}
    with pytest.raises(DataError, match="'z'"):
        weights_of({"z": 1.0}, ["a"], "a")
    for wrong in (-1.0, float("nan"), 0.0):
        with pytest.raises(DataError, match="must be >= 0 and not all 0"):
            weights_of({"a": wrong}, ["a"], "a")
    with pytest.raises(DataError, match="3 of 2 days"):
        Completeness(days_with_rows=3, days=2)
