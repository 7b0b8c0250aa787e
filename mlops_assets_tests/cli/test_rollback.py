"""The operator's way back: who answers afterwards, what is refused, and how little it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli import operating, rollback, rollout
from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.gateway.rolling import Rolling

app = typer.Typer()
app.command("rollback")(rollback.rollback)
app.add_typer(rollout.app, name="rollout")


@pytest.fixture
def rolling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolling:
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))
    monkeypatch.delenv("MLOPS_SERVING", raising=False)
    return Rolling(tmp_path / "serving")


def told(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_goes_back_to_what_was_final_before_and_says_who_answers(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.finalize(2)

    said = told("rollback", "flight_delays", "--why", "it was wrong about snow")

    row = rolling.rollouts.row()
    assert said == f"flight_delays: version 1 answers everything, from epoch {row.epoch} on.\n"
    assert row.champion == 1
    event = rolling.rollouts.events(row.epoch - 1)[0]
    assert (event.kind, event.why) == (Kind.RESTORED, "it was wrong about snow")
    assert event.who == operating.who()


def test_while_a_rollout_runs_it_goes_back_to_the_champion(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.CANARY, 1)

    assert "version 1 answers everything" in told("rollback", "flight_delays")
    assert rolling.rollouts.row().stage is Stage.ROLLED_BACK


def test_a_named_version_answers_again_and_the_baseline_too(rolling: Rolling) -> None:
    for version in (1, 2):
        rolling.finalize(version)

    assert json.loads(told("rollback", "flight_delays", "--to", "1", "--json"))["champion"] == 1
    assert "the baseline (version 0) answers everything" in told("rollback", "flight_delays", "--to", "0")


def test_a_second_one_goes_no_further_back_unless_told_how_far(rolling: Rolling) -> None:
    rolling.finalize(1)
    rolling.open(2)
    told("rollback", "flight_delays")

    with pytest.raises(DataError, match=r"version 1 answers everything.*name a version \(0\)"):
        told("rollback", "flight_delays")


def test_a_version_that_was_never_final_is_refused(rolling: Rolling) -> None:
    rolling.finalize(1)

    with pytest.raises(DataError, match="which is not finalized"):
        told("rollback", "flight_delays", "--to", "7")


@pytest.mark.parametrize("name", ["flight_delay", "../flight_delays", "a\0b"])
def test_a_name_without_rollouts_is_refused_and_makes_no_file(rolling: Rolling, tmp_path: Path, name: str) -> None:
    rolling.finalize(1)
    before = sorted(path for path in tmp_path.rglob("*"))

    with pytest.raises(DataError):
        told("rollback", name)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_rollback_imports_nothing_heavy(rolling: Rolling, tmp_path: Path) -> None:
    rolling.finalize(1)
    rolling.open(2)
    script = (
        "import sys\n"
        "from mlops_assets.cli import main, rollback\n"
        "rollback.rollback('flight_delays')\n"
        "print([name for name in ('dagster', 'mlflow', 'sklearn', 'scipy', 'duckdb', 'ibis') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env={**os.environ, "MLOPS_DATA": str(tmp_path)})  # fmt: skip

    assert done.stdout.splitlines()[-1] == "[]"
    assert rolling.rollouts.row().stage is Stage.ROLLED_BACK
