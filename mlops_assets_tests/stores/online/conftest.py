"""Stores to test, by kind: a fresh place for each test, opened as often as wanted."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from mlops_assets.core.online import OnlineStore
from mlops_assets.stores.online import open_online
from mlops_assets_tests.stores.online.servers import redis_url

__all__ = ["redis_url"]
_numbers = count()

Places = Callable[[str], str]


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """kind -> the URL of a store that nobody has used yet."""

    def place(kind: str) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            return str(tmp_path / f"{number}.sqlite")
        return f"{request.getfixturevalue('redis_url')}?namespace=n{number}"

    return place


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, new_place: Places) -> str:
    """A store that outlives its process."""
    return new_place(request.param)


@pytest.fixture
def store(url: str) -> Iterator[OnlineStore]:
    opened = open_online(url)
    yield opened
    opened.close()
