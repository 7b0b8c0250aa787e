"""The instance the commands run on: its configuration goes where the data goes."""

from pathlib import Path

import pytest

from mlops_assets.cli.running import instance
from mlops_assets.declare import DataError

SHIPPED = Path(__file__).parents[2] / "data" / "dagster" / "dagster.yaml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dagster's folder below a data folder elsewhere, not made yet."""
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path / "dagster"


def test_data_elsewhere_has_the_shipped_limits_and_retries_and_no_telemetry(home: Path) -> None:
    with instance() as found:
        assert found.get_settings("run_retries")["max_retries"] == 2
        assert found.get_concurrency_config().run_queue_config.max_concurrent_runs == 2
        assert found.telemetry_enabled is False

    assert (home / "dagster.yaml").read_bytes() == SHIPPED.read_bytes()
    assert not list(home.glob("dagster.yaml.*"))


def test_a_configuration_that_is_there_stays_as_it_is(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    with instance() as found:
        assert found.telemetry_enabled is True

    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: true}\n"


def test_a_folder_that_cannot_be_made_is_refused_in_words(home: Path) -> None:
    home.write_text("a file in its place")
    with pytest.raises(DataError, match=r"DAGSTER_HOME == .* cannot be made"), instance():
        pass
