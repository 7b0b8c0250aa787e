"""Where a rollout stands, and the brake: in words and as JSON, by the database alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli import rollout
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.gateway.rolling import Rolling

app = typer.Typer()
app.add_typer(rollout.app, name="rollout")


@pytest.fixture
def rolling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolling]:
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))
    monkeypatch.delenv("MLOPS_SERVING", raising=False)
    monkeypatch.setattr(rollout, "_PATIENCE_S", 0.2)
    yield Rolling(tmp_path / "serving")


def told(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["rollout", *arguments])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_pause_freezes_the_share_until_it_is_resumed(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.CANARY, 1)

    assert "CANARY" in told("pause", "flight_delays", "--why", "a storm comes")
    assert rolling.rollouts.row().paused
    assert "a storm comes" in rolling.rollouts.row().held
    told("resume", "flight_delays")
    assert not rolling.rollouts.row().held
    assert rolling.rollouts.row().share == 0.25


def test_an_abort_takes_the_challenger_out(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.CANARY, 1)

    said = told("abort", "flight_delays")

    assert "ROLLED_BACK" in said
    assert "version 1 answers 100 %" in said
    assert rolling.rollouts.row().challenger is None


def test_where_no_rollout_runs_there_is_nothing_to_pause(rolling: Rolling) -> None:
    rolling.finalize(1)

    with pytest.raises(DataError, match="nothing to pause"):
        told("pause", "flight_delays")


def test_the_status_says_who_answers_how_far_it_is_and_what_it_waits_for(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.CANARY, 1)

    said = told("status", "flight_delays", code=1)

    assert "The controller has not been heard of" in said  # a test gives one sign of life and no more
    assert "version 1 answers everything, though version 2 has come as far as 25 %" in said.replace(
        "Version", "version"
    )
    assert "▶ canary 25 %" in said
    assert "by proof  (a controller" in said


def test_the_status_as_json_reads_back(rolling: Rolling) -> None:
    rolling.finalize(1)

    found = json.loads(told("status", "flight_delays", "--json"))

    assert found["stage"] == "FINALIZED"
    assert found["answerers"] == [{"arm": "champion", "version": 1, "share": 1.0}]
    assert found["faults"] == []
    assert [rung["place"] for rung in found["ladder"]] == ["done"] * 6 + ["now"]


def test_a_status_without_rollouts_is_refused(rolling: Rolling) -> None:
    with pytest.raises(DataError, match="no rollout was ever opened"):
        told("status", "flight_delays")
