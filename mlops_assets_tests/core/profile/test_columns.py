"""Reading categories: the same codes and names whether the rows share their objects or each has its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.profile.columns import _HEAD, categories

ROWS = 2 * _HEAD
KINDS: dict[str, list[Any]] = {
    "texts": ["EWR", "JFK", "é", "a\x00b", ""],
    "texts and nulls": ["EWR", None, float("nan"), pd.NA, "JFK"],
    "numbers that equal each other": [1, 1.0, True, 2.5, "1"],
    "nulls": [None, float("nan")],
}


def series(values: list[Any]) -> pd.Series:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return pd.Series(objects)


def own(value: object) -> object:
    """An equal object of its own, where Python makes one."""
    return "".join(list(value)) if isinstance(value, str) else float(value) if type(value) is float else value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("each", [lambda value: value, own], ids=["shared", "own"])
def test_objects_are_told_apart_by_value_as_by_factorize(kind: str, each: Callable[[object], object]) -> None:
    drawn = np.random.default_rng(5).integers(0, len(KINDS[kind]), ROWS)
    column = series([each(KINDS[kind][at]) for at in drawn])

    codes, names = categories(column)
    expected, found = pd.factorize(column)
    assert np.array_equal(codes, expected)
    assert len(names) == len(found)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=3), min_size=1, max_size=50), st.integers(0, 2**32 - 1), st.booleans())
def test_equal_texts_are_one_category_wherever_they_lie_in_memory(texts: list[str], seed: int, copied: bool) -> None:
    drawn = np.random.default_rng(seed).integers(0, len(texts), ROWS)
    rows = [texts[at] for at in drawn]
    codes, names = categories(series([own(row) for row in rows] if copied else rows))

    assert [names[code] for code in codes] == rows
    assert len(set(names)) == len(names)


def test_a_column_beside_another_in_one_block_is_read_by_its_own_rows() -> None:
    block = np.empty((ROWS, 2), dtype=object)
    block[:, 0], block[:, 1] = ["a", "b"] * (ROWS // 2), "c"

    assert categories(pd.Series(block[:, 0]))[1] == ["a", "b"]
    assert categories(pd.Series(block[:, 1]))[1] == ["c"]
    assert categories(pd.Series(block[::-1, 0]))[1] == ["b", "a"]
