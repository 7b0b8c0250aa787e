"""Records in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.stores.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(tmp_path / "records.db") as opened:
        yield opened
