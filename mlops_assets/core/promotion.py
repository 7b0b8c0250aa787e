"""The gate: may the challenger take the champion's place? Judged on the same rows, with an honest error bar.

Here belongs the verdict on two sets of predictions and the sentence that says it. It knows no models and no ledger; how
the difference and its error over blocks of days are found is `paired.py`.
"""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.paired import Difference, difference, paired
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import Promotion


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on, all in the metric's unit; None is what could not be computed.

    `improvement` is positive when the challenger is better; `lower` and `upper` bound it one-sided at `alpha` each,
    by its standard error over `blocks` blocks of `block_days` days. `sentence` says the decision with its number,
    bound and reason.
    """

    verdict: Verdict
    sentence: str
    metric: str
    unit: str
    margin: float
    alpha: float
    block_days: int
    rows: int
    blocks: int
    challenger: float | None = None
    champion: float | None = None
    improvement: float | None = None
    standard_error: float | None = None
    lower: float | None = None
    upper: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self) | {"verdict": self.verdict.value}


def judge(
    promotion: Promotion, challenger: pd.DataFrame, champion: pd.DataFrame, task: Task, *, against: str = "the champion"
) -> Judgement:
    """The judgement of judged rows (`key..., as_of, block, label, prediction`) of both models, in any order of rows.

    `against` is what the sentence calls the other side. PASS when the improvement reaches the margin and its lower
    bound is above 0; FAIL when its upper bound is below the margin, or the challenger answered something that is no
    answer; else INCONCLUSIVE, as with fewer than 5 blocks or a champion whose answers are none. Raises DataError unless
    both frames hold the same requests, blocks and labels once each, DeclarationError for a metric the task lacks.
    """
    _, rows = paired(challenger, champion)
    found = difference(promotion, rows, task)
    bounds = found.bounds(promotion.alpha)
    if rows.broken("challenger", task):
        verdict, reason = Verdict.FAIL, found.untold
    else:
        verdict, reason = _decided(promotion, found, bounds, against)
    lower, upper = bounds or (None, None)
    return Judgement(
        verdict=verdict,
        sentence=f"{verdict.value}: {reason}.",
        metric=promotion.metric,
        unit=METRIC[promotion.metric].unit,
        margin=promotion.margin,
        alpha=promotion.alpha,
        block_days=promotion.block.days,
        rows=found.rows,
        blocks=found.blocks,
        challenger=found.challenger,
        champion=found.champion,
        improvement=found.improvement,
        standard_error=found.standard_error,
        lower=lower,
        upper=upper,
    )


def _decided(
    promotion: Promotion, found: Difference, bounds: tuple[float, float] | None, against: str
) -> tuple[Verdict, str]:
    margin, name = promotion.margin, promotion.metric
    if found.improvement is None:
        return Verdict.INCONCLUSIVE, f"{name} cannot be compared: {found.untold}"
    told = f"{name} {found.challenger:.4f} against {found.champion:.4f} of {against}, {found.improvement:+.4f}"
    if bounds is None:
        return Verdict.INCONCLUSIVE, f"{told}, which cannot be bounded: {found.untold}"
    lower, upper = bounds
    told += (
        f" ({lower:+.4f} .. {upper:+.4f} at {1 - promotion.alpha:.0%} each side, {found.rows} rows, "
        f"{promotion.blocks(found.blocks)})"
    )
    if found.improvement >= margin and lower > 0:
        return Verdict.PASS, f"{told} reaches the margin {margin:g} and is above 0 beyond chance"
    if upper < margin:
        return Verdict.FAIL, f"{told} falls short of the margin {margin:g} beyond chance"
    below = found.improvement < margin
    lacks = "is below the margin but may reach it" if below else "reaches the margin but may be chance"
    return Verdict.INCONCLUSIVE, f"{told} {lacks} ({margin:g}): more days would tell"
