"""`mlops backfill`: weeks in order, stopped by the first that fails, gone on with once it is mended."""

import re
from pathlib import Path

import pytest

from mlops_assets.cli.running import instance
from mlops_assets.declare import DataError
from mlops_assets.graph.jobs import STAGES
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.cli.conftest import WEEKS, Backfilled

LINE = re.compile(
    r"flight_delays/(\w+) +(\d{4}-\d\d-\d\d) +(?:[\d,]+ rows)? +([\d,]+ quarantined)? +([0-9a-f]{12}) +\d+\.\d s"
)
DATA = STAGES["data"]


def test_it_stops_at_the_first_week_that_fails_with_exit_code_1(backfilled: Backfilled) -> None:
    store = AssetStore(backfilled.folder / "store")

    assert backfilled.failed.code == 1
    assert store.latest("flight_delays/feature_table", WEEKS[0]) is not None
    assert store.latest("flight_delays/raw_data", WEEKS[2]) is None


def test_it_says_what_failed_why_and_how_to_go_on(backfilled: Backfilled) -> None:
    said = backfilled.failed.said

    assert f"refused: {WEEKS[1]} failed after 1 of 3 weeks: flight_delays__validated_dataset: " in said
    assert "100 clean rows, at least 500 asked" in said
    assert "Traceback" not in backfilled.failed.err
    assert f"go on with --from {WEEKS[1]}." in backfilled.failed.out


def test_a_line_is_one_asset_with_rows_version_and_seconds(backfilled: Backfilled) -> None:
    lines = [met.groups() for met in map(LINE.fullmatch, backfilled.failed.out.splitlines()) if met]
    store = AssetStore(backfilled.folder / "store")

    made = [(asset, week) for asset, week, *_ in lines]
    assert sorted(made) == sorted([*((a, WEEKS[0]) for a in DATA), ("raw_data", WEEKS[1])])
    for asset, week, quarantined, version in lines[:-1]:
        ref = store.latest(f"flight_delays/{asset}", week)
        assert ref is not None
        assert ref.data_version.startswith(version)
        assert (quarantined is not None) == (asset == "validated_dataset")


def test_every_run_is_followed_by_the_dagster_command_that_does_the_same(backfilled: Backfilled) -> None:
    commands = [line.strip() for line in backfilled.failed.out.splitlines() if line.startswith("  $ ")]
    command = "$ dagster job execute -m mlops_assets.definitions -j flight_delays_data --tags"

    assert commands == [f'{command} \'{{"dagster/partition":"{week}"}}\'' for week in WEEKS[:2]]


def test_mended_it_goes_on_where_it_stopped(backfilled: Backfilled) -> None:
    (run,) = backfilled.mended.json

    assert backfilled.mended.code == 0
    assert (run["success"], run["partition"], run["error"]) == (True, WEEKS[1], "")
    assert {made["asset"] for made in run["made"]} == {f"flight_delays/{artifact}" for artifact in DATA}


def test_json_has_the_whole_data_version_of_every_asset(backfilled: Backfilled) -> None:
    store = AssetStore(backfilled.folder / "store")
    (run,) = backfilled.mended.json

    for made in run["made"]:
        ref = store.latest(made["asset"], WEEKS[1])
        assert ref is not None
        assert (made["data_version"], ref.run) == (ref.data_version, run["run_id"])


def test_a_relative_home_is_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "home")
    with instance() as found:
        assert Path(found.root_directory) == tmp_path / "home"


def test_a_home_that_cannot_be_made_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("in the way")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))

    with (
        pytest.raises(DataError, match=r"DAGSTER_HOME == '.*home' cannot be made: .*Name a folder you may write"),
        instance(),
    ):
        pass
