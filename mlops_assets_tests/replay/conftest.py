"""One store with two registered models, for the tests of the replay."""

from pathlib import Path

import pytest

from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registered")
    world.register(folder)
    return folder


@pytest.fixture
def found(registered: Path, tmp_path: Path) -> Settings:
    """A world of the test's own: two versions are registered, none is nominated."""
    return world.copied(registered, tmp_path)
