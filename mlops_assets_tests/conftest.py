"""For all tests: no property is timed, since machines are shared; and the longest file goes first."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`--dist loadfile` hands out files in this order: a long one at the end would keep one process waiting."""
    items.sort(key=lambda item: "test_readme.py" not in item.nodeid)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small rows on several threads mostly wait for each other."""
    with threadpool_limits(1):
        yield
