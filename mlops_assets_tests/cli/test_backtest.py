"""`mlops backtest`: a table for people, JSON for programs, nothing written."""

from pathlib import Path

import pytest

from mlops_assets.cli import backtest as command
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.frames import to_table
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.cli.conftest import in_process
from mlops_assets_tests.replay import depots

WEEKS = depots.WEEKS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all weeks of the depots in its store."""
    folder = tmp_path_factory.mktemp("backtest")
    store = AssetStore(folder / "store")
    for key in WEEKS:
        made = Artifact(tables={"features": to_table(depots.week(key))})
        store.publish(
            "parcels/feature_table", key, made, inputs={}, code={}, run="r", action_key=key, created_at="2024-05-01"
        )
    return folder


@pytest.fixture(autouse=True)
def parcels(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA", str(home))
    monkeypatch.setattr(command, "declared_named", lambda name: depots.use_case())


def test_it_walks_from_the_first_week_after_the_least_a_model_takes_to_the_last_stored(home: Path) -> None:
    before = sorted(home.rglob("*"))

    told = in_process("backtest", "parcels", "--json")

    assert told.code == 0
    assert told.json["span"] == {"first": depots.FIRST, "begin": depots.OPENED, "end": WEEKS[-1]}
    assert [one["week"] for one in told.json["retrained"]] == [depots.PLANTED]
    assert told.json["gain"]["share"] is None
    assert sorted(home.rglob("*")) == before


def test_the_table_has_a_line_for_each_week_and_what_it_was_worth() -> None:
    told = in_process("backtest", "parcels", "--first", WEEKS[4], "--from", WEEKS[6], "--to", WEEKS[8],
                      "--attainable", "2")  # fmt: skip
    weeks = [line.split()[0] for line in told.out.splitlines() if line.startswith("2024-")]

    assert told.code == 0
    assert weeks == [*WEEKS[6:9], depots.PLANTED]  # the last is of the trainings
    assert f"{depots.PLANTED}  trained for concept drift in {depots.PLANTED}: " in told.out
    assert "does not stand: its shadow was not over" in told.out
    assert f"1 retraining, 2 of 3 weeks with an alarm ({depots.PLANTED}, {WEEKS[8]})" in told.out
    assert "mean log_loss: 0." in told.out
    assert "never trained again" in told.out
    assert "trained every 2 weeks: " in told.out


def test_a_missing_week_is_refused_with_the_command_that_makes_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))

    told = in_process("backtest", "parcels", "--to", WEEKS[5])

    assert told.code == 1
    assert f"mlops backfill parcels --from {WEEKS[0]} --to {WEEKS[5]} --job data" in told.said
    assert list(tmp_path.rglob("*.json")) == []


def test_too_few_weeks_for_a_walk_are_refused() -> None:
    told = in_process("backtest", "parcels", "--to", depots.FIRST)

    assert told.code == 1
    assert f"a walk from {depots.OPENED} to {depots.FIRST} must begin after {depots.FIRST}" in told.said


def test_a_week_that_is_none_is_a_usage_error() -> None:
    assert in_process("backtest", "parcels", "--from", "2024-01-30").code == 2
