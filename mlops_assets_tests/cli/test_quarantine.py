"""`mlops quarantine`: the rows the gate refused, and why."""

from pathlib import Path

import pytest

from mlops_assets_tests.cli.conftest import WEEKS, Backfilled, Mlops


@pytest.fixture
def told(mlops: Mlops, backfilled: Backfilled, monkeypatch: pytest.MonkeyPatch) -> Mlops:
    monkeypatch.setenv("MLOPS_DATA", str(backfilled.folder))
    return mlops


def test_a_refused_row_is_shown_with_its_place_and_reason(told: Mlops) -> None:
    answer = told("quarantine", "flight_delays", WEEKS[0])

    assert (answer.code, answer.err) == (0, "")
    assert "flights row 0: origin must be one of ['EWR', 'JFK', 'LGA'] (met 'LAX')" in answer.out
    assert answer.out.splitlines()[-1] == f"1 row quarantined in {WEEKS[0]}."


def test_json_is_one_document_with_every_column_of_the_row(told: Mlops) -> None:
    (row,) = told("quarantine", "flight_delays", WEEKS[0], "--json").json

    assert (row["table"], row["row"], row["origin"]) == ("flights", 0, "LAX")
    assert {"year", "carrier", "reasons"} <= set(row)


def test_a_week_without_refused_rows_says_so(told: Mlops) -> None:
    assert told("quarantine", "flight_delays", WEEKS[1]).out == f"0 rows quarantined in {WEEKS[1]}.\n"
    assert told("quarantine", "flight_delays", WEEKS[1], "--json").json == []


def test_a_week_that_never_ran_is_refused_in_one_line(mlops: Mlops, tmp_path: Path) -> None:
    answer = mlops("quarantine", "flight_delays", WEEKS[0])

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("refused: ")
    assert "mlops backfill flight_delays --from" in answer.err
    assert answer.err.count("\n") == 1
