"""The engine equals the naive one of a dozen obvious lines, on histories drawn to hurt."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from mlops_assets.conformance import naive_table
from mlops_assets.core.features import feature_table, native, portable
from mlops_assets_tests.core.features.worlds import SHOP, histories

World = tuple[pa.Table, dict[str, pa.Table]]
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
BY_KEY = [(name, "ascending") for name in SHOP.request_table.key]


def check_naive(world: World) -> None:
    requests, history = world
    obvious = naive_table(SHOP, requests.sort_by(BY_KEY), history)

    made = feature_table(SHOP, requests, history, threads=1)

    assert made.select(obvious.column_names).to_pylist() == obvious.to_pylist()


def check_forms(world: World) -> None:
    requests, history = world

    one, other = (feature_table(SHOP, requests, history, form=form, threads=1) for form in (native, portable))

    assert one.equals(other)


@settings(max_examples=150, derandomize=True, **PATIENT)
@given(histories())
def test_every_feature_equals_the_naive_engine(world: World) -> None:
    check_naive(world)


@settings(max_examples=50, derandomize=True, **PATIENT)
@given(histories())
def test_the_native_and_the_portable_form_are_bit_identical(world: World) -> None:
    check_forms(world)


@pytest.mark.slow
@settings(max_examples=600, **PATIENT)
@given(histories())
def test_every_feature_equals_the_naive_engine_in_both_forms_on_many_more_histories(world: World) -> None:
    check_naive(world)
    check_forms(world)
