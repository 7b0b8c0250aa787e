"""Two models' answers to the same requests: by how much a metric differs, and how surely.

Here belongs the pairing of the rows and the standard error of the difference. It decides nothing: `promotion.py` judges
it over all rows, `slices.py` reports it over some.
Outcomes of one day share a storm, so the error comes from a jackknife over blocks of days, not over rows (the plain
standard error of a loss difference on the shipped flights is 2-4 times too small).
Method: delete-one-group jackknife (Shao & Tu 1995, 2.3), one-sided bounds by Student's t with blocks - 1 degrees.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.metrics import METRIC, Metric
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import LEAST_BLOCKS, METRICS_OF, Promotion

Array = npt.NDArray[np.float64]

_NOT_KEY = ("block", "label", "prediction")


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """The same requests answered by both, as arrays `[rows]`; an answer that is none is NaN."""

    block: npt.NDArray[np.object_]
    label: Array
    challenger: Array
    champion: Array

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Paired":
        """Some of the rows."""
        return Paired(
            block=self.block[chosen],
            label=self.label[chosen],
            challenger=self.challenger[chosen],
            champion=self.champion[chosen],
        )

    def broken(self, who: str, task: Task) -> str:
        """What is wrong with the answers of "challenger" or "champion", in words; "" when nothing is."""
        answer: Array = getattr(self, who)
        wrong = ~np.isfinite(answer) | ((task is Task.CLASSIFICATION) & ((answer < 0) | (answer > 1)))
        if not wrong.any():
            return ""
        return f"the {who}'s answer to {int(wrong.sum())} of {len(answer)} rows is none ({answer[wrong][0]})"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A metric of both and how much better the challenger's is (positive = better), in the metric's unit.

    None is what could not be computed, and `untold` says why there is no standard error ("" when there is one).
    """

    rows: int
    blocks: int
    challenger: float | None = None
    champion: float | None = None
    improvement: float | None = None
    standard_error: float | None = None
    untold: str = ""

    def bounds(self, alpha: float) -> tuple[float, float] | None:
        """Lower and upper bound of the improvement, one-sided at `alpha` each; None without a standard error."""
        if self.improvement is None or self.standard_error is None:
            return None
        from scipy.stats import t

        reach = float(t.ppf(1 - alpha, self.blocks - 1)) * self.standard_error
        return self.improvement - reach, self.improvement + reach


def paired(challenger: pd.DataFrame, champion: pd.DataFrame) -> tuple[pd.DataFrame, Paired]:
    """The requests of judged rows (`key..., as_of, block, label, prediction`), sorted, and beside them both answers.

    Rows are given in any order. Raises DataError unless both hold the same requests, blocks and labels once each.
    """
    key = [name for name in challenger.columns if name not in _NOT_KEY]
    ours, theirs = (_sorted(who, side, key) for who, side in (("challenger", challenger), ("champion", champion)))
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
    answers = [side["prediction"].to_numpy(dtype=np.float64, na_value=np.nan) for side in (ours, theirs)]
    return ours[key], Paired(
        block=ours["block"].to_numpy(dtype=object),
        label=ours["label"].to_numpy(dtype=np.float64),
        challenger=answers[0],
        champion=answers[1],
    )


def difference(promotion: Promotion, rows: Paired, task: Task) -> Difference:
    """The difference over these rows, at least one, in the declared metric.

    Raises DeclarationError for a metric the task lacks, DataError for labels it cannot be of.
    """
    if promotion.metric not in METRICS_OF[task]:
        raise DeclarationError(
            f"promotion.metric == {promotion.metric!r}, must be one of {METRICS_OF[task]} for a {task.value}: "
            "correct the declaration."
        )
    metric = METRIC[promotion.metric]
    blocks = sorted(set(rows.block))
    found = Difference(rows=len(rows.label), blocks=len(blocks))
    if broken := rows.broken("challenger", task) or rows.broken("champion", task):
        return replace(found, untold=broken)
    undefined = "auc needs both classes" if metric.name == "auc" else f"{metric.name} is not finite"
    mine, yours, improvement = _measured(metric, rows)
    if not math.isfinite(improvement):
        return replace(found, untold=undefined)
    found = replace(found, challenger=mine, champion=yours, improvement=improvement)
    if len(blocks) < LEAST_BLOCKS:
        return replace(found, untold=f"{promotion.blocks(len(blocks))}, {LEAST_BLOCKS} are the least that tell")
    error = jackknife_error(np.array([_measured(metric, rows.where(rows.block != block))[2] for block in blocks]))
    if not math.isfinite(error):
        return replace(found, untold=f"{undefined} when one of the blocks is left out")
    return replace(found, standard_error=error)


def _measured(metric: Metric, rows: Paired) -> tuple[float, float, float]:
    """Challenger's, champion's, improvement; NaN for the AUC of one class."""
    if metric.name == "auc" and len(np.unique(rows.label)) < 2:
        return math.nan, math.nan, math.nan
    mine, yours = metric.of(rows.label, rows.challenger), metric.of(rows.label, rows.champion)
    return mine, yours, metric.gain(mine, yours)


def _sorted(who: str, frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    lacking = sorted({*key, *_NOT_KEY} - set(frame.columns)) + sorted(set(frame.columns) - {*key, *_NOT_KEY})
    if lacking or not key:
        raise DataError(f"{who}'s rows differ in columns {lacking}, must be a key and {_NOT_KEY}: score both alike.")
    if frame.empty:
        raise DataError(f"{who} has no rows, must have at least one: score the validation rows.")
    if frame["label"].isna().any() or frame["block"].isna().any():
        raise DataError(f"{who} has rows without label or block, must have both: leave unlabelled rows out.")
    if (twice := frame.duplicated(key)).any():
        raise DataError(f"{who} has request {frame.loc[twice, key].iloc[0].to_dict()} twice, must be there once.")
    return frame.sort_values(key, kind="stable", ignore_index=True)


def jackknife_error(without: Array) -> float:
    """Standard error of a figure from its values with one block left out each, `[blocks]`.

    >>> values = np.array([1.0, 2.0, 3.0, 4.0])
    >>> means_without = (values.sum() - values) / 3
    >>> math.isclose(jackknife_error(means_without), values.std(ddof=1) / 2)  # of a mean: the textbook's s / sqrt(n)
    True
    """
    blocks = len(without)
    return float(np.sqrt((blocks - 1) / blocks * np.sum((without - without.mean()) ** 2)))
