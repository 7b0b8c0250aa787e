"""What stands in a catalogue: definitions from the declaration, figures that are counts and observed values."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.catalogue import BARS, SCHEMA, catalogue, distributions, in_runs, used_by
from mlops_assets.core.frames import to_table
from mlops_assets_tests.core import tiny


def of(**columns: pa.Array) -> pa.Table:
    """A feature table of parcels with these columns, the others null."""
    rows = len(next(iter(columns.values())))
    kinds = {"depot": pa.string(), "weight": pa.float64(), "stops": pa.int64(), "fragile": pa.bool_()}
    return pa.table({name: columns.get(name, pa.nulls(rows, kind)) for name, kind in kinds.items()})


def drawn(name: str, values: pa.Array) -> dict[str, object]:
    return distributions(tiny.use_case(), of(**{name: values}))[name]


def test_one_row_is_a_feature_in_declared_order() -> None:
    listed = catalogue(tiny.use_case(excluded=("stops",)), to_table(tiny.week(1)), to_table(tiny.week(0)))

    assert listed.schema == SCHEMA
    assert listed["feature"].to_pylist() == ["depot", "weight", "stops", "fragile"]
    assert listed["in_model"].to_pylist() == [True, True, False, True]
    assert listed["known_at"].to_pylist() == ["asked"] * 4


def test_coverage_is_the_share_of_rows_with_a_value_now_and_then() -> None:
    now, then = of(weight=pa.array([1.0, None, 3.0, None])), of(weight=pa.array([1.0, 2.0, 3.0, None]))
    row = catalogue(tiny.use_case(), now, then).to_pylist()[1]

    assert (row["rows"], row["known"], row["coverage"], row["coverage_before"]) == (4, 2, 0.5, 0.75)


def test_without_an_earlier_week_or_without_rows_there_is_no_coverage_rather_than_zero() -> None:
    empty = catalogue(tiny.use_case(), of(weight=pa.array([], pa.float64())), None).to_pylist()[1]

    assert (empty["rows"], empty["coverage"], empty["coverage_before"], empty["median"]) == (0, None, None, None)


def test_a_median_is_a_value_that_was_met() -> None:
    row = catalogue(tiny.use_case(), of(stops=pa.array([9, 1, None, 4, 2])), None).to_pylist()[2]

    assert (row["least"], row["median"], row["greatest"], row["distinct"]) == (1, 2, 9, 4)


def test_few_numbers_and_truth_values_are_a_bar_each() -> None:
    assert drawn("stops", pa.array([2, 1, 2, None])) == {
        "kind": "values", "missing": 1, "labels": ["1", "2"], "counts": [1, 2],
    }  # fmt: skip
    assert drawn("fragile", pa.array([True, False, True]))["labels"] == ["false", "true"]


def test_of_many_texts_the_most_frequent_are_named_and_the_rest_is_one_bar() -> None:
    names = [f"d{number}" for number in range(10) for _ in range(number + 1)]

    assert drawn("depot", pa.array(names)) == {
        "kind": "names", "missing": 0, "labels": ["d9", "d8", "d7", "d6", "d5", "d4", "4 others"],
        "counts": [10, 9, 8, 7, 6, 5, 10],
    }  # fmt: skip


def test_one_wild_value_flattens_nothing() -> None:
    values = [float(number) for number in range(1000)] + [1e300, float("inf")]

    assert drawn("weight", pa.array(values))["high"] < 1000


@given(st.lists(st.none() | st.floats(allow_nan=False), min_size=1, max_size=200))
def test_every_number_is_in_one_bar(values: list[float | None]) -> None:
    found = drawn("weight", pa.array(values, pa.float64()))
    counts = found["counts"]

    assert isinstance(counts, list)
    assert sum(counts) + found["missing"] == len(values)
    assert len(counts) <= BARS


@given(st.lists(st.none() | st.integers(-(2**53), 2**53), min_size=1, max_size=200))
def test_every_whole_number_is_in_one_bar(values: list[int | None]) -> None:
    found = drawn("stops", pa.array(values, pa.int64()))
    counts = found["counts"]

    assert isinstance(counts, list)
    assert sum(counts) + found["missing"] == len(values)
    assert len(counts) <= BARS


def test_the_order_of_rows_changes_nothing() -> None:
    week = tiny.week(0)
    one, other = to_table(week), to_table(week.sample(frac=1, random_state=3))

    assert distributions(tiny.use_case(), one) == distributions(tiny.use_case(), other)
    assert catalogue(tiny.use_case(), one, other).equals(catalogue(tiny.use_case(), other, one))


@pytest.mark.parametrize(("numbers", "said"), [([], ""), ([5], "5"), ([1, 2, 4], "1-2, 4"), ([1, 3], "1, 3")])
def test_versions_are_said_in_runs(numbers: list[int], said: str) -> None:
    assert in_runs(numbers) == said


def test_a_feature_is_used_by_the_versions_that_name_it() -> None:
    assert used_by({1: ["a"], 3: ["a", "b"], 2: ["b"]}, "b") == [2, 3]
