"""The ledger is told of every event once, in order, whoever is killed in between; stages and aliases follow."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.core.rollout.events import Kind
from mlops_assets.declare import DamagedError, DataError
from mlops_assets.stores.crashpoints import VARIABLE
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import Entry
from mlops_assets.stores.records.tracing import trace
from mlops_assets.stores.serving.ledgered import CRASH_POINTS, ENTRY, Mirror, instant_of
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.core.rollout.ladder import CLIMB, USE_CASE, WHEN_US
from mlops_assets_tests.stores.records.models import model
from mlops_assets_tests.stores.serving.climbing import TOLD, by_hand, climbed, opened, write


@pytest.fixture
def rollouts(tmp_path: Path) -> Iterator[Rollouts]:
    with Rollouts(tmp_path / "serving", USE_CASE) as made:
        yield made


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger in whose lineage are versions 1 to 5."""
    with Records(tmp_path / "records.db") as records:
        for version in range(1, 6):
            records.register(model(version))
    return str(tmp_path / "records.db")


def entries(ledger: str) -> list[Entry]:
    with Records(ledger) as records:
        assert records.ledger.verify() == []
        return records.ledger.entries(USE_CASE)


def told(ledger: str) -> list[str]:
    """Kinds of the entries, without those of aliases."""
    return [entry.kind for entry in entries(ledger) if entry.kind != "alias"]


def stages(ledger: str) -> dict[int, tuple[str, float]]:
    with Records(ledger) as records:
        return {head.version: (head.stage, head.share) for head in records.lineage.heads()}


def test_every_event_is_an_entry_that_says_who_why_and_what_followed(rollouts: Rollouts, ledger: str) -> None:
    climbed(rollouts, 3)
    rollouts.pause(**TOLD)
    rollouts.resume(**TOLD)
    opened(rollouts, 4)
    opened(rollouts, 5)
    write(rollouts, Kind.SUPERSEDED, versions=[4])
    rollouts.abort(**{**TOLD, "who": "operator", "why": "it is too warm"})
    Mirror(rollouts, ledger).catch_up()

    assert told(ledger) == [
        "rollout_opened", "stage_advanced", "stage_advanced", "stage_advanced", "held", "resumed", "queued", "queued",
        "superseded", "rolled_back",
    ]  # fmt: skip
    last = entries(ledger)[-1]
    assert (last.subject, last.who, last.why) == (f"{USE_CASE}@3", "operator", "it is too warm")
    assert last.at == "2013-07-01T00:00:00.000000+00:00" == f"{instant_of(WHEN_US)[:19]}.000000+00:00"
    advanced = [entry for entry in entries(ledger) if entry.kind == "stage_advanced"][-1]
    assert advanced.facts["judgement"]["verdict"] == "PASS" and advanced.answers == (0, 3, "CANARY", 0.5)
    assert set(ENTRY) == set(Kind)


def test_stage_and_share_of_every_version_are_those_of_the_rollout(rollouts: Rollouts, ledger: str) -> None:
    mirror, registered = Mirror(rollouts, ledger), ("registered", 0.0)
    climbed(rollouts, 5, version=1)
    climbed(rollouts, 5, version=2)
    opened(rollouts, 3)
    mirror.catch_up()
    met = [stages(ledger)]
    for kind in CLIMB:
        write(rollouts, kind)
        mirror.catch_up()
        met.append(stages(ledger))

    assert [each[3] for each in met] == [
        ("PREPARING", 0.0), ("SHADOW", 0.0), ("CANARY", 0.25), ("CANARY", 0.5), ("SOAK", 1.0), ("champion", 1.0),
    ]  # fmt: skip
    assert [each[2] for each in met] == [("champion", 1.0 - share) for share in (0, 0, 0.25, 0.5, 1.0)] + [
        ("archived", 0.0)
    ]
    assert all((each[1], each[4], each[5]) == (("archived", 0.0), registered, registered) for each in met)
    rollouts.restore(**TOLD)
    mirror.catch_up()
    assert (stages(ledger)[2], stages(ledger)[3]) == (("champion", 1.0), ("archived", 0.0))
    rollouts.restore(0, **TOLD)
    mirror.catch_up()
    assert stages(ledger)[2] == ("archived", 0.0)


def test_aliases_follow_and_are_found_while_a_rollout_runs(rollouts: Rollouts, ledger: str) -> None:
    mirror = Mirror(rollouts, ledger)
    climbed(rollouts, 5, version=1)
    climbed(rollouts, 2, version=2)
    mirror.catch_up()
    with Records(ledger) as records:
        assert records.aliases(USE_CASE) == {"champion": 1, "challenger": 2}
        (found,) = trace(records.database, f"{USE_CASE}@challenger")
        assert (found.head.version, found.head.stage, found.head.share) == (2, "CANARY", 0.25)
        (found,) = trace(records.database, f"{USE_CASE}@champion")
        assert (found.head.version, found.head.share) == (1, 0.75)

    rollouts.abort(**TOLD)
    mirror.catch_up()
    with Records(ledger) as records:
        assert records.aliases(USE_CASE) == {"champion": 1}
        with pytest.raises(DataError, match="unknown"):
            trace(records.database, f"{USE_CASE}@challenger")
    rollouts.restore(0, **TOLD)
    mirror.catch_up()
    with Records(ledger) as records:
        assert records.aliases(USE_CASE) == {}  # the baseline is no version of the tracker


def test_what_was_told_is_not_told_again(rollouts: Rollouts, ledger: str) -> None:
    climbed(rollouts, 3)
    assert Mirror(rollouts, ledger).catch_up() == 4
    before = entries(ledger)

    assert Mirror(rollouts, ledger).catch_up() == 0
    by_hand(rollouts, "DELETE FROM rollout_mirrored")  # it forgot how far it was
    assert Mirror(rollouts, ledger).catch_up() == 4
    assert entries(ledger) == before


def test_what_is_told_again_moves_no_alias_back(rollouts: Rollouts, ledger: str) -> None:
    climbed(rollouts, 2)
    opened(rollouts, 4)  # says nothing of an alias that it did not say before
    rollouts.abort(**TOLD)
    Mirror(rollouts, ledger).catch_up()
    before = entries(ledger)

    by_hand(rollouts, "UPDATE rollout_mirrored SET epoch = 3")
    Mirror(rollouts, ledger).catch_up()

    assert entries(ledger) == before
    with Records(ledger) as records:
        assert records.aliases(USE_CASE) == {}


def test_two_that_tell_at_once_tell_it_once(rollouts: Rollouts, ledger: str) -> None:
    climbed(rollouts, 5)
    mirrors = [Mirror(rollouts, ledger) for _ in range(3)]
    for mirror in mirrors:
        mirror.nudge(rollouts.row().epoch)
    for mirror in mirrors:
        assert mirror._thread is not None
        mirror._thread.join()

    assert told(ledger) == ["rollout_opened", *["stage_advanced"] * 4, "finalized"]


def test_a_ledger_that_is_away_holds_nothing_up_and_is_told_later(
    rollouts: Rollouts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "elsewhere"
    blocked.write_text("a file where a folder must be")
    mirror = Mirror(rollouts, str(blocked / "records.db"))
    climbed(rollouts, 3)
    mirror.nudge(rollouts.row().epoch)
    assert rollouts.abort(**TOLD).share == 0.0
    assert mirror._thread is not None
    mirror._thread.join()
    assert "the ledger was not told" in caplog.text

    blocked.unlink()
    assert mirror.catch_up() == 5
    assert told(str(blocked / "records.db"))[-1] == "rolled_back"


def test_another_s_rollouts_with_the_same_epochs_are_told_beside(tmp_path: Path, ledger: str) -> None:
    """Whose state was lost begins again at epoch 1: the ledger keeps both."""
    for folder, version in (("a", 1), ("b", 2)):
        with Rollouts(tmp_path / folder, USE_CASE) as rollouts:
            opened(rollouts, version)
            assert Mirror(rollouts, ledger).catch_up() == 1

    assert [entry.subject for entry in entries(ledger) if entry.kind == "rollout_opened"] == [
        f"{USE_CASE}@1", f"{USE_CASE}@2",
    ]  # fmt: skip


def test_events_that_do_not_hold_are_not_told(rollouts: Rollouts, ledger: str) -> None:
    climbed(rollouts, 2)
    by_hand(rollouts, "UPDATE rollout_event SET why = 'because' WHERE epoch = 2")

    with pytest.raises(DamagedError, match="is not what was written"):
        Mirror(Rollouts(rollouts.database.path.parent, USE_CASE), ledger).catch_up()  # type: ignore[union-attr]
    assert told(ledger) == ["rollout_opened"]


def test_an_instant_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(DataError, match="is no instant of a calendar"):
        instant_of(10**20)


PROGRAM = """
import sys
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.rollouts import Rollouts
Mirror(Rollouts(sys.argv[1], "flight_delays"), sys.argv[2]).catch_up()
"""


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.parametrize("turn", [1, 6])
def test_whoever_is_killed_while_telling_leaves_it_to_the_next(
    rollouts: Rollouts, ledger: str, point: str, turn: int
) -> None:
    climbed(rollouts, 5)
    where = str(rollouts.database.path.parent)  # type: ignore[union-attr]
    command = [sys.executable, "-c", PROGRAM, where, ledger]
    killed = subprocess.run(command, env={**os.environ, VARIABLE: f"{point}:{turn}"}, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()

    Mirror(rollouts, ledger).catch_up()

    assert told(ledger) == ["rollout_opened", *["stage_advanced"] * 4, "finalized"]
    with Records(ledger) as records:
        assert records.aliases(USE_CASE) == {"champion": 3}
    assert stages(ledger)[3] == ("champion", 1.0)


def test_an_entry_of_a_rollout_is_written_through_the_records_alone(ledger: str) -> None:
    with Records(ledger) as records:
        known = {"use_case": USE_CASE, "subject": "x@1", "at": "2013-07-01T00:00:00Z", "who": "me", "why": "so"}
        with pytest.raises(DataError, match="write it through `tell_rollout`"):
            records.ledger.append(kind="finalized", evidence={}, once="x", **known)
        with pytest.raises(DataError, match="for others"):
            records.tell_rollout("verdict", evidence={}, once="x", **known)
        with pytest.raises(DamagedError, match="tells of no rollout"):
            records.tell_rollout("finalized", evidence={}, once="x", **known)
        assert records.ledger.entries(USE_CASE) == []


def test_what_a_version_was_before_the_rollouts_stays(rollouts: Rollouts, ledger: str) -> None:
    with Records(ledger) as records:
        records.register(replace(model(1), version=9, model_digest="9" * 64, data_version="9" * 64))
    opened(rollouts)
    Mirror(rollouts, ledger).catch_up()

    assert stages(ledger)[9] == ("registered", 0.0)
