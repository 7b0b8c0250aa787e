"""A short history that is played in seconds: five thin weeks of flights, a model that fits in one, a ladder of days.

As a program it plays it below a folder, so that it can be killed: `python -m mlops_assets_tests.replay.played ROOT`.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_assets.declare import Quality, RolloutPlan, Step, UseCase
from mlops_assets.replay.history import prepare
from mlops_assets.replay.sabotage import deeds
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.together import HISTORY, play_one
from mlops_assets.stores.settings import settings
from mlops_assets_tests.graph.world import WEEKS, land, small_use_case

NAME = "declared"
BEGIN, END = WEEKS[3], WEEKS[4]


def quick(use_case: UseCase) -> UseCase:
    """Its rollouts take days: few answers are asked for, and a difference of quality that any model keeps.

    Its weeks go on without an end, as most do.
    """
    plan = RolloutPlan(
        quality=Quality(loss="log_loss", margin=0.5, blocks=5),
        steps=(Step(share=0.25, margin=50.0, least=1), Step(share=0.5, margin=50.0, least=1)),
        unit=("tailnum",), shadow_least=1, soak_least=1, most_bad=0.4,
    )  # fmt: skip
    return replace(use_case, rollout=plan, partitions=replace(use_case.partitions, end=None))


def scenario(files: Path, *sabotage: str, **changes: Any) -> Scenario:
    """Two weeks of requests after three that a model is made from; the files lie below `files`."""
    if not (files / "landing").exists():
        land(files)
    use_case = quick(small_use_case())
    told: dict[str, Any] = {
        "use_case": use_case, "name": NAME, "changes": {}, "begin": BEGIN, "end": END,
        "landing": settings({"MLOPS_DATA": str(files)}).landing, "sabotage": deeds(use_case, sabotage, BEGIN, END),
    }  # fmt: skip
    return Scenario(**(told | changes))


def play(told: Scenario, root: Path) -> None:
    """Its history, where there is none yet, then the scenario; a checkpoint after each week."""
    prepare(told, root / HISTORY, lambda doing, done, of: None)
    play_one(told, root, lambda said: None, sitting_weeks=1)


if __name__ == "__main__":
    play(scenario(Path(sys.argv[1]), *sys.argv[2:]), Path(sys.argv[1]))
