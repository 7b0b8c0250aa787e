"""Counting through the grid is counting by comparison, for every shape of column."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_assets.core.profile.counting import _look_up, _search, count_cells
from mlops_assets.core.profile.grid import grid_over, slot_of

SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "hour of day": lambda rng, n: rng.integers(0, 24, n).astype(float),
    "yes or no": lambda rng, n: (rng.random(n) < 0.2).astype(float),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.6, 0, rng.lognormal(0, 2, n)),
    "negative": lambda rng, n: -rng.lognormal(0, 2, n),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "huge": lambda rng, n: rng.normal(size=n) * 1e307,
    "far from zero": lambda rng, n: 1e9 + rng.random(n) * 1e-4,
    "third missing": lambda rng, n: np.where(rng.random(n) < 0.33, np.nan, rng.normal(size=n)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_column_is_counted_exactly(shape: str) -> None:
    rng = np.random.default_rng(11)
    drawn = SHAPES[shape](rng, 2000)
    points = np.unique(drawn[~np.isnan(drawn)][:511])
    values = np.concatenate([SHAPES[shape](rng, 150_000), points, [np.nan, -0.0, 0.0]])

    assert np.array_equal(count_cells(points, values).cells, _search(points, values)[:-2])
    assert count_cells(points, values).missing == np.isnan(values).sum()


finite = st.floats(allow_nan=False, allow_infinity=False)


@example({-1.0, *map(float, range(17)), 1.5, 9009398814998560.0}, np.array([]))  # a point no fine cell can number
@example({1.0, 1.7976931348623157e308}, np.array([]))  # the next float is infinite
@example({6e-262, 1.0, 8e46}, np.array([np.inf]))  # so wide a span that infinity is near
@settings(max_examples=150, deadline=None)
@given(st.sets(finite, min_size=2, max_size=40), arrays(np.float64, st.integers(0, 60), elements=st.floats()))
def test_the_grid_agrees_with_the_search_on_any_floats(points: set[float], values: np.ndarray) -> None:
    sketch = np.unique(np.array(sorted(points)) + 0.0)
    grid = grid_over(sketch)
    with np.errstate(over="ignore"):
        near = np.concatenate([values, sketch, np.nextafter(sketch, -np.inf), np.nextafter(sketch, np.inf)])

    if grid is not None:
        assert np.array_equal(_look_up(grid, near), _search(sketch, near))


@pytest.mark.parametrize("offset", [0.0, 0.2, 1.2, -0.5])
def test_few_values_that_moved_off_their_points_are_counted_exactly(offset: float) -> None:
    points = np.array([0.0, 1.0])
    values = np.append(np.random.default_rng(2).integers(0, 2, 100_000) + offset, [np.nan, np.inf, -np.inf])

    counted, searched = count_cells(points, values), _search(points, values)
    assert [*counted.cells, counted.missing, counted.infinite] == searched.tolist()


def test_a_cell_is_a_point_or_the_gap_beside_it() -> None:
    points = np.array([1.0, 2.0])

    assert slot_of(points, np.array([0.0, 1.0, 1.9, 2.0, 2.1])).tolist() == [0, 1, 2, 3, 4]


def test_infinities_are_told_from_values_out_of_range() -> None:
    points = np.array([0.0, 1.0])

    assert count_cells(points, np.array([-5.0, 7.0])).infinite == 0
    assert count_cells(points, np.array([-np.inf, 7.0, np.inf])).infinite == 2
    assert count_cells(points, np.array([np.nan] * 30_000 + [np.inf])).infinite == 1


def test_a_column_that_is_a_slice_with_gaps_is_counted_too() -> None:
    table = np.random.default_rng(1).normal(size=(40_000, 3))
    points = np.linspace(-1, 1, 100)

    assert np.array_equal(count_cells(points, table[:, 1]).cells, count_cells(points, table[:, 1].copy()).cells)
