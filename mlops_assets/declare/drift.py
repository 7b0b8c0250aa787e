"""What counts as drift: the policy of a use case and the columns it watches.

Here stand the numbers and their evidence. How they are applied is `core/drift`; this file computes nothing but the
threshold of one column.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mlops_assets.declare.checking import refuse

ColumnKind = Literal["numeric", "category"]  # binned by reference quantiles, or by name


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """One watched column. `stable`: a schedule or static fact, whose drift means a broken feed, never a retrain.

    `critical`: its drift alone is reason to act. `unit` is shown beside every number of the column ("" = no unit).
    `feed`: what fills it ("planes by tailnum"); columns of one feed that go missing together are one fault.
    Raises DeclarationError for an empty name, an unknown kind, or a column that is both stable and critical.

    >>> Monitored(name="distance", kind="numeric", unit="mile", stable=True).kind
    'numeric'
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    stable: bool = False
    critical: bool = False
    feed: str = ""

    def __post_init__(self) -> None:
        where = f"Monitored({self.name!r})"
        if not self.name:
            raise refuse(where, "name", self.name, "must not be empty", "name the column")
        if self.kind not in get_args(ColumnKind):
            rule = f"must be one of {get_args(ColumnKind)}"
            raise refuse(where, "kind", self.kind, rule, "say how the column is binned")
        if self.stable and self.critical:
            rule = "must not stand beside stable=True, which promises that drift here never retrains"
            raise refuse(where, "critical", True, rule, "choose one")


@dataclass(frozen=True, kw_only=True)
class DriftPolicy:
    """When a window has drifted. All PSI figures are in nats; shares and alphas lie in (0, 1).

    Raises DeclarationError for a value out of range or for two levels in the wrong order.

    >>> DriftPolicy().threshold(restlessness=0.21), DriftPolicy().threshold(restlessness=0.02)
    (0.315, 0.2)
    """

    # PSI .1 and .2 are the trade's levels (Siddiqi 2006; Yurdakul 2018 shows how often they fire by chance); used here
    # as floors only: in the shipped flights 12-26 of 43 features exceed .25 in every healthy week.
    floor: float = 0.20
    watch: float = 0.10
    # 1.5 x the largest leave-one-window-out PSI: 0-1 flags in quiet weeks, 6-13 in the weeks of real change (flights).
    calibration: float = 1.5
    # Two-sided: a column errs towards DRIFT at its threshold 2.5 % of the time (simulated 2.0-2.4 %).
    alpha: float = 0.05
    # Below 500 rows a shift of .5 sd is found in less than 95 % of windows (58 % at 200).
    min_rows: int = 500
    # 6 of 7 days (.86) may be judged, 5 of 7 (.71) may not: a 2-day week is not drift.
    min_completeness: float = 0.80
    # Columns carrying a fifth of the champion's importance: below it retraining gained nothing on the flights.
    table_score: float = 0.20
    # A km/mile or timezone fault scores .9 on a static column whose natural wobble is below .1.
    stable_watch: float = 0.10
    stable_alarm: float = 0.25
    # KS distance .1 is a shift of .25 sd of a normal.
    ks: float = 0.10
    # The largest of 8 healthy windows is exceeded by the next one time in 9; with fewer, thresholds are guesses.
    min_reference_windows: int = 8

    # Feed faults: what no reference window came near. Every bound is met by a lower confidence bound of the share.
    # Missing: of the values that are usually there, this share is gone. After the first week, which has no history, the
    # worst of 26 columns is a blizzard's week with 14 %; a feed that drops 30 % of a column's values is past it.
    fault_missing: float = 0.15
    # ... and beyond so many robust sd of the reference's windows: a null that means "no gust" comes and goes with the
    # weather (28 % .. 91 % of a week), and 4.2 sd above its usual share is still a calm week.
    fault_missing_sd: float = 5.0
    # Stuck: one value's share rose by this much. In the year's 45 weeks no value of 28 columns rose by more than .33.
    fault_stuck: float = 0.40
    # Or what is left beside the missing, or beside one value, fell to this part of the least it ever was.
    fault_rest: float = 0.10
    # Scale of a column that may drift: ten times larger or smaller; a week of storms made delays 3.9 times as large,
    # a wet one the rain 8 times.
    fault_scale: float = 10.0

    def __post_init__(self) -> None:
        where = "DriftPolicy"
        for name in ("floor", "watch", "stable_watch", "stable_alarm", "calibration", "fault_missing_sd"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise refuse(where, name, value, "must be a finite number above 0", "see the default")
        shares = ("alpha", "ks", "min_completeness", "table_score", "fault_missing", "fault_stuck", "fault_rest")
        for name in shares:
            value = getattr(self, name)
            if not 0 < value <= 1 or (name in ("alpha", "ks") and value == 1):
                raise refuse(where, name, value, "must lie in (0, 1]; alpha and ks below 1", "see the default")
        for name, least in (("min_rows", 1), ("min_reference_windows", 2)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise refuse(where, name, value, f"must be a whole number >= {least}", "see the default")
        if self.calibration < 1:
            rule = "must be >= 1: below it the reference would alarm on itself"
            raise refuse(where, "calibration", self.calibration, rule, "see the default")
        if not (math.isfinite(self.fault_scale) and self.fault_scale > 1):
            raise refuse(where, "fault_scale", self.fault_scale, "must be a finite factor above 1", "see the default")
        for low, high in (("watch", "floor"), ("stable_watch", "stable_alarm")):
            if getattr(self, low) > getattr(self, high):
                rule = f"must not exceed {high} == {getattr(self, high)}"
                raise refuse(where, low, getattr(self, low), rule, "swap them")

    def threshold(self, *, restlessness: float, stable: bool = False) -> float:
        """The PSI (nats) at which a column of this restlessness has drifted; stable columns keep the plain alarm level.

        `restlessness` is the largest leave-one-window-out PSI inside the reference (nats, >= 0).
        """
        return self.stable_alarm if stable else max(self.floor, self.calibration * restlessness)

    def watch_level(self, *, restlessness: float, stable: bool = False) -> float:
        """The PSI (nats) worth a look: above the trade's .1 and above anything the reference itself ever did."""
        return self.stable_watch if stable else max(self.watch, restlessness)
