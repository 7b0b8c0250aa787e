"""The gate: may the challenger take the champion's place? Judged on the same rows, with an honest error bar.

Here belongs the judgement of two sets of predictions and the sentence that says it. It knows no models and no ledger.
Outcomes of one day share a storm, so the error bar comes from a jackknife over calendar days, not over rows (the plain
standard error of a loss difference on the shipped flights is 2-4 times too small).
Method: delete-one-group jackknife (Shao & Tu 1995, 2.3), one-sided bounds by Student's t with blocks - 1 degrees.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.metrics import METRIC, Metric
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import METRICS_OF, Promotion

Array = npt.NDArray[np.float64]

LEAST_BLOCKS = (
    5  # at 4 degrees of freedom t is 2.1 at alpha .05 (1.6 for many): below that a bound says next to nothing
)
_NOT_KEY = ("block", "label", "prediction")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on, all in the metric's unit; None is what could not be computed.

    `improvement` is positive when the challenger is better; `lower` and `upper` bound it one-sided at `alpha` each.
    `sentence` says the decision with its number, bound and reason.
    """

    verdict: Verdict
    sentence: str
    metric: str
    unit: str
    margin: float
    alpha: float
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
    if promotion.metric not in METRICS_OF[task]:
        raise DeclarationError(
            f"promotion.metric == {promotion.metric!r}, must be one of {METRICS_OF[task]} for a {task.value}: "
            "correct the declaration."
        )
    ours, theirs = _aligned(challenger, champion)
    metric = METRIC[promotion.metric]
    label = ours["label"].to_numpy(dtype=np.float64)
    answers = tuple(side["prediction"].to_numpy(dtype=np.float64, na_value=np.nan) for side in (ours, theirs))
    block = ours["block"].to_numpy()
    case = _Case(promotion=promotion, metric=metric, rows=len(ours), blocks=len(set(block)), against=against)
    for who, verdict, answer in zip(
        ("challenger", "champion"), (Verdict.FAIL, Verdict.INCONCLUSIVE), answers, strict=True
    ):
        broken = ~np.isfinite(answer) | ((task is Task.CLASSIFICATION) & ((answer < 0) | (answer > 1)))
        if broken.any():
            reason = f"the {who}'s answer to {int(broken.sum())} of {len(answer)} rows is none ({answer[broken][0]})"
            return case.close(verdict, reason)
    try:
        mine, yours = metric.of(label, answers[0]), metric.of(label, answers[1])
        without = [_gain(metric, label[kept], answers, kept) for kept in (block != one for one in sorted(set(block)))]
    except DataError as undefined:
        if case.blocks == 1 or "both classes" in str(undefined):
            return case.close(Verdict.INCONCLUSIVE, f"{metric.name} cannot be bounded: {undefined}")
        raise
    return _decide(case, mine, yours, np.array(without))


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What a judgement is about, before anything is found."""

    promotion: Promotion
    metric: Metric
    rows: int
    blocks: int
    against: str

    def close(self, verdict: Verdict, reason: str, **found: float) -> Judgement:
        return Judgement(
            verdict=verdict,
            sentence=f"{verdict.value}: {reason}.",
            metric=self.metric.name,
            unit=self.metric.unit,
            margin=self.promotion.margin,
            alpha=self.promotion.alpha,
            rows=self.rows,
            blocks=self.blocks,
            **found,
        )


def jackknife_error(without: Array) -> float:
    """Standard error of a figure from its values with one block left out each, `[blocks]`.

    >>> values = np.array([1.0, 2.0, 3.0, 4.0])
    >>> means_without = (values.sum() - values) / 3
    >>> math.isclose(jackknife_error(means_without), values.std(ddof=1) / 2)  # of a mean: the textbook's s / sqrt(n)
    True
    """
    blocks = len(without)
    return float(np.sqrt((blocks - 1) / blocks * np.sum((without - without.mean()) ** 2)))


def _gain(metric: Metric, label: Array, answers: tuple[Array, ...], kept: npt.NDArray[np.bool_]) -> float:
    return metric.gain(metric.of(label, answers[0][kept]), metric.of(label, answers[1][kept]))


def _decide(case: _Case, mine: float, yours: float, without: Array) -> Judgement:
    from scipy.stats import t

    margin, alpha = case.promotion.margin, case.promotion.alpha
    improvement = case.metric.gain(mine, yours)
    found = {"challenger": mine, "champion": yours, "improvement": improvement}
    told = f"{case.metric.name} {mine:.4f} against {yours:.4f} of {case.against}, {improvement:+.4f}"
    if case.blocks < LEAST_BLOCKS:
        reason = f"{told}, on {case.blocks} days; {LEAST_BLOCKS} days are the least that bound it"
        return case.close(Verdict.INCONCLUSIVE, reason, **found)
    error = jackknife_error(without)
    reach = float(t.ppf(1 - alpha, case.blocks - 1)) * error
    lower, upper = improvement - reach, improvement + reach
    if not all(map(math.isfinite, (improvement, error, lower, upper))):
        return case.close(Verdict.INCONCLUSIVE, f"{told}, whose error is not finite")
    found |= {"standard_error": error, "lower": lower, "upper": upper}
    told += f" ({lower:+.4f} .. {upper:+.4f} at {1 - alpha:.0%} each side, {case.rows} rows, {case.blocks} days)"
    if improvement >= margin and lower > 0:
        return case.close(Verdict.PASS, f"{told} reaches the margin {margin:g} and is above 0 beyond chance", **found)
    if upper < margin:
        return case.close(Verdict.FAIL, f"{told} falls short of the margin {margin:g} beyond chance", **found)
    lacks = "is below the margin but may reach it" if improvement < margin else "reaches the margin but may be chance"
    return case.close(Verdict.INCONCLUSIVE, f"{told} {lacks} ({margin:g}): more days would tell", **found)


def _aligned(challenger: pd.DataFrame, champion: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    key = [name for name in challenger.columns if name not in _NOT_KEY]
    sides = []
    for who, frame in (("challenger", challenger), ("champion", champion)):
        lacking = sorted({*key, *_NOT_KEY} - set(frame.columns)) + sorted(set(frame.columns) - {*key, *_NOT_KEY})
        if lacking or not key:
            raise DataError(
                f"{who}'s rows differ in columns {lacking}, must be a key and {_NOT_KEY}: score both alike."
            )
        if frame.empty:
            raise DataError(f"{who} has no rows, must have at least one: score the validation rows.")
        if frame["label"].isna().any() or frame["block"].isna().any():
            raise DataError(f"{who} has rows without label or block, must have both: leave unlabelled rows out.")
        if (twice := frame.duplicated(key)).any():
            raise DataError(f"{who} has request {frame.loc[twice, key].iloc[0].to_dict()} twice, must be there once.")
        sides.append(frame.sort_values(key, kind="stable", ignore_index=True))
    ours, theirs = sides
    if len(ours) != len(theirs):
        raise DataError(f"challenger has {len(ours)} rows, champion {len(theirs)}: both must score the same requests.")
    for name in (*key, "block", "label"):
        differs = (ours[name] != theirs[name]) & ~(ours[name].isna() & theirs[name].isna())
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            raise DataError(
                f"{name!r} is {ours[name].iloc[row]!r} for the challenger, {theirs[name].iloc[row]!r} for the champion "
                f"({int(differs.sum())} rows differ): both must be judged on the same requests and labels."
            )
    return ours, theirs
