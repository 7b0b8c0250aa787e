"""What a concept policy and a retraining policy refuse, and in which words."""

from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.declare import ConceptPolicy, DeclarationError, Retraining
from mlops_assets_tests.core import tiny


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"loss": "log_loss"}, "loss"),
        ({"loss": "absolute"}, "most"),
        ({"loss": "error", "most": 2.0}, "most"),
        ({"loss": "absolute", "most": float("inf")}, "most"),
        ({"loss": "error", "alternatives": ()}, "alternatives"),
        ({"loss": "error", "alternatives": (1.0, 2.0)}, "alternatives"),
        ({"loss": "error", "alternatives": (2.0, 1.5)}, "alternatives"),
        ({"loss": "error", "patience": 0}, "patience"),
        ({"loss": "error", "patience": 10.5}, "patience"),
        ({"loss": "error", "level": 1.0}, "level"),
        ({"loss": "error", "labelled": 0.0}, "labelled"),
        ({"loss": "error", "block": timedelta(hours=6)}, "block"),
        ({"loss": "error", "calibration": 0.0}, "calibration"),
        ({"loss": "error", "miscalibrated": 0.01}, "miscalibrated"),
        ({"loss": "error", "miscalibrated": float("nan")}, "miscalibrated"),
    ],
)
def test_a_wrong_concept_policy_names_its_field(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(DeclarationError, match=named):
        ConceptPolicy(**wrong)


def test_every_loss_is_scaled_by_the_most_an_answer_counts() -> None:
    assert ConceptPolicy(loss="error").bound == ConceptPolicy(loss="brier").bound == 1.0
    assert ConceptPolicy(loss="absolute", most=0.25).bound == 0.25


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"windows": 0}, "windows"),
        ({"most": 1.5}, "most"),
        ({"breaker": 0}, "breaker"),
        ({"fresh": -1}, "fresh"),
        ({"cooldown": timedelta(0)}, "cooldown"),
        ({"per": timedelta(days=-1)}, "per"),
        ({"max_age": timedelta(0)}, "max_age"),
    ],
)
def test_a_wrong_retraining_policy_names_its_field(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(DeclarationError, match=named):
        Retraining(**wrong)


def test_a_cooldown_shorter_than_the_labels_take_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(DeclarationError, match="maturity"):
        replace(tiny.use_case(), retraining=Retraining(cooldown=timedelta(days=1)))


def test_a_loss_of_another_task_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(DeclarationError, match=r"concept: loss"):
        replace(tiny.use_case(), concept=ConceptPolicy(loss="absolute", most=1.0))
