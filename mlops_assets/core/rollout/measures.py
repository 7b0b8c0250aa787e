"""What the evidence says of one thing: how often the challenger was called, and of the rate of one kind of bad answers.

Here belong figures and sentence of a single measure; of quality they are in `quality.py`. What all of them together
mean is `judge.py`'s business.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlops_assets.core.rollout.counts import Calls
from mlops_assets.core.rollout.engines.rates import Bad, log_certify, log_mean_exp, log_rare, log_regress
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.rollout import RATES, RolloutPlan


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that is judged: `count` calls of the challenger or pairs, what each arm did, and how far it has come.

    `champion` and `challenger` are rates in 0..1 or mean losses, None where nothing was seen. `toward_pass` and
    `toward_fail` are 0 and up, finite: evidence by the evidence asked for (as logarithms); from 1 on it is enough.
    """

    name: str
    verdict: Verdict
    count: int
    champion: float | None
    challenger: float | None
    toward_pass: float
    toward_fail: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self) | {"verdict": self.verdict.value}


def calls_measure(called: int, least: int) -> Measure:
    """Whether the challenger was called often enough to be let on."""
    lacking = max(0, least - called)
    return Measure(
        name="calls",
        verdict=Verdict.INCONCLUSIVE if lacking else Verdict.PASS,
        count=called,
        champion=None,
        challenger=None,
        toward_pass=called / least,
        toward_fail=0.0,
        sentence=f"{called:,} calls of the challenger, {least:,} are asked: "
        + (f"{lacking:,} are missing" if lacking else "enough"),
    )


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often the answers of either arm were bad in one way, by share of the traffic.

    >>> rate = Rate(name="error", bad=(Bad(0.5, 3, 4),), champion=(3, 1000), challenger=(4, 1000))
    >>> rate.log_certified(margin=3.0, most_bad=0.01) > 0 > rate.log_worse()
    True
    """

    name: str
    bad: tuple[Bad, ...]
    champion: tuple[int, int]
    challenger: tuple[int, int]

    def log_worse(self) -> float:
        """Log evidence that the challenger's rate is above the champion's."""
        return log_regress(self.bad)

    def log_certified(self, margin: float, most_bad: float) -> float:
        """Log evidence that it is below `margin` times the champion's or below `most_bad`.

        The mean of two e-values is one against both being untrue.
        """
        bad, calls = self.challenger
        return log_mean_exp([log_certify(self.bad, margin), log_rare(calls, bad, most_bad)])


def rate_of(name: str, calls: Mapping[float, Calls]) -> Rate:
    """One of `RATES` over these calls.

    The challenger's share is the one that was realised, by calls: a shadow drops calls under load, and the units of one
    arm may ask more often than those of the other (`engines/rates.py`).
    """
    at = RATES.index(name)
    both = [c for c in calls.values() if c.champion and c.challenger]
    return Rate(
        name=name,
        bad=tuple(Bad(c.challenger / (c.champion + c.challenger), c.champion_bad[at], c.challenger_bad[at])
                  for c in both),
        champion=(sum(c.champion_bad[at] for c in calls.values()), sum(c.champion for c in calls.values())),
        challenger=(sum(c.challenger_bad[at] for c in calls.values()), sum(c.challenger for c in calls.values())),
    )  # fmt: skip


def rate_measure(plan: RolloutPlan, rate: Rate, margin: float, *, failed: bool, convicts: float) -> Measure:
    """The measure of one rate. `failed`: the judge convicts it; `convicts`: the log evidence at which it does alone."""
    certified, asked = rate.log_certified(margin, plan.most_bad), math.log(1 / plan.alpha)
    worse = rate.log_worse()
    mine, yours = (bad / calls if calls else None for bad, calls in (rate.challenger, rate.champion))
    said = f"{rate.name} rate {_percent(mine)} of {rate.challenger[1]:,} calls against {_percent(yours)}"
    below = f"below {margin:g} times the champion's or {plan.most_bad:.2%}"
    if failed:
        verdict, said = Verdict.FAIL, f"{said}: worse beyond chance (evidence {_times(worse)} of {_times(convicts)})"
    elif certified >= asked:
        verdict, said = Verdict.PASS, f"{said}: certified {below} (evidence {_times(certified)} of {_times(asked)})"
    else:
        verdict = Verdict.INCONCLUSIVE
        said = f"{said}: not yet certified {below} (evidence {_times(certified)} of {_times(asked)})"
    return Measure(
        name=rate.name,
        verdict=verdict,
        count=rate.challenger[1],
        champion=yours,
        challenger=mine,
        toward_pass=max(0.0, certified / asked),
        toward_fail=max(0.0, worse / convicts),
        sentence=said,
    )


def _percent(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.2%}"


def _times(log_evidence: float) -> str:
    """Evidence as a number a reader can hold: how many times likelier."""
    return f"{math.exp(log_evidence):,.2g}" if log_evidence < math.log(10) else _large(log_evidence)


def _large(log_evidence: float) -> str:
    return "over a million" if log_evidence > math.log(1e6) else f"{math.exp(log_evidence):,.0f}"
