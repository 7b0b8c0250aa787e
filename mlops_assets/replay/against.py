"""What policies are held against: the same requests, answered by models that were put in place without proof."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from mlops_assets.core.account import Against
from mlops_assets.declare import UseCase
from mlops_assets.replay.backtest import Span


def against(
    use_case: UseCase,
    frames: Mapping[str, pd.DataFrame],
    span: Span,
    *,
    every: int,
    counted: Mapping[str, Collection[str]],
    seed: int,
    cache: Path | None = None,
    told: Callable[[str], None] = lambda doing: None,
) -> Against:
    """The first model never trained again (`every` 0), or one trained every so many weeks.

    `frames`: partition -> features as they were known when matured (`backtest.history`). `counted`: week -> ids of the
    requests that count (`timeline.request_id` with `seed`), of which those with a label do; `telling.labelled` has
    them. `cache` is a folder in which the answers of each model are kept. `told` hears what is being trained.
    """
    raise NotImplementedError
