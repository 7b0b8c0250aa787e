"""Sensors ask, one claim is made for each yes, and every decision is written down."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.core.retraining.cause import Signal
from mlops_assets.core.retraining.facts import Outcome
from mlops_assets.declare import DamagedError, DataError
from mlops_assets.stores.records import Records
from mlops_assets_tests.stores.records.sensing import AT, NAME, QUIET, SEEN, WEEKS, cause, consider, judged


def outcomes(records: Records) -> list[tuple[str, Outcome]]:
    return [(training.partition, training.outcome) for training in records.retrainings.trainings(NAME)]


def failed(records: Records, week: int, why: str = "the disk is full") -> object:
    return records.retrainings.failed(cause(week).key, why=why, at=AT)


def test_a_yes_is_one_entry_of_the_ledger_and_the_row_of_its_decision(records: Records) -> None:
    met = consider(records, 20)

    (entry,) = records.ledger.entries()
    (row,) = records.retrainings.decisions(NAME)
    assert met.claimed and met.decision.yes and met.claim is not None
    assert (entry.kind, entry.subject, entry.who) == ("retrain_requested", f"{NAME}@1", "drift_sensor")
    assert entry.why == row.reason == met.decision.reason == met.claim.reason
    assert entry.facts["key"] == row.key == met.claim.key == cause(20).key
    assert entry.facts["window"] == row.window == met.claim.window == WEEKS[20]
    assert entry.facts["signals"] == row.signals == SEEN
    assert row.yes is True and row.guards == met.decision.guards and row.ticks == 1
    assert records.retrainings.trainings(NAME)[0].outcome is Outcome.PENDING


def test_a_no_is_a_row_and_no_entry(records: Records) -> None:
    met = consider(records, 20, answer=QUIET)

    (row,) = records.retrainings.decisions(NAME)
    assert not met.claimed and met.claim is None and records.ledger.entries() == []
    assert row.yes is False and row.reason == "response: nothing: all is as it was"


def test_the_same_decision_at_every_tick_is_one_row_that_counts_them(records: Records) -> None:
    met = [
        consider(records, 20, answer=QUIET, fresh_rows=second, at=f"2013-07-01T10:00:0{second}Z")
        for second in (1, 5, 3)
    ]

    (row,) = records.retrainings.decisions(NAME)
    assert [one.first for one in met] == [True, False, False]
    assert row.ticks == 3
    assert (row.first_at[:19], row.last_at[:19]) == ("2013-07-01T10:00:01", "2013-07-01T10:00:05")
    assert row.guards[-1].sentence == "3 of 5,000 labelled rows since the last training"  # as it was told last


def test_another_guard_another_window_and_another_sensor_are_decisions_of_their_own(records: Records) -> None:
    consider(records, 20, answer=QUIET)
    consider(records, 20, answer=QUIET, rollout="canary 25 %")
    consider(records, 21, answer=QUIET, at="2013-07-02T10:00:00Z")
    consider(records, 20, answer=QUIET, sensor="concept_drift_sensor")

    rows = records.retrainings.decisions(NAME)
    assert [row.ticks for row in rows] == [1, 1, 1, 1]
    assert rows[0].window == WEEKS[21]
    assert records.retrainings.decisions(NAME, limit=1) == rows[:1] and records.retrainings.decisions("parking") == []


def test_the_sensor_that_claimed_and_any_other_are_told_of_the_claim_and_get_none(records: Records) -> None:
    first = consider(records, 20)
    again, other = consider(records, 20), consider(records, 20, sensor="concept_drift_sensor")

    assert [met.claimed for met in (first, again, other)] == [True, False, False]
    assert first.claim == again.claim == other.claim
    assert other.decision.reason.startswith("new cause: ")
    assert len(records.ledger.entries()) == 1 and len(records.retrainings.decisions(NAME)) == 3


def test_another_cause_in_the_same_window_sees_the_claim(records: Records) -> None:
    consider(records, 20)
    other = consider(records, 20, sensor="concept_drift_sensor", signal=Signal.CONCEPT)

    assert not other.claimed and other.claim is None
    assert other.decision.reason == f"none pending: the training of {WEEKS[20]} is not judged yet"


@pytest.mark.parametrize(("verdict", "outcome"), [
    ("PASS", Outcome.NOMINATED), ("INCONCLUSIVE", Outcome.NOMINATED), ("FAIL", Outcome.FELL_SHORT),
])  # fmt: skip
def test_a_claim_is_pending_until_a_candidate_of_its_week_is_judged(
    records: Records, verdict: str, outcome: Outcome
) -> None:
    consider(records, 20)
    judged(records, 19)
    assert outcomes(records) == [(WEEKS[19], Outcome.NOMINATED), (WEEKS[20], Outcome.PENDING)]

    judged(records, 20, verdict)
    assert outcomes(records)[1] == (WEEKS[20], outcome)
    assert records.retrainings.trainings(NAME)[1].key == cause(20).key
    assert records.retrainings.open_claims(NAME, "drift_sensor") == ()


def test_a_run_that_failed_settles_its_claim_once(records: Records) -> None:
    claim = consider(records, 20).claim
    assert records.retrainings.open_claims(NAME, "drift_sensor") == (claim,)
    assert records.retrainings.open_claims(NAME, "concept_drift_sensor") == ()

    assert failed(records, 20) is not None
    assert failed(records, 20, why="told once more") is None
    assert outcomes(records) == [(WEEKS[20], Outcome.FAILED)]
    assert records.retrainings.open_claims(NAME, "drift_sensor") == ()


def test_a_run_that_fails_after_its_candidate_was_judged_changes_nothing(records: Records) -> None:
    consider(records, 20)
    judged(records, 20)

    assert failed(records, 20) is None
    assert outcomes(records) == [(WEEKS[20], Outcome.NOMINATED)]


def test_a_key_that_nothing_was_claimed_by_cannot_fail(records: Records) -> None:
    with pytest.raises(DataError, match="nothing was claimed by it"):
        failed(records, 20)


def test_the_breaker_opens_after_failures_and_an_operator_closes_it(records: Records) -> None:
    for week in (3, 14, 31):  # each cooldown is twice the one before
        assert consider(records, week).claimed
        failed(records, week)
    assert consider(records, 52).decision.reason.startswith("breaker: 3 of 3 failures in a row")

    entry = records.retrainings.close(NAME, who="me", why="the disk was full", at=AT)

    assert (entry.kind, entry.subject, entry.facts) == ("retraining_closed", NAME, {"failures": 3})
    assert all(training.forgiven for training in records.retrainings.trainings(NAME))
    assert consider(records, 52).claimed
    failed(records, 52)
    assert [training.forgiven for training in records.retrainings.trainings(NAME)] == [True] * 3 + [False]


def test_where_nothing_failed_there_is_nothing_to_close(records: Records) -> None:
    consider(records, 20)
    for _ in range(2):
        with pytest.raises(DataError, match="nothing to close"):
            records.retrainings.close(NAME, who="me", why="to be sure", at=AT)
    failed(records, 20)
    records.retrainings.close(NAME, who="me", why="mended", at=AT)
    with pytest.raises(DataError, match="nothing to close"):
        records.retrainings.close(NAME, who="me", why="mended", at=AT)


def test_use_cases_do_not_see_one_another(records: Records) -> None:
    consider(records, 20)

    assert records.retrainings.trainings("parking") == ()
    assert records.retrainings.open_claims("parking", "drift_sensor") == ()


@pytest.mark.parametrize("change", [{"sensor": ""}, {"sensor": "a/b"}, {"at": "2013-07-01"}])
def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(records: Records, change: dict[str, str]) -> None:
    with pytest.raises(DataError):
        consider(records, 20, **change)

    assert records.ledger.entries() == [] and records.retrainings.decisions(NAME) == []


def test_on_a_ledger_that_was_cut_off_nothing_is_decided(records: Records, tmp_path: Path) -> None:
    consider(records, 20)
    with closing(sqlite3.connect(tmp_path / "records.db")) as db:
        db.execute("DROP TRIGGER ledger_refuses_delete")
        db.execute("DELETE FROM ledger")
        db.commit()

    with pytest.raises(DamagedError, match="nothing was recorded"):
        consider(records, 20)


def test_what_was_decided_survives_that_the_database_is_opened_again(records: Records, tmp_path: Path) -> None:
    consider(records, 20)
    records.close()

    with Records(tmp_path / "records.db") as again:
        assert not consider(again, 20).claimed
        assert [row.yes for row in again.retrainings.decisions(NAME)].count(True) == 1
