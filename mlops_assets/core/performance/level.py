"""What a model's validation allows: the mean loss it may really have, and how much its blocks wobble.

Made once, from the rows the model was judged on when it was made; live losses are held against it. It knows no live
row.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.core.performance.intervals import Estimate, block_codes, mean_estimate
from mlops_assets.core.performance.losses import scaled_losses
from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import LEAST_BLOCKS
from mlops_assets.declare.rollout import LOSSES_OF


@dataclass(frozen=True, kw_only=True)
class Level:
    """The reference of a model: mean scaled loss of its validation rows, and the upper `bound` of what it really is.

    Both lie in 0 .. 1, `bound` strictly. `effect` is the design effect, >= 1: the variance of the mean by blocks over
    that by independent rows (Kish 1965), i.e. how many rows say as much as one independent row would. It is an upper
    bound, too: 14 days tell little about how much days differ.
    """

    mean: float
    bound: float
    effect: float
    rows: int
    blocks: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; `from_json` gives the same to the bit."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Level":
        """The level `to_json` wrote. Raises TypeError for other fields."""
        return cls(**record)


def reference_level(policy: ConceptPolicy, task: Task, validation: pd.DataFrame) -> Level:
    """The level of validation rows (`block` an ISO date, `label`, `prediction`), in any order of rows.

    `bound` is the upper `policy.level` bound of the mean, by the delete-one-block jackknife (by rows, where the policy
    says that outcomes are independent), and never below what that many faultless rows could hide (Clopper & Pearson
    1934: 1 - (1 - level)^(effect / rows)). `effect` is the upper `policy.level` bound of the ratio of variances, which
    for blocks of normal means is ratio * (blocks - 1) / chi2 quantile of 1 - level; 1 where rows are independent.
    Raises DeclarationError for a loss the task lacks, DataError for missing columns, fewer than 5 blocks, labels the
    task cannot have, and a level with nothing above it.

    >>> days = [f"2013-02-{day:02}" for day in range(11, 21) for _ in range(100)]
    >>> late = [row % 10 == 0 for row in range(1000)]
    >>> rows = pd.DataFrame({"block": days, "label": late, "prediction": 0.1})
    >>> level = reference_level(ConceptPolicy(loss="error"), Task.CLASSIFICATION, rows)
    >>> level.mean, round(level.bound, 6), level.effect, level.blocks
    (0.1, 0.1, 1.0, 10)
    """
    if policy.loss not in LOSSES_OF[task]:
        raise DeclarationError(f"ConceptPolicy: loss == {policy.loss!r}, must be one of {LOSSES_OF[task]}: correct it.")
    if lacking := sorted({"block", "label", "prediction"} - set(validation.columns)):
        raise DataError(f"the validation rows have no column {lacking}: pass the judged rows of the training.")
    label, prediction = (
        validation[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("label", "prediction")
    )
    order = np.lexsort((prediction, label, validation["block"].astype(str)))  # sums do not hang on how the rows came
    losses = scaled_losses(policy, label[order], prediction[order])
    independent = np.arange(len(losses))
    codes = independent if policy.block is None else block_codes(policy, validation["block"].to_numpy(object)[order])
    if (blocks := len(np.unique(codes))) < LEAST_BLOCKS:
        raise DataError(
            f"the validation rows lie in {blocks} blocks, must be at least {LEAST_BLOCKS}: validate on more weeks, or "
            "declare a shorter block."
        )
    found = mean_estimate(losses, codes)
    plain = mean_estimate(losses, independent)
    effect = _design_effect(policy, found, plain)
    _, upper = found.bounds(policy.level) or (found.value, found.value)
    hidden = -math.expm1(effect / len(losses) * math.log1p(-policy.level))
    bound = max(upper, hidden)
    if bound >= 1:
        raise DataError(
            f"the mean loss of the validation rows may be as high as {bound:.3g} of the most an answer counts, must be "
            "below 1: nothing could be worse; declare a greater `most`, or make a better model."
        )
    return Level(mean=found.value, bound=bound, effect=effect, rows=len(losses), blocks=blocks)


def _design_effect(policy: ConceptPolicy, by_block: Estimate, by_row: Estimate) -> float:
    if policy.block is None or not by_block.error or not by_row.error:
        return 1.0
    from scipy.stats import chi2

    degrees = by_block.blocks - 1
    ratio = (by_block.error / by_row.error) ** 2
    return max(1.0, ratio * degrees / float(chi2.ppf(1 - policy.level, degrees)))
