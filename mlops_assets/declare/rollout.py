"""How a new model reaches the users: by which steps, on what evidence, within which bounds.

Here stand the numbers and their reasons. What is made of them is `core/rollout`; this file judges nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args

from mlops_assets.declare.checking import as_names, freeze, known, no_repeats, refuse
from mlops_assets.declare.modelling import Task

# what may go wrong with one answer of a model, whatever the truth turns out to be
RATES = ("error", "slow", "invalid")
# the loss of one answer, by which quality is judged; `error`: 1.0 for the wrong side of one half
LOSSES_OF: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {Task.CLASSIFICATION: ("log_loss", "brier", "error"), Task.REGRESSION: ("absolute", "squared")}
)
LOSSES = tuple(loss for losses in LOSSES_OF.values() for loss in losses)
OnNew = Literal["queue", "supersede"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the ladder: the challenger answers `share` of the traffic, in (0, 1).

    It is left upwards when each rate of bad answers is certified to be below `margin` times the champion's, or below
    the plan's `most_bad`, by at least `least` answers of the challenger.

    >>> Step(share=0.05, margin=3.0).least
    200
    """

    share: float
    margin: float
    least: int = 200

    def __post_init__(self) -> None:
        where = f"Step({self.share!r})"
        if not 0 < self.share < 1:
            raise refuse(where, "share", self.share, "must lie between 0 and 1", "100 % is the soak, reached by proof")
        if not (math.isfinite(self.margin) and self.margin > 1):
            raise refuse(where, "margin", self.margin, "must be above 1", "3.0: less than three times as many")
        if type(self.least) is not int or self.least < 1:
            raise refuse(where, "least", self.least, "must be a whole number >= 1", "answers of the challenger")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How good the answers must be shown to be, on labelled requests that both models answered.

    The challenger must be non-inferior: its mean `loss` at most `margin` above the champion's. Losses are averaged over
    blocks of `block` (calendar days of the request), since outcomes of one day share a storm, and judged when `blocks`
    of them are complete, again at twice as many, and so on; `alpha` is what all looks together may err.
    `block=None` says that outcomes are independent: then every pair is judged as it comes.
    """

    loss: str
    margin: float
    alpha: float = 0.05
    block: timedelta | None = _DAY
    blocks: int = 14

    def __post_init__(self) -> None:
        known("Quality", "loss", self.loss, LOSSES)
        if not 0 < self.margin < math.inf:
            raise refuse("Quality", "margin", self.margin, "must be above 0 and finite", "in units of the loss")
        if not 0 < self.alpha < 0.5:
            raise refuse("Quality", "alpha", self.alpha, "must lie between 0 and 0.5", "e.g. 0.05")
        if self.block is not None and (self.block < _DAY or self.block % _DAY):
            raise refuse("Quality", "block", self.block, "must be a whole number of days >= 1", "e.g. days(1), or None")
        if type(self.blocks) is not int or self.blocks < 5:
            raise refuse("Quality", "blocks", self.blocks, "must be a whole number >= 5", "fewer say next to nothing")


@dataclass(frozen=True, kw_only=True)
class RolloutPlan:
    """The ladder of one use case: PREPARING, SHADOW, the canary `steps`, SOAK, FINALIZED; shares only rise by proof.

    `quality` has no default: what a better model is, only its owner can say. `unit` names columns of the request whose
    rows stay with one arm ((): each row for itself). An answer is slow above `slow` of scoring time. `alpha` is what
    the judgement of all `rates` together may err. `hold` bounds how long a rollout may be paused or held, `silence` how
    long gateways trust a controller that is not heard of. `exposure`: the most answers users may get from a challenger
    before it is final. `breaker`: a challenger of whose last 20 calls this share failed is taken out at once. `on_new`:
    what becomes of a challenger that is nominated while another is on its way. The last three final versions stay
    loaded, so that a rollback to them needs no load.

    >>> RolloutPlan(quality=Quality(loss="brier", margin=0.002)).steps[0]
    Step(share=0.05, margin=3.0, least=200)
    """

    quality: Quality
    steps: tuple[Step, ...] = (
        # margins as wide as the evidence at that share can carry (statistics: engine A)
        Step(share=0.05, margin=3.0),
        Step(share=0.25, margin=2.0),
        Step(share=0.50, margin=1.5),
    )
    rates: tuple[str, ...] = RATES
    unit: tuple[str, ...] = ()
    slow: timedelta = timedelta(milliseconds=250)
    most_bad: float = 0.01
    alpha: float = 0.01
    shadow_least: int = 500
    soak_least: int = 1000
    exposure: int = 1_000_000
    breaker: float = 0.5
    hold: timedelta = timedelta(days=30)
    silence: timedelta = timedelta(seconds=10)
    on_new: OnNew = "queue"

    def __post_init__(self) -> None:
        freeze(self, steps=tuple(self.steps), rates=as_names("RolloutPlan", "rates", self.rates),
               unit=as_names("RolloutPlan", "unit", self.unit))  # fmt: skip
        shares = [step.share for step in self.steps]
        if not shares or shares != sorted(set(shares)):
            raise refuse("RolloutPlan", "steps", shares, "must rise from step to step", "e.g. 0.05, 0.25, 0.5")
        if not self.rates:
            raise refuse("RolloutPlan", "rates", self.rates, "must name at least one", f"of {RATES}")
        for name in self.rates:
            known("RolloutPlan", "rates", name, RATES)
        no_repeats("RolloutPlan", "rates", self.rates)
        known("RolloutPlan", "on_new", self.on_new, get_args(OnNew))
        for name in ("most_bad", "alpha"):
            if not 0 < getattr(self, name) < 0.5:
                raise refuse("RolloutPlan", name, getattr(self, name), "must lie between 0 and 0.5", "see the default")
        if not 0 < self.breaker <= 1:
            raise refuse("RolloutPlan", "breaker", self.breaker, "must be above 0 and at most 1", "a share of calls")
        for name in ("shadow_least", "soak_least", "exposure"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise refuse("RolloutPlan", name, getattr(self, name), "must be a whole number >= 1", "in answers")
        for name in ("slow", "hold", "silence"):
            if getattr(self, name) <= timedelta(0):
                raise refuse("RolloutPlan", name, getattr(self, name), "must be above 0", "a span of time")

    @classmethod
    def blue_green(cls, quality: Quality, **changes: Any) -> "RolloutPlan":
        """Blue-green: the same proofs, through the same shares, each step as soon as its evidence is there.

        No step waits for a number of answers of its own, the shadow and the soak for no more than the certificate; the
        old model stays loaded as it always does. `changes` are any other fields.

        >>> plan = RolloutPlan.blue_green(Quality(loss="brier", margin=0.002), unit=("customer",))
        >>> [step.share for step in plan.steps], plan.soak_least
        ([0.05, 0.25, 0.5], 1)
        """
        steps = tuple(replace(step, least=1) for step in cls(quality=quality).steps)
        fast: dict[str, Any] = {"steps": steps, "shadow_least": 1, "soak_least": 1}
        return cls(quality=quality, **(fast | changes))
