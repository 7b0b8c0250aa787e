"""What counts as concept drift: how a model's realised answers are held against what was measured when it was made.

Here stand the numbers and their evidence. How they are applied is `core/performance`; this file computes nothing.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from mlops_assets.declare.checking import freeze, known, refuse

# loss -> the most one answer can cost; None: it has no bound of its own, so `most` must be declared
BOUNDS = {"error": 1.0, "brier": 1.0, "absolute": None}

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ConceptPolicy:
    """When a model has stopped being as good as it was. Judged on matured labels alone, apart from the inputs.

    `loss`: "error" or "brier" of a classification, "absolute" (cut at `most`, in the label's unit) of a regression.
    Every loss is scaled to 0 .. 1. The reference level is the upper `level` bound of the mean loss on the validation
    rows; `alternatives` are how many times that level a loss worth an alarm may be. `patience`: on average no false
    alarm within so many labels. Outcomes of one `block` share a storm: evidence is thinned by how much more the
    validation's blocks wobble than independent rows would (None: outcomes are independent).
    `labelled`: a cohort is judged when this share of its outcomes is known. `calibration`: predicted against actual
    means that lie this far apart, beyond the chance of blocks, are worth a look (None: never); `miscalibrated`: so far
    apart that it is concept drift. Both are in the label's unit, and need no reference level: a model that was made
    in bad weeks cannot hide behind them.

    >>> ConceptPolicy(loss="error").patience
    20000
    """

    loss: str
    most: float | None = None
    # a tenth more errors is weather; from 3 in 10 on, the flights' weeks 17 and 26 alarm and week 12 does not
    alternatives: tuple[float, ...] = (1.3, 1.6, 2.0, 3.0, 5.0)
    patience: int = 20_000  # 10 % errors becoming 15 % are found after a median of some 400 labels (simulated)
    level: float = 0.95
    block: timedelta | None = _DAY
    labelled: float = 0.90  # early labels are biased: of a true 10 % of errors, 17 % among the first that arrive
    min_rows: int = 500
    calibration: float | None = 0.05
    miscalibrated: float | None = None

    def __post_init__(self) -> None:
        where = "ConceptPolicy"
        freeze(self, alternatives=tuple(self.alternatives))
        known(where, "loss", self.loss, BOUNDS)
        if (BOUNDS[self.loss] is None) != (self.most is not None):
            rule = "must be given for a loss without a bound of its own, and for no other"
            raise refuse(where, "most", self.most, rule, "the most one answer counts, in the label's unit")
        if self.most is not None and not (math.isfinite(self.most) and self.most > 0):
            raise refuse(where, "most", self.most, "must be a finite number above 0", "in the label's unit")
        rising = sorted(set(self.alternatives))
        if not rising or list(self.alternatives) != rising or rising[0] <= 1 or not math.isfinite(rising[-1]):
            raise refuse(where, "alternatives", self.alternatives, "must rise from above 1", "see the default")
        for name in ("patience", "min_rows"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise refuse(where, name, getattr(self, name), "must be a whole number >= 1", "in labels")
        if not 0.5 <= self.level < 1:
            raise refuse(where, "level", self.level, "must lie in [0.5, 1)", "e.g. 0.95")
        if not 0 < self.labelled <= 1:
            raise refuse(where, "labelled", self.labelled, "must lie in (0, 1]", "e.g. 0.9")
        if self.block is not None and (self.block < _DAY or self.block % _DAY):
            raise refuse(where, "block", self.block, "must be a whole number of days >= 1", "e.g. days(1), or None")
        for name in ("calibration", "miscalibrated"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise refuse(where, name, value, "must be a finite number above 0", "in the label's unit, or None")
        if self.miscalibrated is not None and self.calibration is not None and self.miscalibrated < self.calibration:
            rule = f"must not be below calibration == {self.calibration}"
            raise refuse(where, "miscalibrated", self.miscalibrated, rule, "what is drift is worth a look, too")

    @property
    def bound(self) -> float:
        """What a loss is divided by: the most one answer counts."""
        bound = BOUNDS[self.loss]
        return self.most if bound is None and self.most is not None else bound or 1.0
