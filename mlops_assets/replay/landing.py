"""A week's files land in a world, at the instant at which they came; sabotaged, where a feed is to break."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from mlops_assets.declare import UseCase
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.settings import Settings

BROKEN_FEED = "broken_feed"


def land(
    use_case: UseCase, source: Landing, places: Settings, week: str, at: datetime, faults: Sequence[str] = ()
) -> None:
    """Put a week's files into the landing zone of `places` as of `at`, snapshots too where there are none yet.

    `source` is the zone of the use case (`Landing(f"{landing}/{use_case.name}")`).
    """
    raise NotImplementedError


def spoiled(use_case: UseCase, table: str, rows: pa.Table, fault: str) -> pa.Table:
    """The landed rows of a table as `fault` makes them; the same where it is of another table."""
    raise NotImplementedError
