"""One policy through its history: sitting after sitting of a few weeks, each put down and copied aside at its end.

Whoever comes after a kill goes on from the last copy. A sitting begins with nothing in memory, killed or not: so it
arrives at the same ledger.
"""

import time
from dataclasses import asdict

from mlops_assets.core.account import Policy
from mlops_assets.graph.daemon import definitions_of
from mlops_assets.replay.deeds import Deeds
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.sitting import Hears, Sitting, State
from mlops_assets.replay.telling import tell
from mlops_assets.replay.weeks import Weeks
from mlops_assets.replay.world import World

SITTING_WEEKS = 4  # so much work is lost by a kill at most


def play(
    scenario: Scenario, world: World, history: Weeks, hears: Hears, *, sitting_weeks: int = SITTING_WEEKS
) -> Policy:
    """Play a scenario in its world, or what a kill left of it, to its end; then tell what happened.

    `history` are the weeks as requests see them, `hears` is told how far it is. Every `sitting_weeks` there is a
    checkpoint, and nothing stays in memory: so it is part of what is played. Raises MlopsError for a run that must
    not fail: the making of the first model, and what comes before it.
    """
    kept = world.restore()
    state = State(**kept) if isinstance(kept, dict) else State()
    defs = definitions_of(scenario.use_case, world.places)
    while state.played < len(scenario.played):
        began = time.monotonic()
        until = min(state.played + sitting_weeks, len(scenario.played))
        with Sitting(scenario, world, history, defs, state, hears) as sitting:
            sitting.play(until)
        state.seconds += time.monotonic() - began
        world.checkpoint(asdict(state))
    return tell(
        scenario.use_case,
        world.places,
        name=scenario.name,
        changes=scenario.changes,
        weeks=scenario.played,
        sabotage=Deeds(scenario, world.places, state.deeds).told(),
        seconds=state.seconds,
        runs=state.runs,
        failed_runs=state.failed_runs,
    )
