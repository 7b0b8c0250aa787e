"""Columns of plain values become the array that the encoder makes of the same rows, or are refused as rows are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare import Kind
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.columns import ColumnCheck, ColumnEncoder
from mlops_assets.gateway.refusals import Refused

NAMES = ("depot", "late", "stops", "weight")
KINDS = (Kind.STRING, Kind.BOOL, Kind.INT, Kind.FLOAT)
ENCODER = Encoder(features=NAMES, kinds=KINDS, categories={"depot": ("north", "south")})
VALUES = (
    st.none() | st.sampled_from(["north", "south", "moon", "9"]) | st.booleans() | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
RIGHT = st.tuples(
    st.none() | st.sampled_from(["north", "moon"]), st.none() | st.booleans(), st.none() | st.integers(-9, 9),
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
)  # fmt: skip


@given(st.lists(RIGHT | st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=5))
def test_columns_are_encoded_and_refused_as_rows_are(rows: list[tuple[Any, ...]]) -> None:
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    try:
        due = ENCODER.encode_rows([dict(zip(NAMES, row, strict=True)) for row in rows])
    except DataError:
        with pytest.raises(DataError):
            ColumnEncoder(ENCODER).encode(columns, len(rows))
        with pytest.raises(Refused):
            ColumnCheck(NAMES, dict(zip(NAMES, KINDS, strict=True))).check(columns)
        return

    np.testing.assert_array_equal(ColumnEncoder(ENCODER).encode(columns, len(rows)), due)
    ColumnCheck(NAMES, dict(zip(NAMES, KINDS, strict=True))).check(columns)
