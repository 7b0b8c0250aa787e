"""A gateway on the clocks of a replay: whole rollouts in a moment, faults that hurt nobody, the same bytes again."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.words import Stage
from mlops_assets.replay.local_slots import Fault, Spoil
from mlops_assets.replay.stretches import Asks, Stretch
from mlops_assets.replay.tower import Clock, Counts, Tower
from mlops_assets.stores.records import Records, entry
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world
from mlops_assets_tests.replay import parcels

USE_CASE = parcels.use_case()
SECOND = 60  # stretches after which version 2 is nominated: version 1 is final by then
LADDER = [Kind.OPENED, Kind.READY, Kind.ADVANCED, Kind.ADVANCED, Kind.FINALIZED]


def play(tower: Tower, places: Settings, stretches: Sequence[Stretch]) -> list[list[Event]]:
    """Play stretches; version 2 is nominated after the first 60. What was decided in each."""
    decided = []
    for n, stretch in enumerate(stretches):
        if n == SECOND:
            parcels.nominate(places, 2)
        decided.append(tower.play(stretch))
    return decided


def played(places: Settings, count: int = 125, spoils: dict[int, Spoil] | None = None) -> Counts:
    """Two rollouts, as far as so many stretches bring them."""
    parcels.nominate(places, 1)
    with Tower(USE_CASE, places, Clock(), spoils=spoils) as tower:
        play(tower, places, parcels.hours(count))
    return tower.counts


def kinds(events: Sequence[Event]) -> list[Kind]:
    return [event.kind for event in events]


def rows(places: Settings, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(Path(places.serving) / "parcels.predictions.db") as db:
        return db.execute(sql).fetchall()


def dumped(places: Settings) -> list[str]:
    """All that is kept of rollouts, of predictions, and in the ledger."""
    serving, found = Path(places.serving), []
    for path in (serving / "parcels.rollout.db", serving / "parcels.predictions.db", Path(places.records)):
        with sqlite3.connect(path) as db:
            found += list(db.iterdump())
    return found


def test_two_models_become_champion_by_proof_one_after_the_other(found: Settings) -> None:
    counts = played(found)

    assert kinds(counts.events) == [*LADDER[1:], *LADDER]
    assert (counts.answered, counts.refused, counts.not_asked) == (counts.asked, 0, 0)
    with Rollouts(found.serving, "parcels") as rollouts:
        assert (rollouts.row().champion, rollouts.row().finalized) == (2, (0, 1, 2))


def test_a_challenger_is_in_the_shadow_before_the_next_request(found: Settings) -> None:
    parcels.nominate(found, 1)
    with Tower(USE_CASE, found, Clock()) as tower:
        decided = play(tower, found, parcels.hours(SECOND + 2))

    assert kinds(decided[0]) == [Kind.READY]
    assert kinds(decided[SECOND]) == [Kind.OPENED, Kind.READY]
    stages = rows(found, "SELECT DISTINCT stage FROM prediction WHERE challenger = 2")
    assert stages == [("SHADOW",)]


def test_every_request_is_in_the_log_with_its_answer_its_mirrored_one_and_its_outcome(found: Settings) -> None:
    stretches = parcels.hours(15)  # all of them in the shadow
    parcels.nominate(found, 1)
    with Tower(USE_CASE, found, Clock()) as tower:
        for stretch in stretches:
            tower.play(stretch)
            log = PredictionLog(found.serving, USE_CASE)
            for id_ in stretch.asked.ids[:1]:
                answer = log.answered(id_)
                assert answer is not None and answer.received_us == stretch.until_us
            log.close()
    asked = {id_ for stretch in stretches for id_ in stretch.asked.ids}
    told = {(one.id, float(one.label), one.known_us, s.at_us) for s in stretches for one in s.matured}

    assert {id_ for (id_,) in rows(found, "SELECT id FROM prediction")} == asked
    assert {id_ for (id_,) in rows(found, "SELECT id FROM mirrored")} == asked
    assert set(rows(found, "SELECT id, label, known_us, arrived_us FROM label")) == told


def test_the_ledger_is_told_of_every_decision(found: Settings) -> None:
    played(found)

    with Records(found.records) as records:
        assert records.aliases("parcels") == {"champion": 2}
        told = [one.kind for one in records.ledger.entries("parcels") if one.kind != "alias"]
    assert told == 2 * [entry.OPENED, *3 * [entry.ADVANCED], entry.FINALIZED]


def test_nothing_is_asked_before_a_model_was_nominated(found: Settings) -> None:
    with Tower(USE_CASE, found, Clock()) as tower:
        for stretch in parcels.hours(10):
            assert tower.play(stretch) == []

    assert (tower.counts.asked, tower.counts.told) == (0, 0)
    assert tower.counts.not_asked == sum(len(stretch.asked.ids) for stretch in parcels.hours(10))


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.NAN, Fault.SLOW])
def test_a_challenger_that_fails_from_its_first_canary_on_answers_nobody_and_is_taken_out(
    found: Settings, fault: Fault
) -> None:
    counts = played(found, spoils={2: Spoil(fault, since=Stage.CANARY)})

    assert kinds(counts.events)[4:] == [Kind.OPENED, Kind.READY, Kind.ADVANCED, Kind.ROLLED_BACK]
    assert (counts.answered, counts.refused) == (counts.asked, 0)
    assert rows(found, "SELECT count(*) FROM prediction WHERE version = 2 OR score IS NULL") == [(0,)]
    assert rows(found, "SELECT count(*) > 0 FROM prediction WHERE status = 'fallback'") == [(1,)]


def test_a_challenger_that_is_wrong_does_not_leave_the_shadow(found: Settings) -> None:
    counts = played(found, spoils={2: Spoil(Fault.WRONG)})

    assert kinds(counts.events)[4:] == [Kind.OPENED, Kind.READY, Kind.ROLLED_BACK]
    assert "brier" in counts.events[-1].why
    assert rows(found, "SELECT count(*) FROM prediction WHERE version = 2") == [(0,)]


def test_a_challenger_that_cannot_be_loaded_is_refused(found: Settings) -> None:
    parcels.nominate(found, 9)
    with Tower(USE_CASE, found, Clock()) as tower:
        (event,) = tower.play(parcels.hours(1)[0])

    assert (event.kind, "has no lineage" in event.why) == (Kind.REFUSED, True)


def test_a_request_that_may_not_be_asked_is_refused_alone(found: Settings) -> None:
    stretch = parcels.hours(1)[0]
    columns = {name: list(values) for name, values in stretch.asked.columns.items()}
    columns["weight"][0] = "heavy"
    parcels.nominate(found, 1)
    with Tower(USE_CASE, found, Clock()) as tower:
        tower.play(
            Stretch(
                at_us=stretch.at_us,
                until_us=stretch.until_us,
                asked=Asks(ids=stretch.asked.ids, columns=columns),
                matured=(),
            )
        )

    assert (tower.counts.refused, tower.counts.answered) == (1, len(stretch.asked.ids) - 1)


@pytest.mark.slow
def test_the_same_stretches_give_the_same_bytes_in_another_process(
    registered: Path, found: Settings, tmp_path: Path
) -> None:
    other = world.copied(registered, tmp_path / "other")
    script = (
        "from pathlib import Path; from mlops_assets_tests.gateway import world;"
        "from mlops_assets_tests.replay import test_tower as t;"
        f"t.played(world.places(Path({str(Path(other.serving).parent)!r})), 90, {{2: t.Spoil(t.Fault.NAN)}})"
    )
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": "7"}, check=True)
    played(found, 90, {2: Spoil(Fault.NAN)})

    assert dumped(found) == dumped(other)


def test_whoever_comes_after_one_that_was_killed_leads_after_the_silence_and_goes_on(found: Settings) -> None:
    stretches, clock = parcels.hours(160), Clock()
    parcels.nominate(found, 1)
    killed = Tower(USE_CASE, found, clock).__enter__()
    play(killed, found, stretches[:90])
    killed.crash()
    killed.close()  # which is nothing any more
    ((last,),) = rows(found, "SELECT max(n) FROM prediction")
    with Tower(USE_CASE, found, clock, name="another") as tower:
        for stretch in stretches[90:]:
            tower.play(stretch)

    first_after = f"SELECT share, version FROM prediction WHERE n > {last} ORDER BY n LIMIT 1"  # noqa: S608  a number
    assert rows(found, first_after) == [(0.0, 1)]
    assert kinds(killed.counts.events + tower.counts.events) == [*LADDER[1:], *LADDER]
    assert {event.who for event in tower.counts.events} == {"another"}
    assert killed.counts.refused + tower.counts.refused == 0


def test_one_that_ended_in_order_is_followed_at_once_and_nothing_changes_by_it(
    registered: Path, found: Settings, tmp_path: Path
) -> None:
    stretches, clock, other = parcels.hours(100), Clock(), world.copied(registered, tmp_path / "other")
    parcels.nominate(found, 1)
    with Tower(USE_CASE, found, clock) as tower:
        play(tower, found, stretches[:80])
    with Tower(USE_CASE, found, clock) as tower:
        for stretch in stretches[80:]:
            tower.play(stretch)
    played(other, 100)

    answers = "SELECT * FROM prediction ORDER BY n"
    assert rows(found, answers) == rows(other, answers)


@pytest.mark.parametrize("end", [Tower.close, Tower.crash])
def test_one_that_ended_has_no_file_open(found: Settings, end: Callable[[Tower], None]) -> None:
    parcels.nominate(found, 1)
    tower = Tower(USE_CASE, found, Clock()).__enter__()
    play(tower, found, parcels.hours(5))
    end(tower)

    files = {path.name for path in Path(found.serving).iterdir()}
    assert files == {"parcels.rollout.db", "parcels.predictions.db"}
