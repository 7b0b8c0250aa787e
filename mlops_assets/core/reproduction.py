"""Was a model made again? PASS when every ingredient and the result are equal, else FAIL and why not.

Here belong the comparison of two results and the verdict. It is pure: who finds what was recorded, and who trains
again, is `graph/reproduction.py`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.core.actions import Action
from mlops_assets.core.ingredients import Ingredient, differences, told
from mlops_assets.core.verdicts import Verdict

# What an answer of a linear model may differ by where BLAS takes other kernels: they add products in another order.
# Between Haswell, SkylakeX and Nehalem kernels the last bits of LogisticRegression differed, those of no tree model.
TOLERANCE = 1e-9
PREDICTION = "prediction"  # the column of judged rows that holds the model's answer


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What a training came to: digest of the estimator, versions of the encoder and of the judged validation rows."""

    digest: str
    encoder: str
    predictions: pa.Table
    predictions_version: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """A training as it was recorded, or as it was done here.

    `actions` by "asset@partition"; `kernels` of the CPU, None where they were not recorded; `result` is None where
    there is none, for the reasons in `amiss`.
    """

    actions: Mapping[str, Action]
    kernels: tuple[str, ...] | None
    result: Result | None
    amiss: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """PASS or FAIL: `reasons` against it, one sentence each, and `how` near it came: "bit for bit", or in numbers."""

    verdict: Verdict
    reasons: tuple[str, ...]
    how: str = ""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Whether a model version was made again, and what differs if not.

    `digest_here` and `predictions_here` are None where nothing could be trained. `code` says whose code trained:
    "here", or "commit <sha>"; `notes` what else one should know.
    """

    name: str
    partition: str
    action_key: str
    trained_model: str
    verdict: str
    sentence: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    code: str
    digest_recorded: str
    digest_here: str | None
    predictions_recorded: str
    predictions_here: str | None
    ingredients: tuple[Ingredient, ...]

    @property
    def passed(self) -> bool:
        return self.verdict == Verdict.PASS.value

    def to_json(self) -> dict[str, Any]:
        """Plain texts and lists."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Reproduction":
        """The one `to_json` wrote. Raises KeyError or TypeError for anything else."""
        lists = {name: tuple(record[name]) for name in ("reasons", "notes")}
        return cls(**{**record, **lists, "ingredients": tuple(Ingredient(**one) for one in record["ingredients"])})


def on_blas(path: str) -> bool:
    """True for an estimator (dotted path) whose fit runs on BLAS: the linear ones of `checked_models`.

    >>> on_blas("sklearn.linear_model.Ridge"), on_blas("sklearn.ensemble.RandomForestRegressor")
    (True, False)
    """
    return path.startswith("sklearn.linear_model.")


def judge(recorded: Side, here: Side, *, blas: bool) -> Judgement:
    """Whether the training here is the recorded one. `blas`: the model's fit runs on BLAS (`on_blas`).

    Bit for bit; but with other CPU kernels a model on BLAS has to answer the same rows within `TOLERANCE` alone.
    """
    differing = differences(recorded.actions, here.actions)
    made_of = [change for change in differing if change.kind != "input"]
    own = [told(change) for change in sorted(made_of, key=lambda change: change.kind == "code")]  # code is often much
    reasons = [*recorded.amiss, *own, *here.amiss]
    if recorded.result is None or here.result is None:
        return _judged(reasons)
    # of a model's inputs its trials alone were made again
    apart = [told(change).replace("input", "result of", 1) for change in differing if change.kind == "input"]
    apart += compared(recorded.result, here.result)
    if not apart:
        return _judged(reasons, "bit for bit")
    if blas and not own and recorded.kernels not in (None, here.kernels):
        return _within(recorded.result, here.result, reasons)
    if blas and recorded.kernels is None:
        apart.append("which CPU kernels the recorded model was fitted on is unknown, so its bits are asked for")
    return _judged([*reasons, *apart])


def compared(recorded: Result, here: Result) -> list[str]:
    """What differs between two results, in words; empty when they are the same bit for bit."""
    found = []
    if recorded.digest != here.digest:
        found.append(f"model digest: {recorded.digest[:12]} recorded, {here.digest[:12]} here")
    if recorded.encoder != here.encoder:
        found.append(f"encoder: {recorded.encoder[:12]} recorded, {here.encoder[:12]} here")
    if recorded.predictions_version != here.predictions_version:
        distance = largest_difference(recorded.predictions, here.predictions)
        how = "are of other rows" if distance is None else f"differ by at most {distance:.3g}"
        found.append(f"predictions on the validation rows {how}")
    return found


def largest_difference(recorded: pa.Table, here: pa.Table) -> float | None:
    """The largest distance between the predictions of two tables of judged rows; None where the rows differ."""
    if not recorded.drop_columns([PREDICTION]).equals(here.drop_columns([PREDICTION])):
        return None
    before, after = (np.asarray(table[PREDICTION], dtype=np.float64) for table in (recorded, here))
    return float(np.abs(before - after).max(initial=0.0))


def _within(recorded: Result, here: Result, reasons: list[str]) -> Judgement:
    distance = largest_difference(recorded.predictions, here.predictions)
    if distance is None:
        return _judged([*reasons, "predictions are of other rows than the recorded ones"])
    words = f"predictions differ by at most {distance:.2g} on other CPU kernels, allowed is {TOLERANCE:g}"
    return _judged(reasons, words) if distance <= TOLERANCE else _judged([*reasons, words])


def _judged(reasons: Iterable[str], how: str = "") -> Judgement:
    found = tuple(reasons)
    return Judgement(verdict=Verdict.FAIL if found else Verdict.PASS, reasons=found, how="" if found else how)
