"""The verdict's metric slice by slice: for whom is the challenger better, for whom worse?

Here belongs the report of both models on the judged rows of each value of the declared features; the cutting is
`slice_labels.py`. It decides nothing (docs/decisions/0022): a slice that is worse beyond chance is named, the verdict
stands. Many slices are asked at once, so each bound is one-sided at alpha / slices (Bonferroni): the chance to name any
slice wrongly stays alpha.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.paired import Difference, difference, paired
from mlops_assets.core.slice_labels import slice_labels
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.promotion import Promotion

_MATCH = "\0match"  # no declared name holds a NUL

_WORSE, _BETTER, _ALIKE = "worse beyond chance", "better beyond chance", "no difference beyond chance"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Both models on the rows of one value; `label` says which: "carrier = HA", "distance <= 502", "tailnum is null".

    `improvement` is positive when the challenger is better, `lower` and `upper` bound it one-sided at the report's
    alpha / slices each. None is what could not be computed, `untold` says why there are no bounds.
    """

    feature: str
    label: str
    rows: int
    blocks: int
    challenger: float | None
    champion: float | None
    improvement: float | None
    standard_error: float | None
    lower: float | None
    upper: float | None
    untold: str

    @property
    def says(self) -> str:
        """The finding in words."""
        if self.lower is None or self.upper is None:
            return self.untold
        return _WORSE if self.upper < 0 else _BETTER if self.lower > 0 else _ALIKE


@dataclass(frozen=True, kw_only=True)
class SliceReport:
    """All slices of all declared features, in declared order; every feature's slices hold each of the `rows` once."""

    features: tuple[str, ...]
    metric: str
    unit: str
    alpha: float
    rows: int
    slices: tuple[Slice, ...]

    @property
    def told(self) -> int:
        """How many slices have bounds: over so many is alpha split."""
        return sum(not one.untold for one in self.slices)

    @property
    def sentence(self) -> str:
        """Which slices are worse beyond chance, with their numbers; or that none is."""
        if not self.features:
            return "No slices are declared."
        none = f"No slice of {', '.join(self.features)}"
        untold = len(self.slices) - self.told
        if not self.told:
            first = self.slices[0]
            return f"{none} can be told, all {untold} lack bounds: {first.label}, {first.untold}."
        worse = [
            f"for {one.label} beyond chance: {self.metric} {one.challenger:.4f} against {one.champion:.4f}, "
            f"{one.improvement:+.4f} (at most {one.upper:+.2g}, {one.rows} rows)"
            for one in self.slices
            if one.says == _WORSE
        ]
        found = f"Worse {'; '.join(worse)}" if worse else f"{none} is worse beyond chance"
        more = f", {untold} more untold" if untold else ""
        return f"{found}; alpha {self.alpha:g} split over {self.told} slices (Bonferroni){more}."

    def table(self) -> list[dict[str, Any]]:
        """One row a slice, for people."""
        return [
            {"slice": one.label, "says": one.says}
            | {name: value for name, value in asdict(one).items() if name not in ("feature", "label", "untold")}
            for one in self.slices
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, the sentence included."""
        return asdict(self) | {
            "features": list(self.features),
            "slices": [asdict(one) for one in self.slices],
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "SliceReport":
        """The report `to_json` wrote. Raises KeyError or TypeError for anything else."""
        fields = {name: value for name, value in record.items() if name != "sentence"}
        told = {"features": tuple(record["features"]), "slices": tuple(Slice(**one) for one in record["slices"])}
        return cls(**(fields | told))


def slices(
    promotion: Promotion, challenger: pd.DataFrame, champion: pd.DataFrame, features: pd.DataFrame, task: Task
) -> SliceReport:
    """The report over judged rows (`key..., as_of, block, label, prediction`) of both models, in any order of rows.

    `features` has the request's key columns and the declared slices; rows that were not judged may stand in it.
    A value of fewer than `promotion.min_slice_rows` judged rows is folded with the feature's other such ones, null is a
    value of its own, a number of more than 12 values is cut at the quartiles of the judged rows. Raises DataError where
    `paired` does and for a judged row without its features, DeclarationError for a metric the task lacks.
    """
    requests, rows = paired(challenger, champion)
    least, found = promotion.min_slice_rows, []
    values = _values(promotion, requests, features)
    for name in promotion.slices:
        labels = slice_labels(name, values[name], least)
        for label in labels.order:
            part = difference(promotion, rows.where(labels.of_row == label), task)
            if part.rows < least and not part.untold:
                part = replace(part, standard_error=None, untold=f"{part.rows} rows, {least} are the least that tell")
            found.append((name, label, part))
    told = sum(not part.untold for _, _, part in found)
    return SliceReport(
        features=promotion.slices,
        metric=promotion.metric,
        unit=METRIC[promotion.metric].unit,
        alpha=promotion.alpha,
        rows=len(rows.label),
        slices=tuple(_slice(name, label, part, promotion.alpha / max(told, 1)) for name, label, part in found),
    )


def _slice(feature: str, label: str, part: Difference, alpha: float) -> Slice:
    lower, upper = part.bounds(alpha) or (None, None)
    return Slice(feature=feature, label=label, lower=lower, upper=upper, **asdict(part))


def _values(promotion: Promotion, requests: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The declared slices' columns in the order of the requests."""
    key = [name for name in requests.columns if name != "as_of"]
    wanted = list(dict.fromkeys((*key, *promotion.slices)))
    if lacking := [name for name in wanted if name not in features.columns]:
        raise DataError(
            f"the features have no column {lacking}, must have the request's key and the slices "
            f"{list(promotion.slices)}: pass the feature table of the validation weeks."
        )
    try:
        found = requests[key].merge(features[wanted], on=key, how="left", validate="one_to_one", indicator=_MATCH)
    except pd.errors.MergeError as twice:
        raise DataError(f"a request stands more than once in the features ({twice}): keep one row.") from twice
    lost = found[_MATCH] != "both"
    if lost.any():
        raise DataError(
            f"request {found.loc[lost, key].iloc[0].to_dict()} has no features ({int(lost.sum())} of {len(found)} "
            "judged rows): pass the feature table of all validation weeks."
        )
    return found
