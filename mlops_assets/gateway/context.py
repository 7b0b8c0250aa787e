"""What every route of a gateway is given."""

from collections.abc import Callable
from dataclasses import dataclass

from mlops_assets.declare import UseCase
from mlops_assets.gateway.batching import Batcher
from mlops_assets.gateway.requests import Asking
from mlops_assets.gateway.slots import Slots
from mlops_assets.gateway.stats import Stats
from mlops_assets.gateway.tokens import Tokens
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Watch
from mlops_assets.stores.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One worker's parts. `clock_us` is the wall clock (us since 1970), `monotonic` one that never goes back (s).

    `watch` and `slots` belong to the event loop; the others may be used from any thread. `new_id` makes a request id.
    """

    use_case: UseCase
    rollouts: Rollouts
    log: PredictionLog
    watch: Watch
    slots: Slots
    batcher: Batcher
    asking: Asking
    stats: Stats
    tokens: Tokens
    places: Settings
    clock_us: Callable[[], int]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
