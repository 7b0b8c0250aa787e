"""The drift policy refuses what cannot be true, and says so."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mlops_assets.declare.drift import DriftPolicy, Monitored
from mlops_assets.declare.errors import DeclarationError


def test_the_defaults_are_the_documented_ones() -> None:
    policy = DriftPolicy()

    assert (policy.floor, policy.watch, policy.calibration, policy.table_score) == (0.20, 0.10, 1.5, 0.20)
    assert (policy.stable_watch, policy.stable_alarm, policy.min_reference_windows) == (0.10, 0.25, 8)


def test_a_restless_column_gets_a_higher_threshold_and_a_stable_one_keeps_the_plain_level() -> None:
    policy = DriftPolicy()

    assert policy.threshold(restlessness=0.4) == pytest.approx(0.6)
    assert policy.threshold(restlessness=0.01) == 0.20
    assert policy.threshold(restlessness=0.4, stable=True) == 0.25
    assert policy.watch_level(restlessness=0.4) == 0.4
    assert policy.watch_level(restlessness=0.4, stable=True) == 0.10


@pytest.mark.parametrize(
    "wrong",
    [
        {"floor": 0.0},
        {"floor": float("nan")},
        {"watch": 0.3},
        {"stable_watch": 0.3},
        {"calibration": 0.9},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"ks": 1.0},
        {"min_rows": 0},
        {"min_rows": 10.5},
        {"min_completeness": 1.1},
        {"table_score": 0.0},
        {"min_reference_windows": 1},
        {"fault_missing": 0.0},
        {"fault_missing_sd": float("inf")},
        {"fault_stuck": 1.5},
        {"fault_rest": -0.1},
        {"fault_scale": 1.0},
    ],
)
def test_a_value_that_cannot_be_true_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError) as refusal:
        DriftPolicy(**wrong)

    assert next(iter(wrong)) in str(refusal.value)
    assert str(next(iter(wrong.values()))) in str(refusal.value)


def test_a_policy_cannot_be_changed_after_it_was_declared() -> None:
    with pytest.raises(FrozenInstanceError):
        DriftPolicy().floor = 0.5  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("field", "wrong"), [("name", {"name": ""}), ("kind", {"kind": "text"}), ("critical", {"stable": True})]
)
def test_a_watched_column_is_named_has_a_kind_and_is_not_both_stable_and_critical(
    field: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(DeclarationError, match=field):
        Monitored(**{"name": "temp", "kind": "numeric", "critical": True, **wrong})
