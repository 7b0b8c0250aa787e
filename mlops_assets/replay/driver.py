"""One policy through its history, in event time: the world's clock goes from stretch to stretch.

In between, at the instant at which a week's files are complete, they land, and the sensors do what they do by themselves.
Every few weeks all is put down and copied aside; whoever comes after a kill goes on from there, and arrives at the same.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_assets.core.account import Policy, Sabotage
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.versions import JSON
from mlops_assets.declare import MlopsError
from mlops_assets.graph import clock as graph_clock
from mlops_assets.graph.daemon import Daemon, Ran, opened
from mlops_assets.graph.jobs import job_name
from mlops_assets.graph.lifecycle import definitions
from mlops_assets.replay.landing import land
from mlops_assets.replay.local_slots import Spoil
from mlops_assets.replay.sabotage import LATE, OF_MODELS, Deed, Kind
from mlops_assets.replay.scenario import CHECKPOINT_WEEKS, EVERY, Scenario
from mlops_assets.replay.stretches import Stretch, stretches
from mlops_assets.replay.telling import tell
from mlops_assets.replay.tower import Clock, Tower
from mlops_assets.replay.weeks import Weeks
from mlops_assets.replay.world import World

# in the order in which a week's news takes its way
SENSORS = ("arrivals", "matured", "concept_drift_sensor", "drift_sensor", "registrations", "rollouts")
_WEEK = timedelta(days=7)

Told = Callable[[datetime, str], None]  # the instant that is played, what is done


class Failed(MlopsError):
    """A run of the replay failed."""


class Driver:
    """Plays a scenario in a world; `history` are its weeks as requests see them. `told` hears how far it is."""

    def __init__(self, scenario: Scenario, world: World, history: Weeks, told: Told) -> None:
        self._scenario, self._world, self._history, self._told = scenario, world, history, told
        self._use_case = scenario.use_case
        self._seconds = 0.0

    def play(self) -> Policy:
        """Play it, or what is left of it, to its end, and tell what happened."""
        began = time.monotonic()
        state = _State(self._world.restore())
        while state.next_week is not None:
            self._play_some(state)
            state.seconds += time.monotonic() - began
            began = time.monotonic()
            self._world.checkpoint(state.to_json())
        ...


class _State:
    ...
