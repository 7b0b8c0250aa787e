"""The doctor finds a row of a rollout that was changed by hand, events that do not hold, a ledger that lags."""

from pathlib import Path

import pytest

from mlops_assets.stores.records import Records
from mlops_assets.stores.serving.probes import rollouts as examined
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.stores.serving.climbing import by_hand, climbed

USE_CASE = "flight_delays"


@pytest.fixture
def places(tmp_path: Path) -> tuple[str, str]:
    """Where the rollouts and the records are; version 3 is in the canary."""
    with Rollouts(tmp_path, USE_CASE) as kept:
        climbed(kept, 2)
    return str(tmp_path), str(tmp_path / "records.db")


def test_where_nothing_was_opened_there_is_nothing_to_examine(tmp_path: Path) -> None:
    assert examined(str(tmp_path), str(tmp_path / "records.db"), [USE_CASE]) == []
    assert not list(tmp_path.iterdir())


def test_decisions_that_the_ledger_lacks_are_told_to_it(places: tuple[str, str]) -> None:
    (lag,) = examined(*places, [USE_CASE])
    assert lag.what == "3 decisions about rollouts of flight_delays are not in the ledger yet"
    assert lag.mend is not None
    lag.mend()

    assert examined(*places, [USE_CASE]) == []
    with Records(places[1]) as records:
        assert len([e for e in records.ledger.entries(USE_CASE) if e.kind != "alias"]) == 3


def test_a_row_that_was_changed_by_hand_is_written_anew(places: tuple[str, str]) -> None:
    with Rollouts(places[0], USE_CASE) as kept:
        before = kept.row()
        by_hand(kept, "UPDATE rollout SET share = 1.0, stage = 'SOAK'")
    changed, lag = examined(*places, [USE_CASE])
    assert "is not what its events say" in changed.what
    for fault in (changed, lag):
        assert fault.mend is not None
        fault.mend()

    assert examined(*places, [USE_CASE]) == []
    with Rollouts(places[0], USE_CASE) as kept:
        assert kept.row() == before


def test_an_event_that_was_changed_is_told_and_not_mended(places: tuple[str, str]) -> None:
    with Rollouts(places[0], USE_CASE) as kept:
        by_hand(kept, "UPDATE rollout_event SET why = 'another' WHERE epoch = 2")
    (broken,) = examined(*places, [USE_CASE])

    assert "event 2 of the rollouts of flight_delays is not what was written" in broken.what
    assert broken.mend is None
