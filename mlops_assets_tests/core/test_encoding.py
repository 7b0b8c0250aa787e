"""The encoder: one value takes one path, in a frame or in a request, in training or in serving."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.encoding import MOST_CATEGORIES, Encoder, fit
from mlops_assets.declare import DataError, Estimator, Kind
from mlops_assets_tests.core import tiny

CITIES = Encoder(
    features=("city", "fragile", "stops", "weight"),
    kinds=(Kind.STRING, Kind.BOOL, Kind.INT, Kind.FLOAT),
    categories={"city": ("Berlin", "Köln", "Ulm")},
)
ROWS = st.fixed_dictionaries(
    {
        "city": st.none() | st.sampled_from(["Berlin", "Köln", "Ulm", "unseen", ""]),
        "fragile": st.none() | st.booleans(),
        "stops": st.none() | st.integers(-(2**63), 2**63 - 1),
        "weight": st.none() | st.floats(allow_infinity=False),
    }
)
NULLABLE = {"city": "string", "fragile": "boolean", "stops": "Int64", "weight": "Float64"}


@given(st.lists(ROWS, min_size=1, max_size=8), st.sampled_from([object, "nullable", "inferred"]))
def test_a_row_gets_the_same_values_alone_and_in_a_frame(rows, storage):
    frame = pd.DataFrame(rows, dtype=object)
    if storage == "nullable":
        frame = frame.astype(NULLABLE)
    elif storage == "inferred":
        frame = pd.DataFrame({name: [row[name] for row in rows] for name in frame.columns})
        if frame["stops"].dtype == np.float64:  # pandas itself rounds whole numbers beside a null
            rows = [row | {"stops": None if row["stops"] is None else float(row["stops"])} for row in rows]

    together = CITIES.encode(frame)

    assert np.array_equal(together, np.array([CITIES.encode_row(row) for row in rows]), equal_nan=True)
    assert np.array_equal(together, CITIES.encode_rows(rows), equal_nan=True)
    assert together.dtype == np.float64 and together.flags.c_contiguous


def test_categories_are_positions_in_sorted_order_and_the_unseen_is_missing():
    array = CITIES.encode(
        pd.DataFrame({"city": ["Ulm", "Bonn", None], "fragile": [True, False, None], "stops": 1, "weight": 2.5})
    )

    assert np.array_equal(array[:, 0], [2, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(array[:, 1], [1, 0, np.nan], equal_nan=True)
    assert CITIES.category_positions == (0,)


def test_a_pandas_categorical_is_its_texts():
    frame = pd.DataFrame({"city": pd.Categorical(["Ulm", None]), "fragile": None, "stops": 1, "weight": 1})

    assert np.array_equal(CITIES.encode(frame)[:, 0], [2, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("feature", "value", "says"),
    [
        ("weight", float("inf"), "'weight' of row 1 == inf, must be finite"),
        ("weight", -np.inf, "'weight' of row 1 == -inf"),
        ("stops", 10**400, "'stops' of row 1 == inf"),
        ("stops", True, "'stops' of row 1 == True (bool), must be a number"),
        ("stops", "7", "'stops' of row 1 == '7' (str), must be a number"),
        ("fragile", 1, "'fragile' of row 1 == 1 (int), must be true or false"),
        ("city", 7, "'city' of row 1 == 7 (int), must be a text"),
        ("city", b"Ulm", "'city' of row 1 == b'Ulm' (bytes), must be a text"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_refused_by_name_and_row(feature, value, says):
    good = {"city": "Ulm", "fragile": True, "stops": 1, "weight": 1.0}
    bad = good | {feature: value}

    with pytest.raises(DataError) as in_frame:
        CITIES.encode(pd.DataFrame([good, bad], dtype=object))
    with pytest.raises(DataError) as alone:
        CITIES.encode_row(bad)

    assert says in str(in_frame.value)
    assert says.replace("row 1", "row 0") in str(alone.value)


def test_a_feature_that_is_not_given_is_not_the_same_as_one_without_a_value():
    with pytest.raises(DataError, match="row has no feature 'weight'"):
        CITIES.encode_row({"city": None, "fragile": None, "stops": None})
    with pytest.raises(DataError, match="frame has no feature 'city'"):
        CITIES.encode(pd.DataFrame({"weight": [1.0]}))


def test_an_encoder_survives_json_byte_by_byte():
    assert Encoder.from_json(CITIES.to_json()) == CITIES
    assert Encoder.from_json(CITIES.to_json()).to_json() == CITIES.to_json()
    assert Encoder.from_json(CITIES.to_json()).version == CITIES.version
    assert CITIES.version == "299148ce2d7076d48d60050c36db4c1881d2ecda67ede7387f4155ab2858a71a"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": "other/1", "features": []}', b"\xff\xfe"])
def test_bytes_that_are_no_encoder_are_refused(data):
    with pytest.raises(DataError):
        Encoder.from_json(data)


def test_a_damaged_encoder_is_refused():
    with pytest.raises(DataError, match="sorted"):
        Encoder(features=("city",), kinds=(Kind.STRING,), categories={"city": ("b", "a")})
    with pytest.raises(DataError, match="must be of"):
        Encoder(features=("n",), kinds=(Kind.INT,), categories={"n": ("a",)})
    with pytest.raises(DataError, match="pair one by one"):
        Encoder(features=("n",), kinds=(), categories={})


def test_rare_categories_give_way_by_count_and_then_by_name():
    case = tiny.use_case()
    names = [f"c{n:03}" for n in range(MOST_CATEGORIES + 5)]
    frame = tiny.week(0, rows=2 * len(names))
    frame["depot"] = [*names, *names[100:], *names[:100]]  # all twice: the names decide
    frame.loc[0, "depot"] = names[-1]  # c000 once, the last thrice

    kept = fit(case, frame).categories["depot"]

    assert kept == tuple(sorted([*names[1:MOST_CATEGORIES], names[-1]]))
    assert fit(case, frame.sample(frac=1, random_state=1)).categories["depot"] == kept


def test_an_estimator_with_fewer_bins_gets_fewer_categories():
    few = Estimator(path=tiny.TREES.path, params={"max_bins": 2}, categories="categorical_features")

    encoder = fit(tiny.use_case(estimator=few), tiny.week(0))

    assert len(encoder.categories["depot"]) == 2


def test_nothing_of_what_is_not_a_model_feature_is_encoded():
    assert fit(tiny.use_case(excluded=("weight",)), tiny.week(0)).features == ("depot", "stops", "fragile")
