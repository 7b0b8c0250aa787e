"""Where a rollout stands, and the brake: in words and as JSON, by the database alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli import rollout
from mlops_assets.cli.operating import now_us
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.gateway.rolling import Rolling
from mlops_assets_tests.stores.serving.logged import answered

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


def test_a_plan_says_how_long_each_stage_needs_at_the_assumed_traffic(rolling: Rolling) -> None:
    said = told("plan", "flight_delays", "--per-second", "1", "--error-rate", "0.001")

    assert "1 requests/s, 0.1 % of them bad (as given)" in said
    assert [line.split("  ")[0] for line in said.splitlines()[1::2]] == [
        "shadow", "canary 5 %", "canary 25 %", "canary 50 %", "soak 100 %", "together"]  # fmt: skip
    assert "14 complete blocks of 1 day" in said


def test_a_plan_by_the_log_tells_what_it_rests_on(rolling: Rolling, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "serving", FLIGHT_DELAYS)
    bad = {0: "slow", 1: "slow,error"}
    log.put([answered(str(n), answered_us=now_us(), bad=bad.get(n, "")) for n in range(600)]).result(30)
    log.close()

    found = json.loads(told("plan", "flight_delays", "--json"))

    assert (found["per_second"], found["error_rate"]) == (10.0, 2 / 600)
    assert found["source"] == "600 answers of the last minute"
    assert [stage["stage"] for stage in found["stages"]] == ["SHADOW", "CANARY", "CANARY", "CANARY", "SOAK"]


def test_a_plan_without_traffic_says_that_it_cannot_know(rolling: Rolling) -> None:
    with pytest.raises(DataError, match="give --per-second and --error-rate"):
        told("plan", "flight_delays")
