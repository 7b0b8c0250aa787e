"""What a gateway honours: a row that follows from proven events, while a controller is heard of."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.words import BASELINE, Arm, Stage
from mlops_assets.core.versions import canonical_json
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.stored import columns_of
from mlops_assets.stores.serving.tables import EVENT, ROLLOUT
from mlops_assets.stores.serving.watch import Routing, Watch
from mlops_assets_tests.core.rollout.ladder import CLIMB, PLAN, USE_CASE, event, evidence, proven
from mlops_assets_tests.stores.serving.climbing import TOLD, by_hand, climbed, lease, opened, write

SILENCE_S = PLAN.silence.total_seconds()


class World:
    """A gateway's watch with a clock of its own, and somebody else who writes."""

    def __init__(self, where: str, use_case: str = USE_CASE) -> None:
        self.where, self.use_case, self.now = where, use_case, 1_000.0
        self.rollouts = Rollouts(where, use_case)
        self.start()

    def start(self) -> None:
        """Start the gateway, again."""
        self.watch = Watch(Rollouts(self.where, self.use_case), lambda: self.now)

    def beat(self) -> None:
        held = lease(self.rollouts)
        self.rollouts.leases.beat(held)

    def look(self, *, after_s: float = 1.0) -> Routing:
        self.now += after_s
        return self.watch.current()

    def alive(self) -> Routing:
        """After a sign of life of a controller."""
        self.look()
        self.beat()
        return self.look()


@pytest.fixture
def world(serving: str) -> World:
    return World(serving)


def answers(routing: Routing) -> dict[Arm, int]:
    """Who answers a hundred units."""
    met = [routing.answering(unit / 100) for unit in range(100)]
    return {arm: met.count(arm) for arm in Arm}


def test_before_the_first_rollout_the_baseline_answers(world: World) -> None:
    routing = world.look()

    assert (routing.row.champion, routing.plan, routing.honoured, routing.fault) == (BASELINE, None, True, "")
    assert answers(routing)[Arm.CHAMPION] == 100


@pytest.mark.parametrize("steps", range(6))
def test_the_row_in_force_is_the_row_as_it_is_now(world: World, steps: int) -> None:
    row = climbed(world.rollouts, steps)
    routing = world.alive()

    assert routing.row == row and routing.alive and routing.honoured and routing.plan == PLAN
    assert answers(routing)[Arm.CHALLENGER] == round(100 * row.share)


def test_a_decision_is_in_force_at_the_next_look(world: World) -> None:
    climbed(world.rollouts, 3)
    assert answers(world.alive())[Arm.CHALLENGER] == 50

    world.rollouts.abort(**TOLD)
    assert answers(world.look(after_s=0.0))[Arm.CHALLENGER] == 0


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_without_a_sign_of_life_the_champion_answers_everything(world: World, steps: int) -> None:
    """Invariant 11, the dead man's switch: before the first sign, and after the last."""
    climbed(world.rollouts, steps)
    assert not world.look().alive and answers(world.look())[Arm.CHALLENGER] == 0
    assert answers(world.alive())[Arm.CHALLENGER] > 0

    assert answers(world.look(after_s=SILENCE_S))[Arm.CHALLENGER] > 0
    silent = world.look(after_s=0.1)
    assert (silent.alive, silent.honoured, silent.row.share) == (False, True, 0.0)
    assert answers(silent)[Arm.CHALLENGER] == 0
    assert answers(world.alive())[Arm.CHALLENGER] > 0


CHANGES = (
    "share = 1.0", "share = 0.5000001", "stage = 'SOAK'", "champion = 3", "champion = 9", "challenger = 9", "step = 1",
    "epoch = epoch + 1", "finalized = '[0,9]'", "share = 1.0, stage = 'SOAK', step = 2", "salt = 'x'", "plan = 'x'",
    "entered = 0", "rollout = 7",
)  # fmt: skip


@pytest.mark.parametrize("steps", range(6))
def test_a_row_that_was_changed_by_hand_is_not_honoured(world: World, steps: int) -> None:
    before = climbed(world.rollouts, steps)
    assert world.alive().honoured
    refused = 0
    for change in CHANGES:
        by_hand(world.rollouts, f"UPDATE rollout SET {change}")  # noqa: S608  words of ours
        routing = world.look()
        assert answers(routing)[Arm.CHALLENGER] == 0 or routing.row == before
        if world.rollouts.mend():  # else it was so before
            refused += 1
            assert not routing.honoured and "was changed by hand" in routing.fault
            assert routing.row == before.alone()
        assert world.look().honoured
        world.beat()
    assert refused >= len(CHANGES) - 4


def test_a_row_of_nonsense_or_none_is_not_honoured(world: World) -> None:
    climbed(world.rollouts, 3)
    world.alive()

    by_hand(world.rollouts, "DELETE FROM rollout")
    assert "is gone" in world.look().fault and answers(world.look())[Arm.CHALLENGER] == 0
    assert world.rollouts.mend() and world.alive().honoured


def forge(world: World, made: Event) -> None:
    """An event and the row that follows from it, put into the tables by somebody who can write them."""
    standing = world.rollouts.standing()
    row = replace(standing.row, epoch=made.epoch, share=1.0, stage=Stage.SOAK, step=len(PLAN.steps), entered=made.epoch)
    if made.kind is Kind.FINALIZED:
        row = replace(row, champion=3, challenger=None, share=0.0, stage=Stage.FINALIZED, finalized=(BASELINE, 3))
    columns = {**made.__dict__, "kind": made.kind.value, "facts": canonical_json(dict(made.facts)).decode()}
    with world.rollouts.database.writing() as connection:
        connection.execute(insert(EVENT).values(use_case=world.use_case, **columns))
        connection.execute(update(ROLLOUT).where(ROLLOUT.c.use_case == world.use_case).values(**columns_of(row)))


def forged(world: World, kind: Kind, how: str) -> Event:
    """An increase that nobody judged: without certificate, with one of poor evidence, of another time, or unsealed."""
    standing = world.rollouts.standing()
    if how == "bare":
        return event(standing, kind)
    if how == "poor":
        return proven(standing, kind, by=evidence(standing.row, calls=[]))
    sound = proven(standing, kind)
    if how == "unsealed":
        return replace(sound, hash="0" * 64)
    other = {**sound.facts["certificate"], "rollout": 99}
    return event(standing, kind, certificate=other)


@pytest.mark.parametrize("how", ["bare", "poor", "other", "unsealed"])
@pytest.mark.parametrize("kind", [Kind.ADVANCED, Kind.FINALIZED])
def test_a_forged_increase_reaches_nobody(serving: str, how: str, kind: Kind) -> None:
    """Invariants 1 and 2, against whoever can write the tables: on gateways that run, and on one that starts."""
    for steps in range(5):
        world = World(serving, f"at_{steps}")
        before = climbed(world.rollouts, steps)
        world.alive()
        forge(world, forged(world, kind, how))

        for start in (False, False, True):
            if start:
                world.start()
            routing = world.look()
            assert not routing.honoured and "event" in routing.fault
            assert routing.row == before.alone() and answers(routing)[Arm.CHALLENGER] == 0


def test_what_holds_before_a_forged_event_counts(world: World) -> None:
    """A rollback that was decided is in force, though somebody wrote nonsense behind it before it was seen."""
    climbed(world.rollouts, 5, version=2)
    climbed(world.rollouts, 3)
    world.alive()
    restored = world.rollouts.restore(BASELINE, **TOLD)
    forge(world, forged(world, Kind.FINALIZED, "bare"))

    assert world.look().row == restored.alone() and not world.look().honoured


@pytest.mark.parametrize("statement", [
    "DELETE FROM rollout_event WHERE epoch = 5", "DELETE FROM rollout_event",
    "UPDATE rollout_event SET hash = previous WHERE epoch = 5",
])  # fmt: skip
def test_a_rollback_that_somebody_deletes_does_not_bring_the_challenger_back(world: World, statement: str) -> None:
    shares = climbed(world.rollouts, 3)
    rolled_back = world.rollouts.abort(**TOLD)
    assert world.alive().row == rolled_back

    by_hand(world.rollouts, statement)
    with world.rollouts.database.writing() as connection:
        connection.execute(update(ROLLOUT).values(**columns_of(shares)))

    routing = world.look()
    assert not routing.honoured and "is gone or another" in routing.fault
    assert answers(routing)[Arm.CHALLENGER] == 0 and routing.row == rolled_back


def test_events_are_folded_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    climbed(world.rollouts, 4)
    world.alive()
    judged: list[str] = []
    from mlops_assets.core.rollout import standing

    real = standing.flaw
    monkeypatch.setattr(standing, "flaw", lambda *given: judged.append("again") or real(*given))
    for _ in range(5):
        world.beat()
        world.look()
    assert judged == []
    write(world.rollouts, Kind.FINALIZED)
    assert world.look().row.champion == 3 and len(judged) >= 1


def test_a_database_that_is_away_leaves_the_champion(tmp_path: Path) -> None:
    rollouts = Rollouts(tmp_path, USE_CASE)
    climbed(rollouts, 3)
    now = [0.0]
    blocked = tmp_path / "elsewhere"
    blocked.write_text("a file where a folder must be")

    watch = Watch(Rollouts(blocked, USE_CASE), lambda: now[0])

    routing = watch.current()
    assert not routing.honoured and routing.fault and answers(routing)[Arm.CHAMPION] == 100
    assert watch.current() is routing  # it is not asked again at once
    blocked.unlink()
    climbed(Rollouts(blocked, USE_CASE), 1)
    assert not watch.current().honoured
    now[0] += 1.0
    assert watch.current().honoured and watch.current().row.stage is Stage.SHADOW


def test_a_server_that_goes_away_and_comes_back() -> None:
    from mlops_assets_tests.stores.serving.postgres import running_postgres

    now = [0.0]
    with running_postgres() as server:
        rollouts = Rollouts(server.url, USE_CASE)
        row = climbed(rollouts, 2)
        watch = Watch(Rollouts(server.url, USE_CASE), lambda: now[0])
        assert watch.current().row == row.alone()

        server.kill()
        away = watch.current()
        assert not away.honoured and away.row == row.alone() and answers(away)[Arm.CHAMPION] == 100
        server.start()
        now[0] += 1.0
        assert watch.current().honoured and watch.current().row == row.alone()


def test_a_watch_that_looks_while_others_write_never_sees_a_fault(world: World) -> None:
    """Row and events are of one moment, whatever is written in between."""
    opened(world.rollouts)
    write(world.rollouts, Kind.READY)
    ended = threading.Event()

    def commands() -> None:
        for number in range(60):
            (world.rollouts.resume if number % 2 else world.rollouts.pause)(**TOLD)
        ended.set()

    thread = threading.Thread(target=commands)
    thread.start()
    while not ended.is_set():
        assert world.look(after_s=0.0).fault == ""
    thread.join()
    assert world.look().row.epoch == 62


def test_a_routing_says_its_share_is_in_force(world: World) -> None:
    """What is logged with an answer is the share under which it was given: none while nobody is heard of."""
    climbed(world.rollouts, 3)

    assert (world.look().row.share, world.alive().row.share) == (0.0, 0.5)


def test_the_columns_of_a_row_are_plain_values(world: World) -> None:
    row = climbed(world.rollouts, 3)
    columns: dict[str, Any] = columns_of(row)

    assert json.loads(columns["finalized"]) == [0] and {type(value) for value in columns.values()} <= {int, str, float}
    assert len(CLIMB) == 5


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced by an older copy"])
def test_a_file_that_was_taken_away_is_not_followed_any_more(tmp_path: Path, replaced: bool) -> None:
    """Whoever has it open would go on reading it, and no operator's decision would ever arrive."""
    with Rollouts(tmp_path, USE_CASE) as rollouts:
        climbed(rollouts, 1)
        older = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        write(rollouts, Kind.ADVANCED)
        lease(rollouts)
        clock = [0.0]
        watch = Watch(rollouts, lambda: clock[0])
        watch.current()
        rollouts.leases.beat(lease(rollouts))
        assert watch.current().row.share == PLAN.steps[0].share
        for path in list(tmp_path.iterdir()):
            path.unlink()
        if replaced:
            for name, content in older.items():
                (tmp_path / name).write_bytes(content)
        for _ in range(3):
            clock[0] += 1.0
            routing = watch.current()
            assert routing.row.share == 0.0 and not routing.honoured and routing.fault
