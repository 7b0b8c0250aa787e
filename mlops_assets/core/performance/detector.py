"""Evidence that losses are above what the validation allows: the Shiryaev-Roberts e-detector in its betting form.

Shin, Ramdas & Rinaldo (2024), "E-detectors: a nonparametric framework for sequential change detection". For each
alternative a > p a bet f(x) = 1 + (a - p) / (p (1 - p)) (x - p) on a loss x in 0 .. 1 (for 0/1 losses the likelihood
ratio of a to p), and R <- (R + 1) f(x)^(1 / effect); an alarm when the mean of R over the alternatives reaches
`patience`. While the expected loss is at most p, the mean of R grows by at most 1 a label, so that the average run
length to a false alarm is at least `patience` labels. The design effect thins the evidence of labels that share a
storm. After an alarm the evidence starts anew. It knows no labels, no instants and no model.

R is kept as (log growth, log sum): the state moves by running sums in one order, and is brought back to size at fixed
counts of labels, so any chunks of the same losses end in the same bits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.performance.level import Level
from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.errors import DataError

Array = npt.NDArray[np.float64]

_RESIZE = 4096  # labels after which log growth is brought back to 0: it falls by as much as log sum rises
_SHORTEST = 64  # labels looked at after an alarm, then twice as many: many alarms cost no more than few


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Evidence after `labels` losses. `alarms` are the counts of labels at which it reached the bound, oldest first.

    `level` is p, `alternatives` are losses above it, below 1. `growth` and `total` hold R of each alternative:
    log R = growth + total; None is no evidence at all (R = 0).

    >>> policy = ConceptPolicy(loss="error", patience=100)
    >>> start = Detector.start(policy, Level(mean=0.1, bound=0.1, effect=1.0, rows=1000, blocks=14))
    >>> start.evidence, start.fold(np.ones(9)).alarms
    (0.0, (4, 8))
    """

    level: float
    effect: float
    patience: int
    alternatives: tuple[float, ...]
    labels: int
    alarms: tuple[int, ...]
    growth: tuple[float, ...]
    total: tuple[float | None, ...]

    @classmethod
    def start(cls, policy: ConceptPolicy, level: Level) -> "Detector":
        """No evidence yet. An alternative beyond the middle between the level and 1 is taken to be that middle."""
        p = level.bound
        alternatives = tuple(sorted({min(times * p, (1 + p) / 2) for times in policy.alternatives}))
        return cls(
            level=p,
            effect=level.effect,
            patience=policy.patience,
            alternatives=alternatives,
            labels=0,
            alarms=(),
            growth=(0.0,) * len(alternatives),
            total=(None,) * len(alternatives),
        )

    def continues(self, policy: ConceptPolicy, level: Level) -> bool:
        """Whether it was started with this policy and level; else its evidence is of another question."""
        fresh = Detector.start(policy, level)
        return self == replace(fresh, labels=self.labels, alarms=self.alarms, growth=self.growth, total=self.total)

    @property
    def evidence(self) -> float:
        """How far to an alarm, 0 .. 1: log evidence over the log of its bound."""
        return self._part(float(_log_mean(self._log_r()[:, None])[0]))

    def fold(self, losses: npt.ArrayLike) -> "Detector":
        """The detector after these losses, float64 `[n]` in 0 .. 1, in the order of their labels.

        Chunks do not matter, to the bit. Raises DataError for anything else than such losses.
        """
        return self.followed(losses)[0]

    def followed(self, losses: npt.ArrayLike) -> tuple["Detector", float]:
        """The detector after these losses, and the most evidence there was on the way, 0 .. 1 (1: an alarm)."""
        values = _losses(losses)
        now, peak, at, step = self, self.evidence, 0, _SHORTEST
        while at < len(values):
            stop = min(at + min(step, _RESIZE - now.labels % _RESIZE), len(values))
            now, reached = now._after(values[at:stop])
            at = now.labels - self.labels
            alarmed = now.alarms and now.alarms[-1] == now.labels
            peak, step = max(peak, reached), _SHORTEST if alarmed else 2 * step
        return now, peak

    def _after(self, losses: Array) -> tuple["Detector", float]:
        """After the losses up to the first alarm, which lie in one span between resizings; and the most evidence."""
        alternatives = np.array(self.alternatives)[:, None]
        bet = (alternatives - self.level) / (self.level * (1 - self.level))
        steps = np.log1p(bet * (losses[None, :] - self.level)) / self.effect
        growth = np.cumsum(np.hstack([np.array(self.growth)[:, None], steps]), axis=1)
        total = np.logaddexp.accumulate(np.hstack([_floats(self.total)[:, None], -growth[:, :-1]]), axis=1)
        log_mean = _log_mean((growth + total)[:, 1:])
        met = np.flatnonzero(log_mean >= math.log(self.patience))
        if len(met):
            fresh = Detector(
                level=self.level, effect=self.effect, patience=self.patience, alternatives=self.alternatives,
                labels=self.labels + int(met[0]) + 1, alarms=(*self.alarms, self.labels + int(met[0]) + 1),
                growth=(0.0,) * len(self.alternatives), total=(None,) * len(self.alternatives),
            )  # fmt: skip
            return fresh, 1.0
        labels = self.labels + len(losses)
        last = growth[:, -1], total[:, -1]
        if labels % _RESIZE == 0:
            last = np.zeros(len(alternatives)), last[0] + last[1]
        after = replace(self, labels=labels, growth=tuple(last[0].tolist()), total=tuple(last[1].tolist()))
        return after, self._part(float(log_mean.max()))

    def _log_r(self) -> Array:
        log_r: Array = np.array(self.growth) + _floats(self.total)
        return log_r

    def _part(self, log_mean: float) -> float:
        """1 needs an alarm, and so a fresh start; with a patience of 1 the first label is one."""
        return min(max(log_mean / math.log(self.patience), 0.0), 1.0) if self.patience > 1 and log_mean > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same to the bit."""
        return {
            "level": self.level,
            "effect": self.effect,
            "patience": self.patience,
            "alternatives": list(self.alternatives),
            "labels": self.labels,
            "alarms": list(self.alarms),
            "growth": list(self.growth),
            "total": list(self.total),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Detector":
        """The detector `to_json` wrote. Raises KeyError or TypeError for anything else."""
        lists = {name: tuple(record[name]) for name in ("alternatives", "alarms", "growth", "total")}
        return cls(**(dict(record) | lists))


def _floats(total: tuple[float | None, ...]) -> Array:
    return np.array([-math.inf if each is None else each for each in total])


def _log_mean(log_r: Array) -> Array:
    """Log of the mean over the first axis; -inf where all are."""
    mean: Array = np.logaddexp.reduce(log_r, axis=0) - math.log(len(log_r))
    return mean


def _losses(given: npt.ArrayLike) -> Array:
    values = np.asarray(given, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"losses have shape {values.shape}, must be one a label.")
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise DataError(f"loss {at} == {values[at]}, must lie in 0 .. 1: scale it by the most an answer counts.")
    return values
