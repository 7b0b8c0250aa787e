"""One program that forks gateways, and one store with two registered models, for all of the gateway's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets.gateway.context import Gateway
from mlops_assets.stores.settings import Settings
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.gateway import world
from mlops_assets_tests.gateway.rolling import Rolling, gateway_of


@pytest.fixture(scope="session")
def launcher() -> Iterator[world.Launcher]:
    made = world.Launcher()
    yield made
    made.close()


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registered")
    world.register(folder)
    return folder


@pytest.fixture
def found(registered: Path, tmp_path: Path) -> Settings:
    """A world of the test's own: two versions are registered, none is nominated."""
    return world.copied(registered, tmp_path)


@pytest.fixture
def rolling(tmp_path: Path) -> Rolling:
    """Version 1 is final, version 2 in the second step of the canary."""
    rolling = Rolling(tmp_path / "serving")
    rolling.finalize(1)
    rolling.open(2)
    rolling.climb(Stage.CANARY, 1)
    return rolling


@pytest.fixture
def gateway(tmp_path: Path, rolling: Rolling) -> Gateway:
    """A gateway around it whose models do not matter."""
    return gateway_of(tmp_path, FLIGHT_DELAYS)
