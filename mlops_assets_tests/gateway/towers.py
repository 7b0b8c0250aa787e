"""Gateways without HTTP: requests are answered as the watch says, logged as they would be, and judged by controllers.

A small world in memory but for the rollouts, which are kept in a real file: what a controller reads comes from `Log`,
what gateways do from `Tower`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from mlops_assets.core.rollout.events import Event
from mlops_assets.core.rollout.router import unit_hash
from mlops_assets.core.rollout.words import Arm, Pair, Seen, Stage
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.controller import Controller
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.log_reader import Batch
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Routing, Watch
from mlops_assets_tests.core.rollout.ladder import ERROR, GOOD, USE_CASE, WHEN_US


@dataclass
class Log:
    """A prediction log: rows by their id, each once, in the order in which they came."""

    rows: dict[str, tuple[str, list[Seen], list[Pair], int]] = field(default_factory=dict)
    broken: bool = False

    def put(self, id: str, rollout: int, seen: Iterable[Seen], pairs: Iterable[Pair], exposed: int) -> None:
        """Write a row; one that is there stays what it is."""
        self.rows.setdefault(id, (str(rollout), list(seen), list(pairs), exposed))

    def since(self, cursor: int | None, limit: int, *, rollout: str, block: timedelta | None) -> Batch:
        if self.broken:
            raise DataError("the disk does not answer")
        rows = list(self.rows.values())[cursor or 0 :][:limit]
        mine = [row for row in rows if row[0] == rollout]
        return Batch(
            [one for row in mine for one in row[1]], [one for row in mine for one in row[2]],
            (cursor or 0) + len(rows), sum(row[3] for row in mine), len(rows),
        )  # fmt: skip


@dataclass
class World:
    """Two clocks, a log, and the place where the rollouts are kept."""

    where: Path
    log: Log = field(default_factory=Log)
    wall_us: int = WHEN_US
    monotonic_s: float = 50.0
    asked: int = 0

    def rollouts(self) -> Rollouts:
        return Rollouts(self.where, USE_CASE)

    def pass_time(self, seconds: float) -> None:
        self.wall_us += round(seconds * 1e6)
        self.monotonic_s += seconds


class Tower:
    """A gateway: a watch, a controller, slots that load at once. `bad` versions fail two times of three, `poor` ones

    are wrong, those in `refuses` do not load.

    `skew_us` is by how much its wall clock is wrong.
    """

    def __init__(self, world: World, name: str, *, mirror: str | None = None, skew_us: int = 0) -> None:
        self.world, self.name, self.skew_us = world, name, skew_us
        self.bad: set[int] = set()
        self.poor: set[int] = set()
        self.refuses: set[int] = set()
        self.loads = True
        self.mirror = None if mirror is None else Mirror(world.rollouts(), mirror)
        self.start()

    def start(self) -> None:
        """Begin anew, knowing nothing: after a crash."""
        self.rollouts = self.world.rollouts()
        self.watch = Watch(self.world.rollouts(), lambda: self.world.monotonic_s)
        self.controller = Controller(
            self.rollouts, self.world.log, None, clock_us=lambda: self.world.wall_us + self.skew_us,
            monotonic=lambda: self.world.monotonic_s, name=self.name,
        )  # fmt: skip

    def beat(self) -> None:
        """A sign of life, with what it has loaded."""
        row = self.watch.current().row
        said = {version: "refused: no such model" if version in self.refuses else "ready" if self.loads else "loading"
                for version in row.warm}  # fmt: skip
        self.rollouts.heartbeats.beat(self.name, row.epoch, said)

    def tick(self) -> Event | None:
        """What the controller does."""
        self.beat()
        return self.controller.tick()

    def answer(self, count: int = 1, *, label: bool = True, repeat: bool = False) -> list[Arm]:
        """Answer so many requests: who is called first, who is called in shadow, all of it logged; whose answers."""
        return [self._one(self.watch.current(), label=label, repeat=repeat) for _ in range(count)]

    def _one(self, routing: Routing, *, label: bool, repeat: bool) -> Arm:
        world, row = self.world, routing.row
        world.asked += 1
        place = unit_hash(row.salt, str(world.asked).encode())
        arm = routing.answering(place)
        told, seen, given = (row.epoch, row.share, arm), [], arm
        failed = row.challenger in self.bad and world.asked % 3 > 0
        if arm is Arm.CHALLENGER:
            seen.append(Seen(*told, Arm.CHALLENGER, False, ERROR if failed else GOOD))
            if failed:
                given = Arm.CHAMPION
                seen.append(Seen(*told, Arm.CHAMPION, False, GOOD))
            else:
                seen.append(Seen(*told, Arm.CHAMPION, True, GOOD))
        else:
            seen.append(Seen(*told, Arm.CHAMPION, False, GOOD))
            if row.challenger is not None and row.stage is not Stage.PREPARING:
                seen.append(Seen(*told, Arm.CHALLENGER, True, ERROR if failed else GOOD))
        both = len(seen) > 1 and not failed and label
        pairs = [Pair(row.epoch, "2013-07-01", 1.0, 0.5, 0.1 if row.challenger in self.poor else 0.9)] if both else []
        for _ in range(2 if repeat else 1):
            world.log.put(f"r{world.asked}", row.rollout, seen, pairs, int(given is Arm.CHALLENGER))
        return given
