"""Order statistics by classes are those of a sort, to the bit."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_assets.core.drift.faults.selecting import order_statistics

FINITE = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)


@example(np.array([-1.7976931348623157e308, 0.0, 1.7976931348623157e308]), [0, 1, 2])  # a range that overflows
@example(np.array([0.0, 5e-324]), [0, 1])  # a range too small to divide
@example(np.array([0.0, 1e-5, 2e-5, 1e12]), [1, 2])  # an outlier that leaves the others one class
@settings(max_examples=150, deadline=None)
@given(arrays(np.float64, st.integers(1, 300), elements=FINITE), st.lists(st.integers(0, 10_000), max_size=20))
def test_they_are_those_of_a_sort_for_any_floats(values: np.ndarray, drawn: list[int]) -> None:
    ranks = np.unique(np.array([rank % len(values) for rank in drawn], dtype=np.int64))

    assert np.array_equal(order_statistics(values, ranks), np.sort(values)[ranks])


@pytest.mark.parametrize("shape", ["normal", "cauchy", "yes or no", "constant"])
def test_they_are_those_of_a_sort_for_many_values(shape: str) -> None:
    rng = np.random.default_rng(4)
    values = {
        "normal": rng.normal(size=100_000),
        "cauchy": rng.standard_cauchy(100_000) * 1e12,
        "yes or no": rng.integers(0, 2, 100_000) + 0.2,
        "constant": np.full(100_000, -3.5),
    }[shape]
    ranks = np.arange(200) * 500 + 250

    assert np.array_equal(order_statistics(values, ranks), np.sort(values)[ranks])
