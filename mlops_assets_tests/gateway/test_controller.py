"""The controller: up the ladder by evidence, down at once, and never twice."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.standing import fold
from mlops_assets.core.rollout.words import BASELINE, Arm, Stage
from mlops_assets.declare import RolloutPlan
from mlops_assets_tests.core.rollout.ladder import PLAN, TERMS, USE_CASE
from mlops_assets_tests.gateway.towers import Tower, World

SILENCE_S = PLAN.silence.total_seconds()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def tower(world: World) -> Tower:
    return Tower(world, "one")


def nominate(tower: Tower, version: int = 3, plan: RolloutPlan = PLAN, once: str = "") -> None:
    tower.rollouts.open(version, plan, TERMS.task, baseline_of=1, who="graph", why="a week passed",
                        at_us=tower.world.wall_us, once=once)  # fmt: skip


def run(tower: Tower, *, rounds: int, answers: int = 20, others: tuple[Tower, ...] = ()) -> Iterator[Kind]:
    """Rounds of requests and ticks of every gateway, a second apart; what was decided."""
    for _ in range(rounds):
        for each in (tower, *others):
            each.answer(answers)
            if (event := each.tick()) is not None:
                yield event.kind
        tower.world.pass_time(1.0)


def stage(tower: Tower) -> Stage:
    return tower.rollouts.row().stage


def climb(tower: Tower, to: Stage, **more: int) -> None:
    decisions = run(tower, rounds=60, **more)
    while stage(tower) is not to and next(decisions, None) is not None:
        pass
    if stage(tower) is to:
        return
    raise AssertionError(f"it stays in {stage(tower)}")


def test_a_sound_challenger_climbs_the_ladder_to_the_end(tower: Tower) -> None:
    nominate(tower)
    kinds = list(run(tower, rounds=40))

    assert kinds == [Kind.READY, Kind.ADVANCED, Kind.ADVANCED, Kind.ADVANCED, Kind.FINALIZED]
    row = tower.rollouts.row()
    assert (row.champion, row.challenger, row.stage, row.finalized) == (3, None, Stage.FINALIZED, (BASELINE, 3))
    shares = [event.facts["certificate"]["stage"] for event in tower.rollouts.events() if event.kind.increases]
    assert shares == ["SHADOW", "CANARY", "CANARY", "SOAK"]


def test_one_decision_a_tick_and_each_is_one_event(tower: Tower) -> None:
    nominate(tower)
    before = tower.rollouts.row().epoch
    for _ in range(40):
        tower.answer(20)
        told = tower.tick()
        epoch = tower.rollouts.row().epoch
        assert epoch == before + (told is not None)
        before = epoch
        tower.world.pass_time(1.0)
    assert fold(USE_CASE, tower.rollouts.events()).row == tower.rollouts.row()


@pytest.mark.parametrize(("to", "how"), [(Stage.SHADOW, "bad"), (Stage.CANARY, "bad"), (Stage.SOAK, "bad"),
                                         (Stage.PREPARING, "poor")])  # fmt: skip
def test_a_challenger_that_turns_bad_is_taken_out(tower: Tower, to: Stage, how: str) -> None:
    nominate(tower)
    climb(tower, to, answers=12)
    getattr(tower, how).add(3)

    kinds = list(run(tower, rounds=30))

    assert kinds[-1] is Kind.ROLLED_BACK and Kind.FINALIZED not in kinds
    assert tower.rollouts.row().champion == BASELINE
    assert tower.answer(30) == [Arm.CHAMPION] * 30


def test_without_a_live_gateway_a_challenger_stays_where_it_is(tower: Tower) -> None:
    nominate(tower)
    tower.beat()

    for _ in range(30):
        assert tower.controller.tick() is None
        tower.world.pass_time(1.0)
    assert stage(tower) is Stage.PREPARING


def test_the_shadow_waits_for_the_slowest_gateway(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    other.loads = False
    nominate(tower)
    assert list(run(tower, rounds=20, others=(other,))) == []

    other.loads = True
    assert next(run(tower, rounds=5, others=(other,))) is Kind.READY


def test_a_gateway_that_fell_silent_is_not_waited_for(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    other.loads = False
    nominate(tower)
    list(run(tower, rounds=5, others=(other,)))

    kinds = list(run(tower, rounds=14, answers=0))
    assert kinds == [Kind.READY] and tower.rollouts.row().since_us >= world.wall_us - 5_000_000


def test_a_challenger_that_cannot_be_loaded_is_rejected_with_the_reason(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    other.refuses.add(3)
    nominate(tower)

    assert next(run(tower, rounds=5, others=(other,))) is Kind.REFUSED
    assert tower.rollouts.events()[-1].why == "gateway two refused: no such model" and stage(tower) is Stage.REJECTED


def test_what_a_gateway_says_of_an_earlier_try_does_not_count(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    other.refuses.add(3)
    nominate(tower)
    list(run(tower, rounds=4, others=(other,)))
    nominate(tower, once="it was mended")
    other.rollouts.heartbeats.beat("two", 1, {3: "refused: no such model"})
    tower.tick()
    other.rollouts.heartbeats.beat("two", 1, {3: "refused: no such model"})

    assert tower.tick() is None and stage(tower) is Stage.PREPARING


def test_users_get_no_more_of_a_challenger_than_the_plan_allows(world: World, tower: Tower) -> None:
    nominate(tower, plan=replace(PLAN, exposure=60, soak_least=10**6))
    kinds = list(run(tower, rounds=60))

    exposed = sum(row[3] for row in world.log.rows.values())
    assert kinds[-1] is Kind.ROLLED_BACK and 60 <= exposed <= 60 + 20
    assert "60 are the most" in tower.rollouts.events()[-1].why


@pytest.mark.parametrize("to", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
def test_a_log_that_cannot_be_read_holds_the_share_and_its_return_lets_it_go(
    world: World, tower: Tower, to: Stage
) -> None:
    """Invariant 9."""
    nominate(tower)
    climb(tower, to, answers=12)
    share = tower.rollouts.row().share
    world.log.broken = True
    assert list(run(tower, rounds=30, answers=3)) == [Kind.HELD]
    assert (
        tower.rollouts.row().share == share and "cannot be read (the disk does not answer)" in tower.rollouts.row().held
    )

    world.log.broken = False
    assert next(run(tower, rounds=5)) is Kind.RESUMED
    assert list(run(tower, rounds=40))[-1] is Kind.FINALIZED


def test_a_log_that_stays_away_ends_the_rollout(world: World, tower: Tower) -> None:
    nominate(tower)
    climb(tower, Stage.CANARY)
    world.log.broken = True
    list(run(tower, rounds=20))
    world.pass_time(PLAN.hold.total_seconds())

    assert next(run(tower, rounds=2)) is Kind.ROLLED_BACK


def test_an_hour_without_requests_holds_the_share(world: World, tower: Tower) -> None:
    nominate(tower)
    climb(tower, Stage.CANARY, answers=12)
    for _ in range(14):
        tower.tick()
        world.pass_time(300.0)

    assert "nothing new was logged for" in tower.rollouts.row().held
    assert next(run(tower, rounds=2)) is Kind.RESUMED


def test_old_evidence_advances_nobody(world: World, tower: Tower) -> None:
    """A controller that comes back finds evidence that would pass: it waits until it has seen something new."""
    nominate(tower)
    climb(tower, Stage.SHADOW)
    tower.answer(30)
    world.pass_time(SILENCE_S + 1)
    tower.controller._reading.read(tower.rollouts.standing(), lambda: True)
    tower.start()
    for _ in range(30):
        tower.tick()
        world.pass_time(1.0)
    assert stage(tower) is Stage.SHADOW

    tower.answer(1)
    told = tower.tick()
    assert told is not None and told.kind is Kind.ADVANCED


def test_a_controller_that_comes_after_another_goes_on_where_it_was(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    nominate(tower)
    climb(tower, Stage.SHADOW)
    kinds = []
    for number in range(90):  # each of them dies after a few seconds as the controller
        each = (tower, other)[number // 14 % 2]
        if number % 14 == 0:
            world.pass_time(SILENCE_S)
            each.start()
        kinds += list(run(each, rounds=1))

    assert kinds[-1] is Kind.FINALIZED and tower.rollouts.row().champion == 3


def test_of_two_controllers_one_acts(world: World, tower: Tower, caplog: pytest.LogCaptureFixture) -> None:
    other = Tower(world, "two")
    nominate(tower)
    told = {each.name: [] for each in (tower, other)}
    for _ in range(20):
        for each in (tower, other):
            each.answer(10)
            if (event := each.tick()) is not None:
                told[each.name].append(event)
        world.pass_time(1.0)

    assert told["two"] == [] and told["one"]
    lease = tower.rollouts.leases.look()
    assert lease is not None and lease.holder == "one"


def test_a_controller_that_wakes_up_late_writes_nothing(
    world: World, tower: Tower, caplog: pytest.LogCaptureFixture
) -> None:
    other = Tower(world, "two")
    nominate(tower)
    climb(tower, Stage.SHADOW)
    other.tick()
    for _ in range(round(SILENCE_S) + 1):  # the first one is stopped
        world.pass_time(1.0)
        other.tick()
    lease = other.rollouts.leases.look()
    assert lease is not None and lease.holder == "two"

    tower.answer(50)
    with caplog.at_level(logging.WARNING):
        assert tower.tick() is None
    assert "the lease is another's by now" in caplog.text


def test_a_decision_on_what_is_past_is_not_written_and_told(
    world: World, tower: Tower, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 6: an operator comes between judging and writing."""
    nominate(tower)
    climb(tower, Stage.SHADOW)
    tower.answer(50)
    write = tower.rollouts.write

    def interrupted(*given: object, **more: object) -> object:
        tower.rollouts.abort(who="operator", why="enough", at_us=world.wall_us)
        return write(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tower.rollouts, "write", interrupted)
    with caplog.at_level(logging.WARNING):
        assert tower.tick() is None
    assert stage(tower) is Stage.ROLLED_BACK and "was decided on what is past" in caplog.text


def test_a_controller_that_ends_hands_over_at_once(world: World, tower: Tower) -> None:
    other = Tower(world, "two")
    nominate(tower)
    climb(tower, Stage.SHADOW)

    tower.controller.close()

    assert list(run(other, rounds=30))[-1] is Kind.FINALIZED


def test_the_next_in_the_queue_begins_when_a_rollout_ends(tower: Tower) -> None:
    nominate(tower)
    climb(tower, Stage.CANARY)
    for version in (4, 5):
        nominate(tower, version)

    kinds = list(run(tower, rounds=120, answers=30))

    assert kinds.count(Kind.FINALIZED) == 2 and kinds.count(Kind.SUPERSEDED) == 1
    assert tower.rollouts.row().finalized == (BASELINE, 3, 5)


def test_a_paused_rollout_stands_still_until_an_operator_resumes(tower: Tower) -> None:
    nominate(tower)
    climb(tower, Stage.CANARY)
    told = {"who": "operator", "why": "a look", "at_us": tower.world.wall_us}
    tower.rollouts.pause(**told)
    assert list(run(tower, rounds=30)) == []

    tower.rollouts.resume(**told)
    assert list(run(tower, rounds=30))[-1] is Kind.FINALIZED


def test_a_row_that_was_changed_by_hand_is_written_anew_and_nobody_saw_it(
    tower: Tower, caplog: pytest.LogCaptureFixture
) -> None:
    nominate(tower)
    climb(tower, Stage.SHADOW)
    with tower.rollouts.database.writing() as connection:
        connection.execute(text("UPDATE rollout SET share = 1.0, stage = 'SOAK', step = 2"))
    assert tower.answer(30) == [Arm.CHAMPION] * 30

    with caplog.at_level(logging.WARNING):
        tower.tick()
    assert "the row was changed by hand" in caplog.text and not tower.rollouts.mend()


def test_a_database_that_is_damaged_stops_the_controller_and_nothing_else(
    tower: Tower, caplog: pytest.LogCaptureFixture
) -> None:
    nominate(tower)
    climb(tower, Stage.CANARY)
    with tower.rollouts.database.writing() as connection:
        connection.execute(text("UPDATE rollout_event SET why = 'x' WHERE epoch = 3"))
    tower.start()

    assert tower.controller.tick() is None and "is not what was written" in caplog.text
    assert tower.answer(30) == [Arm.CHAMPION] * 30


@pytest.mark.parametrize("portion", [1, 7, 1_000])
def test_reading_the_log_again_from_the_start_gives_the_same_evidence(
    world: World, tower: Tower, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 8, in portions of any size."""
    nominate(tower)
    climb(tower, Stage.CANARY, answers=9)
    list(run(tower, rounds=2, answers=9))
    standing = tower.rollouts.standing()
    kept = tower.rollouts.checkpoints.get(standing)
    with tower.rollouts.database.writing() as connection:
        connection.execute(text("DELETE FROM rollout_checkpoint"))
    monkeypatch.setattr("mlops_assets.gateway.reading.CHUNK", portion)
    monkeypatch.setattr("mlops_assets.gateway.reading.MOST_CHUNKS", 10_000)
    tower.start()
    for _ in range(2):  # the lease is its forerunner's
        world.pass_time(SILENCE_S)
        tower.tick()

    again = tower.rollouts.checkpoints.get(standing)
    assert again.evidence == kept.evidence and again.exposed == kept.exposed
    assert kept.evidence.calls and kept.evidence.sums
