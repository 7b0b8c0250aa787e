"""Some weeks of a replay, with everything open: requests in stretches of event time, files when they are complete.

Here belongs in which order things happen. What is answered is the gateway's business (`tower.py`), what is made of a
week's files that of the sensors and jobs (`graph/daemon.py`).
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.declare import MlopsError
from mlops_assets.graph import clock as graph_clock
from mlops_assets.graph.daemon import Daemon, Ran, opened
from mlops_assets.graph.jobs import job_name
from mlops_assets.replay.deeds import Deeds
from mlops_assets.replay.landing import land
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.stretches import EVERY_US, stretches
from mlops_assets.replay.tower import Clock, Tower
from mlops_assets.replay.weeks import Weeks
from mlops_assets.replay.world import World

# in the order in which a week's news takes its way
SENSORS = ("arrivals", "matured", "concept_drift_sensor", "drift_sensor", "registrations", "rollouts")

Hears = Callable[[datetime, str], None]  # the instant that is played, what is done


@dataclass(kw_only=True)
class State:
    """How far a replay is, and what whoever goes on must know.

    `landed` of the scenario's weeks have landed, `played` of those with requests are over; `logical_s` is the clock by
    which silence is measured, `seconds` are those of the wall.
    """

    landed: int = 0
    played: int = 0
    runs: int = 0
    failed_runs: int = 0
    logical_s: float = 0.0
    seconds: float = 0.0
    daemon: dict[str, Any] = field(default_factory=dict)
    deeds: dict[str, Any] = field(default_factory=dict)


class Sitting:
    """Use it in `with`. `state` is brought up to date when it ends in order."""

    def __init__(self, scenario: Scenario, world: World, history: Weeks, defs: Any, state: State, hears: Hears) -> None:
        self._scenario, self._world, self._history, self._defs = scenario, world, history, defs
        self._state, self._hears = state, hears
        self._use_case = scenario.use_case
        self._deeds = Deeds(scenario, world.places, state.deeds)
        self._clock = Clock(seconds=state.logical_s)
        self._stack = ExitStack()
        self._daemon: Daemon
        self._tower: Tower

    def __enter__(self) -> Self:
        state = self._state
        instance = self._stack.enter_context(opened(self._world.places.dagster_home))
        self._daemon = Daemon(
            self._defs, instance, [job_name(self._use_case.name, sensor) for sensor in SENSORS],
            new_id=self._new_id, kept=state.daemon, told=lambda doing: self._hears(moment(self._clock.us), doing),
        )  # fmt: skip
        self._tower = self._stack.enter_context(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        state = self._state
        state.daemon, state.deeds, state.logical_s = self._daemon.kept, self._deeds.kept, self._clock.seconds
        self._stack.close()

    def play(self, until: int) -> None:
        """Play the weeks up to number `until` of those with requests; after the last of them whatever is left."""
        scenario, state = self._scenario, self._state
        played = scenario.played
        last = until == len(played)
        end = instant_us(self._use_case.partitions.bounds(played[until - 1])[1])
        for stretch in stretches(
            self._use_case, self._history, played, seed=scenario.seed, since=played[state.played],
            every_us=EVERY_US, most=scenario.most, delayed_us=self._deeds.delayed_us,
        ):  # fmt: skip
            if stretch.at_us >= end and not last:
                break
            self._land_until(stretch.at_us)
            if self._deeds.crashes(stretch.at_us):
                self._crash()
            self._deeds.spoil(self._tower)
            self._tower.play(stretch)
            self._hears(moment(stretch.at_us), "requests")
        self._land_until(None if last else end)
        state.played = until

    # --- what lands -------------------------------------------------------------------------------------------------

    def _land_until(self, at_us: int | None) -> None:
        """Land the files of every week that is complete by then (None: of all), and let the sensors act."""
        weeks, state = self._scenario.weeks, self._state
        while state.landed < len(weeks):
            week = weeks[state.landed]
            at = self._deeds.due(week)
            if at_us is not None and instant_us(at) > at_us:
                return
            self._clock.us = max(self._clock.us, instant_us(at))
            with graph_clock.at(at):
                self._land(week, at)
            state.landed += 1

    def _land(self, week: str, at: datetime) -> None:
        scenario, deeds = self._scenario, self._deeds
        for mended in deeds.mended_with(week):
            land(self._use_case, self._scenario.zone, self._world.places, mended, at)
        land(self._use_case, self._scenario.zone, self._world.places, week, at, deeds.faults(week))
        if week <= scenario.first:
            self._must(self._daemon.run(job_name(self._use_case.name, "data"), week))
        if week >= scenario.first:
            self._count(self._daemon.until_quiet())
        if week == scenario.first:
            self._must(self._daemon.run(job_name(self._use_case.name, "train"), week))
        elif deeds.wants_challenger(week, self._tower):
            self._count([self._daemon.run(job_name(self._use_case.name, "train"), week)])
        if week >= scenario.first:
            self._tower.tick()
            self._count(self._daemon.until_quiet())
        deeds.landed(week)

    def _must(self, ran: Ran) -> None:
        self._count([ran])
        if not ran.success:
            raise MlopsError(f"{ran.job} of {ran.partition} failed, so there is nothing to replay: {ran.error}")

    def _count(self, runs: Sequence[Ran]) -> None:
        self._state.failed_runs += sum(not ran.success for ran in runs)

    def _new_id(self) -> str:
        self._state.runs += 1
        return self._scenario.run_id(self._state.runs)

    # --- who answers ------------------------------------------------------------------------------------------------

    def _open(self) -> Tower:
        return Tower(self._use_case, self._world.places, self._clock, spoils=self._deeds.spoils)

    def _crash(self) -> None:
        """Gateway and controller are gone without a word; others begin in their place."""
        self._tower.crash()
        self._tower = self._stack.enter_context(self._open())
