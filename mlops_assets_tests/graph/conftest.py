"""The world of `lived.py`, made once for all tests that start from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets_tests.graph.lived import build, copied
from mlops_assets_tests.graph.world import World


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of worlds in which weeks have lived; not to be changed."""
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


@pytest.fixture
def world(built: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of the one in which four weeks have lived."""
    with copied(built, tmp_path) as made:
        yield made
