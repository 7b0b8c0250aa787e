"""A rollout plan refuses what could let a model on without proof: an unknown metric, a step of 100 %, no margin."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.declare import DeclarationError, Quality, RolloutPlan, Step
from mlops_assets_tests.core.tiny import use_case

QUALITY = Quality(loss="log_loss", margin=0.003)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rates": ("error", "happiness")}, "happiness.*names nothing"),
        ({"rates": ()}, "at least one"),
        ({"rates": ("error", "error")}, "each name may stand once"),
        ({"steps": ()}, "must rise"),
        ({"steps": (Step(share=0.5, margin=2.0), Step(share=0.25, margin=2.0))}, "must rise"),
        ({"alpha": 0.0}, "alpha == 0.0"),
        ({"most_bad": float("nan")}, "most_bad == nan"),
        ({"breaker": 0.0}, "breaker"),
        ({"exposure": 0}, "exposure == 0"),
        ({"exposure": True}, "exposure == True"),
        ({"silence": timedelta(0)}, "silence"),
        ({"on_new": "replace"}, "on_new"),
        ({"unit": "tailnum"}, r"write \('tailnum',\)"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_field(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        RolloutPlan(quality=QUALITY, **wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"share": 1.0}, "reached by proof"), ({"share": 0.0}, "share"), ({"margin": 1.0}, "margin"),
     ({"least": 0}, "least"), ({"share": float("nan")}, "share == nan")],
)  # fmt: skip
def test_a_wrong_step_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Step(**{"share": 0.05, "margin": 3.0} | wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"loss": "auc"}, "loss"), ({"margin": 0.0}, "margin"), ({"alpha": 0.5}, "alpha"), ({"blocks": 4}, "blocks"),
     ({"block": timedelta(hours=5)}, "block")],
)  # fmt: skip
def test_a_wrong_quality_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Quality(**{"loss": "brier", "margin": 0.01} | wrong)


def test_a_loss_of_another_task_and_a_unit_that_is_not_known_when_asked_are_refused() -> None:
    tiny = use_case()
    with pytest.raises(DeclarationError, match="absolute"):
        replace(tiny, rollout=RolloutPlan(quality=Quality(loss="absolute", margin=1.0)))
    with pytest.raises(DeclarationError, match="known at 'arrived'"):
        replace(tiny, rollout=RolloutPlan(quality=QUALITY, unit=("late",)))


def test_no_plan_has_a_step_of_everything() -> None:
    for plan in (RolloutPlan(quality=QUALITY), RolloutPlan.blue_green(QUALITY)):
        assert max(step.share for step in plan.steps) < 1.0
