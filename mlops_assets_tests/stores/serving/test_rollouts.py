"""Rollouts as they are kept, in a file and on a server: every write once, in turn, or not at all."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.standing import fold
from mlops_assets.core.rollout.words import BASELINE, Stage
from mlops_assets.declare import DamagedError, DataError, IllegalTransition
from mlops_assets.stores.crashpoints import VARIABLE
from mlops_assets.stores.serving.checkpoints import Checkpoint
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.rollouts import CRASH_POINTS, Rollouts, Stale
from mlops_assets_tests.core.rollout.ladder import CLIMB, PLAN, TERMS, USE_CASE, event, evidence, proven
from mlops_assets_tests.stores.serving.climbing import TOLD, by_hand, climbed, lease, opened, write


@pytest.fixture
def rollouts(serving: str) -> Iterator[Rollouts]:
    with Rollouts(serving, USE_CASE) as made:
        yield made


@pytest.fixture
def other(serving: str, rollouts: Rollouts) -> Iterator[Rollouts]:
    """The same rollouts, seen by another process."""
    with Rollouts(serving, USE_CASE) as made:
        yield made


def test_before_the_first_rollout_the_baseline_answers(rollouts: Rollouts) -> None:
    row = rollouts.row()

    assert (row.stage, row.champion, row.epoch, rollouts.events()) == (Stage.IDLE, BASELINE, 0, [])


def test_what_is_written_is_read_by_everybody_and_follows_from_the_events(rollouts: Rollouts, other: Rollouts) -> None:
    for number in range(1, len(CLIMB) + 1):
        row = climbed(rollouts, number, version=10 + number)
        assert other.row() == rollouts.row() == row == fold(USE_CASE, other.events()).row
        rollouts.abort(**TOLD)

    assert other.row().champion == 15 and other.events(other.row().epoch) == []
    assert [one.epoch for one in other.events(7)] == list(range(8, other.row().epoch + 1))


def test_two_use_cases_are_two_rollouts(serving: str, rollouts: Rollouts) -> None:
    climbed(rollouts, 2)

    with Rollouts(serving, "parking") as parking:
        assert parking.row().epoch == 0 and opened(parking).challenger == 3
    assert rollouts.row().share == 0.25


@pytest.mark.parametrize("steps", range(5))
def test_one_writer_for_an_epoch(rollouts: Rollouts, other: Rollouts, steps: int) -> None:
    """Invariant 6: the second one, who decided on what is past, is told so and writes nothing."""
    climbed(rollouts, steps)
    standing, kind = other.standing(), CLIMB[steps]
    late = proven(standing, kind) if kind.increases else event(standing, kind)
    row = rollouts.pause(**TOLD)

    with pytest.raises(Stale, match=f"epoch == {row.epoch}, must be {row.epoch - 1}"):
        other.write(late, expect=standing.row.epoch, lease=lease(other))
    assert other.row() == rollouts.row() == row


@pytest.mark.parametrize("steps", range(1, 5))
def test_an_increase_needs_the_lease_and_a_decrease_nothing(rollouts: Rollouts, steps: int) -> None:
    """Invariant 5."""
    climbed(rollouts, steps)
    standing, held = rollouts.standing(), lease(rollouts)
    told = proven(standing, CLIMB[steps])
    after = lease(rollouts)  # another took it since

    for wrong in (None, held, after._replace(holder="x"), after._replace(token=after.token + 1)):
        with pytest.raises(Stale, match="lease"):
            rollouts.write(told, expect=standing.row.epoch, lease=wrong)
    assert rollouts.row() == standing.row
    assert rollouts.abort(**TOLD).share == 0.0


@pytest.mark.parametrize("steps", range(1, 5))
def test_an_increase_without_proof_is_not_written(rollouts: Rollouts, steps: int) -> None:
    """Invariants 2 and 9."""
    climbed(rollouts, steps)
    standing = rollouts.standing()
    bare = event(standing, CLIMB[steps])
    poor = proven(standing, CLIMB[steps], by=evidence(standing.row, calls=[]))

    for told in (bare, poor, replace(poor, facts={"certificate": None})):
        with pytest.raises(IllegalTransition, match="is not justified"):
            rollouts.write(told, expect=standing.row.epoch, lease=lease(rollouts))
    assert rollouts.row() == standing.row and len(rollouts.events()) == standing.row.epoch


def test_no_command_reaches_everybody(rollouts: Rollouts) -> None:
    """Direct cutover is impossible: whatever is asked for, in whatever order, no share rises and no champion comes."""
    opened(rollouts)
    write(rollouts, Kind.READY)
    commands = (rollouts.pause, rollouts.resume, rollouts.abort, rollouts.restore, rollouts.pause, rollouts.resume)

    for command in commands:
        try:
            row = command(**TOLD)
        except DataError:
            row = rollouts.row()
        assert (row.share, row.champion) == (0.0, BASELINE)


def test_a_version_that_is_nominated_twice_is_nominated_once(rollouts: Rollouts) -> None:
    assert opened(rollouts) == opened(rollouts) == opened(rollouts, once="again")

    opened(rollouts, version=4)
    assert opened(rollouts, version=4) == opened(rollouts, version=4, once="again")
    assert rollouts.row().waiting == (4,) and len(rollouts.events()) == 2


def test_a_second_challenger_waits(rollouts: Rollouts) -> None:
    """Invariant 10."""
    climbed(rollouts, 2)

    row = opened(rollouts, version=4)

    assert (row.challenger, row.waiting, row.share) == (3, (4,), 0.25)


def test_a_version_that_was_rolled_back_comes_again_only_when_it_is_asked_for_anew(rollouts: Rollouts) -> None:
    opened(rollouts)
    ended = rollouts.abort(**TOLD)

    assert opened(rollouts) == ended
    assert opened(rollouts, once="it was mended").challenger == 3


def test_a_version_that_is_final_is_not_nominated(rollouts: Rollouts) -> None:
    final = climbed(rollouts, 5)

    assert opened(rollouts, once="again") == final


def test_a_command_that_is_told_again_changes_nothing(rollouts: Rollouts) -> None:
    climbed(rollouts, 5, version=1)
    climbed(rollouts, 5, version=2)

    rows = [rollouts.restore(once="panic", **TOLD) for _ in range(3)]

    assert {row.champion for row in rows} == {1}
    with pytest.raises(DataError, match="to go further back name a version"):
        rollouts.restore(**TOLD)
    assert rollouts.restore(BASELINE, **TOLD).champion == BASELINE


def test_commands_that_mean_nothing_now_are_refused_or_change_nothing(rollouts: Rollouts) -> None:
    for command in (rollouts.pause, rollouts.resume):
        with pytest.raises(DataError, match="no rollout runs"):
            command(**TOLD)
    with pytest.raises(IllegalTransition):
        rollouts.restore(BASELINE, **TOLD) if rollouts.row().epoch else write(rollouts, Kind.RESTORED, version=0)
    assert rollouts.abort(**TOLD).epoch == 0
    opened(rollouts)
    assert rollouts.resume(**TOLD).epoch == 1
    assert rollouts.pause(**TOLD) == rollouts.pause(**TOLD)


def test_a_breaker_takes_out_the_rollout_it_saw_and_no_other(rollouts: Rollouts) -> None:
    first = climbed(rollouts, 2)
    told = {**TOLD, "why": "10 of the last 20 calls failed"}
    assert rollouts.break_off(rollout=first.rollout, **told).stage is Stage.ROLLED_BACK

    second = opened(rollouts, version=4)
    assert rollouts.break_off(rollout=first.rollout, **told) == second


def test_a_row_that_was_changed_by_hand_changes_nothing_and_is_mended(rollouts: Rollouts, other: Rollouts) -> None:
    row = climbed(rollouts, 2)
    assert not rollouts.mend()

    by_hand(rollouts, "UPDATE rollout SET share = 1.0, champion = 3, stage = 'FINALIZED', epoch = 99")

    assert rollouts.row() == other.row() == row
    assert other.mend() and not rollouts.mend()
    assert rollouts.pause(**TOLD).share == 0.25


@pytest.mark.parametrize("change", [
    "UPDATE rollout_event SET facts = '{}' WHERE epoch = 3", "UPDATE rollout_event SET kind = 'READY' WHERE epoch = 3",
    "UPDATE rollout_event SET kind = 'MAGIC' WHERE epoch = 3", "UPDATE rollout_event SET facts = '[]' WHERE epoch = 3",
    "UPDATE rollout_event SET facts = 'nope' WHERE epoch = 3", "DELETE FROM rollout_event WHERE epoch = 2",
    "UPDATE rollout_event SET hash = previous WHERE epoch = 3",
])  # fmt: skip
def test_events_that_were_changed_are_not_believed_and_not_built_upon(
    rollouts: Rollouts, other: Rollouts, change: str
) -> None:
    climbed(rollouts, 2)
    by_hand(rollouts, change)

    with pytest.raises((DamagedError, IllegalTransition)):
        other.row()
    with pytest.raises((DamagedError, IllegalTransition)):
        other.abort(**TOLD)


def test_events_that_are_gone_are_missed_by_whoever_knew_them(rollouts: Rollouts) -> None:
    climbed(rollouts, 2)
    by_hand(rollouts, "DELETE FROM rollout_event WHERE epoch = 3")

    with pytest.raises(DamagedError, match="event 3 of the rollouts of flight_delays is gone or another"):
        rollouts.abort(**TOLD)


def test_the_evidence_of_a_stage_is_kept_while_it_lasts_and_goes_on_in_the_next(rollouts: Rollouts) -> None:
    climbed(rollouts, 1)
    shadow = rollouts.standing()
    assert rollouts.checkpoints.get(shadow) == Checkpoint(evidence(shadow.row, [], []), None, 0)
    kept = Checkpoint(evidence(shadow.row), 17, 5)

    assert rollouts.checkpoints.keep(shadow, kept) and rollouts.checkpoints.get(shadow) == kept
    write(rollouts, Kind.ADVANCED)
    assert not rollouts.checkpoints.keep(shadow, kept)  # it was of a stage that has passed
    canary = rollouts.standing()
    assert rollouts.checkpoints.get(canary) == Checkpoint(kept.evidence.entered(), 17, 5)
    by_hand(rollouts, "UPDATE rollout_checkpoint SET content = '{}'")
    assert rollouts.checkpoints.get(canary) == Checkpoint(evidence(canary.row, [], []), None, 0)


def test_without_a_rollout_there_is_no_evidence(rollouts: Rollouts) -> None:
    with pytest.raises(DataError, match="no rollout was opened"):
        rollouts.checkpoints.get(rollouts.standing())


def test_gateways_say_what_they_have_loaded(rollouts: Rollouts, other: Rollouts) -> None:
    rollouts.heartbeats.beat("b", 1, {0: "ready", 3: "refused: no such model"})
    rollouts.heartbeats.beat("a", 1, {0: "loading"})
    rollouts.heartbeats.beat("b", 2, {0: "ready"})
    first, second = other.heartbeats.all()

    assert (first.name, first.slots, first.beats) == ("a", {0: "loading"}, 1)
    assert (second.name, second.epoch, second.slots, second.beats) == ("b", 2, {0: "ready"}, 2)
    other.heartbeats.leave("b")
    assert [one.name for one in rollouts.heartbeats.all()] == ["a"]


def test_many_that_write_at_once_all_write_in_turn(serving: str, rollouts: Rollouts) -> None:
    climbed(rollouts, 2)

    def commands(name: str) -> None:
        with Rollouts(serving, USE_CASE) as mine:
            for number in range(6):
                (mine.pause if number % 2 else mine.resume)(**{**TOLD, "who": name})

    threads = [threading.Thread(target=commands, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = rollouts.events()
    assert [one.epoch for one in events] == list(range(1, len(events) + 1))
    assert fold(USE_CASE, events).row == rollouts.row() and rollouts.row().share == 0.25


def test_a_place_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(DataError, match=r"serving == 'mysql://\.\.\.', must be a folder") as refused:
        Rollouts("mysql://me:secret@host/db", USE_CASE)
    assert "secret" not in str(refused.value)
    with pytest.raises(DataError, match="use case"):
        Rollouts("/tmp", "../x")  # noqa: S108  it is refused before it is used


def test_a_server_that_does_not_answer_is_unavailable_without_its_password() -> None:
    with pytest.raises(Unavailable) as silent:
        Rollouts("postgresql+psycopg2://me:secret@127.0.0.1:9/none", USE_CASE).row()
    assert "secret" not in str(silent.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / f"{USE_CASE}.rollout.db") as foreign:
        foreign.execute("CREATE TABLE x(y)")
    with pytest.raises(DamagedError, match="a database of something else"):
        Rollouts(tmp_path, USE_CASE).row()

    (tmp_path / "parking.rollout.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DamagedError, match="put the backup back"):
        Rollouts(tmp_path, "parking").row()


def test_a_file_of_later_code_is_refused(tmp_path: Path) -> None:
    with Rollouts(tmp_path, USE_CASE) as rollouts:
        rollouts.row()
    with sqlite3.connect(tmp_path / f"{USE_CASE}.rollout.db") as file:
        file.execute("PRAGMA user_version = 9")

    with pytest.raises(DataError, match="format == 9, must be 1"):
        Rollouts(tmp_path, USE_CASE).row()


PROGRAM = """
import sys
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.stores.serving.climbing import TOLD, climbed
rollouts = Rollouts(sys.argv[1], "flight_delays")
climbed(rollouts, 5)
rollouts.abort(**TOLD)
"""


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.parametrize("turn", [1, 3, 6])
def test_a_writer_that_is_killed_leaves_event_and_row_or_neither(tmp_path: Path, point: str, turn: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    killed = subprocess.run(command, env={**os.environ, VARIABLE: f"{point}:{turn}"}, capture_output=True)

    with Rollouts(tmp_path, USE_CASE) as rollouts:
        assert killed.returncode == -9, killed.stderr.decode()
        assert rollouts.row().epoch == len(rollouts.events()) == turn - (point == "rollout.appended")
        assert not rollouts.mend()


def test_terms_are_those_of_the_plan_that_was_given(rollouts: Rollouts) -> None:
    opened(rollouts)

    standing = rollouts.standing()
    assert standing.terms == TERMS and standing.row.plan == TERMS.hash and standing.terms.plan == PLAN
