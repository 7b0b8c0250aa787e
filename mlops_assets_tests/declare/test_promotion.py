"""The gate as declared: over blocks of days, and by which features it reports."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.declare import DeclarationError, Promotion, days, hours
from mlops_assets_tests.core import tiny

MAE = Promotion(metric="mae", margin=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"block": days(0)}, "block == datetime.timedelta(0), must be a whole number of days >= 1: e.g. days(1)"),
        ({"block": days(-1)}, "block == "),
        ({"block": hours(12)}, "block == "),
        ({"block": hours(36)}, "block == "),
        ({"slices": "carrier"}, "slices == 'carrier', must be a tuple of names: write ('carrier',)"),
        ({"slices": ("carrier", "carrier")}, "slices == ['carrier'], each name may stand once"),
        ({"min_slice_rows": 0}, "min_slice_rows == 0, must be at least 1"),
    ],
)
def test_a_block_is_whole_days_and_a_slice_is_named_once(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        Promotion(metric="mae", margin=0, **wrong)

    assert str(refused.value).startswith(f"Promotion: {said}")


@given(st.integers(1, 60), st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(-100, 100))
def test_a_day_lies_in_one_block_wherever_one_begins_to_count(length: int, day: date, offset: int) -> None:
    promotion = replace(MAE, block=days(length))
    first = promotion.block_of(day)

    assert first <= day < first + promotion.block
    assert all(promotion.block_of(first + timedelta(days=n)) == first for n in range(length))
    assert (promotion.block_of(day + offset * promotion.block) - first) == offset * promotion.block


def test_a_week_of_days_begins_on_monday() -> None:
    assert replace(MAE, block=days(7)).block_of(date(2013, 2, 24)) == date(2013, 2, 18)


@given(st.integers(1, 20), st.integers(1, 40))
def test_a_span_falls_into_so_many_blocks_at_most(length: int, span: int) -> None:
    promotion = replace(MAE, block=days(length))
    begins = (date(2024, 1, 1) + timedelta(days=n) for n in range(length))

    met = [len({promotion.block_of(begin + timedelta(days=n)) for n in range(span)}) for begin in begins]

    assert max(met) == promotion.most_blocks(days(span))


def test_a_slice_is_a_declared_feature() -> None:
    with pytest.raises(DeclarationError, match=r"parcels\.promotion: slices == 'colour', names nothing .*'depot'"):
        tiny.use_case(promotion=Promotion(metric="log_loss", margin=0, slices=("depot", "colour")))


def test_a_gate_whose_blocks_are_too_few_to_ever_judge_is_refused() -> None:
    four_days = Promotion(metric="log_loss", margin=0, block=days(4))

    assert tiny.use_case(promotion=four_days).promotion.block == days(4)  # 14 days, asked up to 2 hours before
    with pytest.raises(DeclarationError, match=r"parcels\.promotion: block == .*at most 3 blocks of 7 days of the val"):
        tiny.use_case(promotion=replace(four_days, block=days(7)))
