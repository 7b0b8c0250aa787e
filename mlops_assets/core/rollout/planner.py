"""Before the start: how long will each stage need at the present traffic, if the challenger is as good as the champion?

Here belongs the estimate. Rates are simulated with the judge's own engines (seeded: the same question, the same
answer), quality by closed forms. An estimate is no promise: a worse challenger never gets there.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlops_assets.core.rollout.engines import means
from mlops_assets.core.rollout.engines.rates import Bad
from mlops_assets.core.rollout.judge import asked
from mlops_assets.core.rollout.losses import MOST
from mlops_assets.core.rollout.measures import Rate
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.rollout import Quality, RolloutPlan

_RUNS, _SEED = 100, 20130101
_FINER = 1.2  # looks of the simulation: each at so many times as many requests as the one before
_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What lies ahead at one stage: `requests` and `seconds` as a median, and those that suffice in 90 % of cases.

    `answers` are the challenger's that reach users, as a median. Infinite where the plan never gets there.
    """

    stage: Stage
    step: int
    share: float
    needs: str
    requests: float
    seconds: float
    requests_90: float
    seconds_90: float

    @property
    def answers(self) -> float:
        """How many users' requests the challenger answers at this stage, as a median."""
        return self.requests * self.share


def plan_ahead(
    plan: RolloutPlan,
    *,
    per_second: float,
    error_rate: float,
    labels_per_day: float | None = None,
    noise: float | None = None,
) -> tuple[Ahead, ...]:
    """SHADOW, every canary step, SOAK, in order, at `per_second` requests of which `error_rate` are bad, in every rate.

    `noise` is the standard deviation of the loss difference of two equal models: of a block's mean, or of a pair where
    the plan declares no blocks. None: then blocks are expected to pass at the first look, and of pairs nothing is said
    but the least. `labels_per_day` (None: every request gets one) only matters without blocks. Raises DataError for
    traffic, rate or noise out of range.

    >>> plan = RolloutPlan(quality=Quality(loss="log_loss", margin=0.003))
    >>> shadow, *_, soak = plan_ahead(plan, per_second=1.0, error_rate=0.001, noise=0.004)
    >>> shadow.seconds / 86_400, shadow.needs
    (15.0, '14 complete blocks of 1 day; rates certified below 3 times or 1.00%, 500 calls')
    >>> soak.share, soak.seconds < 3600
    (1.0, True)
    """
    if not (0 < per_second < math.inf and 0 <= error_rate < 1):
        raise DataError(f"{per_second} requests a second, {error_rate} of them bad: must be above 0 and below 1.")
    if noise is not None and not 0 < noise < math.inf:
        raise DataError(f"noise == {noise}, must be above 0 and finite, or None when it is not known.")
    if labels_per_day is not None and not 0 < labels_per_day < math.inf:
        raise DataError(f"labels_per_day == {labels_per_day}, must be above 0, or None when every request gets one.")
    daily = per_second * _DAY_S if labels_per_day is None else labels_per_day
    shadow = _stage(plan, Stage.SHADOW, 0, 0.0, per_second, error_rate)
    quality, needs = _quality(plan.quality, daily, noise)
    first = Ahead(
        stage=Stage.SHADOW,
        step=0,
        share=0.0,
        needs=f"{needs}; {shadow.needs}",
        requests=max(shadow.requests, quality[0] * per_second),
        seconds=max(shadow.seconds, quality[0]),
        requests_90=max(shadow.requests_90, quality[1] * per_second),
        seconds_90=max(shadow.seconds_90, quality[1]),
    )
    steps = (_stage(plan, Stage.CANARY, n, step.share, per_second, error_rate) for n, step in enumerate(plan.steps))
    return first, *steps, _stage(plan, Stage.SOAK, 0, 1.0, per_second, error_rate)


def _stage(plan: RolloutPlan, stage: Stage, step: int, share: float, per_second: float, error_rate: float) -> Ahead:
    margin, least = asked(plan, stage, step)
    half, most = _rates(plan, stage, share, margin, least, error_rate)
    return Ahead(
        stage=stage,
        step=step,
        share=share,
        needs=f"rates certified below {margin:g} times or {plan.most_bad:.2%}, {least:,} calls",
        requests=half,
        seconds=half / per_second,
        requests_90=most,
        seconds_90=most / per_second,
    )


def _rates(
    plan: RolloutPlan, stage: Stage, share: float, margin: float, least: int, error_rate: float
) -> tuple[float, float]:
    """Requests after which every rate is certified in half, and in 90 %, of simulated stages with equal models."""
    mine, theirs = (share, 1 - share) if stage is Stage.CANARY else (1.0, 1.0)
    first, last = math.ceil(least / mine), 1e9
    looks = [round(first * _FINER**n) for n in range(1 + math.ceil(math.log(max(last / first, 1)) / math.log(_FINER)))]
    random = np.random.default_rng(_SEED)
    enough = math.log(1 / plan.alpha)

    def certified(requests: int, bad: list[list[int]]) -> bool:
        calls = [max(1, round(requests * part)) for part in (theirs, mine)]
        part = calls[1] / sum(calls)
        return all(
            Rate(
                name="", bad=(Bad(part, one, other),), champion=(one, calls[0]), challenger=(other, calls[1])
            ).log_certified(margin, plan.most_bad)
            >= enough
            for one, other in bad
        )

    taken = []
    for _ in range(_RUNS):
        bad, before, found = np.zeros((len(plan.rates), 2), dtype=np.int64), 0, math.inf
        for requests in looks:
            calls = [round((requests - before) * part) for part in (theirs, mine)]
            bad, before = bad + random.binomial(calls, error_rate, size=bad.shape), requests
            if certified(requests, bad.tolist()):
                found = float(requests)
                break
        taken.append(found)
    taken.sort()
    return taken[_RUNS // 2], taken[_RUNS * 9 // 10]


def _quality(quality: Quality, labels_per_day: float, noise: float | None) -> tuple[tuple[float, float], str]:
    """Seconds until quality has passed in half and in 90 % of cases, and what that takes in words."""
    if quality.block is not None:
        days = quality.block.days
        looks = (0, 0) if noise is None else (_look(quality, noise, 0.5), _look(quality, noise, 0.9))
        # a block is complete when the next but one begins
        half, most = (((quality.blocks * 2.0**look) + 1) * days * _DAY_S for look in looks)
        return (half, most), f"{quality.blocks} complete blocks of {days} day{'s' if days > 1 else ''}"
    if noise is None:
        pairs = (float(means.LEAST),) * 2
    elif quality.loss in MOST:
        # the capital of a bet of the best size grows by margin^2 / (2 noise^2) a pair; the bets at hand, tuned while
        # they run, take half as long again, and a tenth of them twice as long (simulated in the tests)
        best = 2 * math.log(1 / quality.alpha) * (noise / quality.margin) ** 2
        pairs = (1.5 * best, 3 * best)
    else:
        pairs = (_pairs(quality, noise, 0.0), _pairs(quality, noise, 1.2816))
    half, most = (count / labels_per_day * _DAY_S for count in pairs)
    return (half, most), f"about {pairs[0]:,.0f} labelled pairs"


def _look(quality: Quality, noise: float, chance: float) -> float:
    """The number of the look, from 0, at which an equal model passes with this chance; infinite beyond the tenth."""
    from scipy.stats import nct, t

    for look in range(10):
        blocks = quality.blocks << look
        bound = t.ppf(1 - quality.alpha / 2 ** (look + 1), blocks - 1)
        if nct.cdf(-bound, blocks - 1, -quality.margin * math.sqrt(blocks) / noise) >= chance:
            return look
    return math.inf


def _pairs(quality: Quality, noise: float, luck: float) -> float:
    """Pairs of which the bound is below the margin when the mean is `luck` standard errors off."""
    pairs = means.LEAST
    while means.half_width(pairs, noise, quality.alpha) + luck * noise / math.sqrt(pairs) >= quality.margin:
        pairs = math.ceil(pairs * _FINER)
    return float(pairs)
