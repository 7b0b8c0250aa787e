"""Sums are exact and divided once."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.features import feature_table
from mlops_assets.core.features.exact import check_total, fixed_point, ratio
from mlops_assets.declare import DataError
from mlops_assets_tests.core.features.worlds import PEOPLE, SHOP, VISITS, rows, visit


def at_noon(*past: object) -> dict[str, object]:
    history = {"visits": rows(VISITS, visit(0), *past), "people": rows(PEOPLE)}
    (row,) = feature_table(SHOP, rows(VISITS, visit(0)), history).to_pylist()
    return row


def test_whole_numbers_above_2_53_add_up_exactly() -> None:
    big = 2**53 + 1
    row = at_noon(visit(1, done=-1, amount=big), visit(2, done=-2, amount=big), visit(3, done=-3, amount=1))

    assert row["amounts"] == 2 * big + 1
    assert row["mean_amount"] == (2 * big + 1) / 3
    assert row["last_amount"] == big


def test_a_window_stays_exact_when_the_running_total_is_huge() -> None:
    row = at_noon(visit(1, done=-9, amount=2**62), visit(2, done=-1, amount=3))

    assert row["amounts"] == 3


def test_a_sum_of_hundredths_is_the_nearest_float_to_the_true_sum() -> None:
    """Ten times 0.1 as floats is 0.9999999999999999."""
    row = at_noon(*(visit(n, paid=-n / 2, price=0.1) for n in range(1, 11)))

    assert sum([0.1] * 10) != 1.0
    assert (row["prices"], row["mean_price"]) == (1.0, 0.1)


def test_a_total_that_leaves_int64_is_refused_with_its_column() -> None:
    with pytest.raises(DataError, match=r"shop\.visits\['amount'\] adds up to 9223372036854775808 for one key"):
        at_noon(visit(1, done=-1, amount=2**62), visit(2, done=-2, amount=-(2**62)))


def test_a_float_that_has_no_whole_number_of_its_decimals_is_refused() -> None:
    for price in (1e17, float("inf"), float("nan")):
        with pytest.raises(DataError, match=r"shop\.visits\['price'\] holds .* leaves int64"):
            at_noon(visit(1, paid=-1, price=price))


def test_one_key_may_be_full_without_the_others() -> None:
    check_total("x", np.array([1, 2]), np.array([2**63 - 1, 2**63 - 1]))
    check_total("x", np.array([1, 1]), np.array([-(2**62), 2**62 - 1]))
    with pytest.raises(DataError, match="x adds up to 9223372036854775808"):
        check_total("x", np.array([1]), np.array([-(2**63)]))


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(1, 2**40), st.integers(0, 9))
def test_a_division_is_correctly_rounded(above: int, below: int, decimals: int) -> None:
    (found,) = ratio(np.array([above]), np.array([below]), decimals).to_pylist()

    assert found == float(Fraction(above, below * 10**decimals))


@given(st.integers(-(10**12), 10**12), st.integers(0, 3))
def test_a_decimal_becomes_its_own_whole_number(number: int, decimals: int) -> None:
    assert fixed_point("x", pa.array([number / 10**decimals]), decimals).tolist() == [number]
