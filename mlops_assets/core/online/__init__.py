"""The online side of the feature store: the same declaration, the same values, one request at a time.

    validated rows -> series, entries -> online store (running totals) -> as-of look-up -> vector with ages

Read `series.py` (what is kept), `totals.py` (how it is kept exact), `store.py` (what a store must do), `vector.py`
(how a request is answered). Nothing here knows a clock, a disk or a network; the stores that do are in `stores/online`.
"""

from mlops_assets.core.online.memory import MemoryStore
from mlops_assets.core.online.series import changes, reaches
from mlops_assets.core.online.store import Ask, OnlineStore, PrunedError
from mlops_assets.core.online.vector import OnlineFeatures, Vector

__all__ = ["Ask", "MemoryStore", "OnlineFeatures", "OnlineStore", "PrunedError", "Vector", "changes", "reaches"]
