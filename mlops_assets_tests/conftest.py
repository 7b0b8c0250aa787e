"""For all tests: no property is timed, since machines are shared; and the longest file goes first."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`--dist loadfile` hands out files in this order: a long one at the end would keep one process waiting."""
    items.sort(key=lambda item: "test_readme.py" not in item.nodeid)
