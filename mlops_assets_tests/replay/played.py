"""A short history that is played in seconds: five thin weeks of flights, a model that fits in one, a ladder of days."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_assets.declare import Quality, RolloutPlan, Step, UseCase
from mlops_assets.replay.history import prepare
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.together import HISTORY, play_one
from mlops_assets.stores.settings import settings
from mlops_assets_tests.graph.world import WEEKS, land, small_use_case


def quick(use_case: UseCase) -> UseCase:
    """Its rollouts take days: few answers are asked for, and a difference of quality that any model keeps."""
    plan = RolloutPlan(
        quality=Quality(loss="log_loss", margin=0.5, blocks=5),
        steps=(Step(share=0.25, margin=50.0, least=1), Step(share=0.5, margin=50.0, least=1)),
        unit=("tailnum",), shadow_least=1, soak_least=1, most_bad=0.4,
    )  # fmt: skip
    return replace(use_case, rollout=plan)


def scenario(folder: Path, **changes: Any) -> Scenario:
    """Two weeks of requests after three that a model is made from; the files lie below `folder`."""
    if not (folder / "landing").exists():
        land(folder)
    told: dict[str, Any] = {
        "use_case": quick(small_use_case()), "name": "declared", "changes": {}, "begin": WEEKS[3], "end": WEEKS[4],
        "landing": settings({"MLOPS_DATA": str(folder)}).landing,
    }  # fmt: skip
    return Scenario(**(told | changes))


def play(told: Scenario, root: Path) -> None:
    """Its history, where there is none yet, and the scenario."""
    prepare(told, root / HISTORY, lambda doing, done, of: None)
    play_one(told, root, lambda said: None)
