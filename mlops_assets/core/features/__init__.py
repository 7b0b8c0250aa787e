"""Features as they were known: point in time for a whole week of requests, exact, the same on every engine.

    requests + history -> plan -> asks, events (whole numbers) -> as-of lookup -> values -> feature table

Read `plan.py` (what must be looked up), `asof.py` (the one primitive), `values.py` (what the answers mean), `table.py`
(all of it in order). Arrow tables in and out: nothing here knows a clock, a disk, a network or Dagster.
"""

from mlops_assets.core.features.asof import native, portable
from mlops_assets.core.features.at_request import at_request
from mlops_assets.core.features.table import feature_table
from mlops_assets.core.features.words import describe

__all__ = ["at_request", "describe", "feature_table", "native", "portable"]
