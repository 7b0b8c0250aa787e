"""What the evidence says of the challenger's quality: on labelled requests that both models answered.

Three cases, by what the plan declares: outcomes that share their luck within a block (`engines/blocks.py`), or
independent ones, of a loss with bounds (`engines/betting.py`; `engines/pairs.py` where it is 0 or 1) or without
(`engines/means.py`).

The challenger PASSES when it is shown to lose at most the margin more than the champion; that goes first. It FAILS when
it is shown to lose more than the margin (the alarm), or when by best estimate it does, and is shown to lose more than
the champion: what is known to be worse, and not known to be harmless, need not be tried on users. The estimate has its
part in it because two weeks of one season are no sample of the year: of two models of equal rank, fitted to halves of
the same flights, one is "worse beyond chance" over 14 days in 4.6 % of cases where 1.3 % are meant, in 2.6 % with it.
"""

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from mlops_assets.core.rollout.counts import Sums
from mlops_assets.core.rollout.engines import blocks, means, pairs
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.measures import Measure
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.rollout import Quality, RolloutPlan

_NEARLY = 0.99  # as far as a bar goes that may not be full yet


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Progress to either end (1 is there) and the words for it."""

    toward_pass: float
    toward_fail: float
    told: str


def quality_measure(plan: RolloutPlan, evidence: Evidence) -> Measure:
    """The measure of the plan's loss over all pairs since the rollout began."""
    quality = plan.quality
    if evidence.blocked:
        found = _blocked(plan, evidence)
    elif evidence.bets:
        found = _bet(quality, evidence)
    else:
        found = _unbounded(quality, evidence)
    total = Sums(*map(sum, zip(*evidence.sums.values(), strict=True))) if evidence.sums else Sums()
    champion, challenger = (_mean(part, total.pairs, evidence.unit) for part in (total.champion, total.challenger))
    said = f"{quality.loss.replace('_', ' ')} {_told(challenger)} of {total.pairs:,} pairs against {_told(champion)}"
    verdict = Verdict.INCONCLUSIVE
    if found.toward_pass >= 1 and not evidence.unusable:
        verdict = Verdict.PASS
    elif found.toward_fail >= 1:
        verdict = Verdict.FAIL
    broken = f"; {evidence.unusable:,} pairs hold no loss, with which nothing passes" if evidence.unusable else ""
    return Measure(
        name=quality.loss,
        verdict=verdict,
        count=total.pairs,
        champion=champion,
        challenger=challenger,
        toward_pass=found.toward_pass,
        toward_fail=found.toward_fail,
        sentence=f"{said}: {found.told}{broken}",
    )


def blocks_told(plan: RolloutPlan, evidence: Evidence) -> list[dict[str, Any]]:
    """Each block in order of time: `block`, `pairs`, mean losses of `champion` and `challenger`, is it `complete`.

    Empty where the plan declares no blocks.
    """
    if plan.quality.block is None or not evidence.sums:
        return []
    latest = date.fromisoformat(max(evidence.sums))
    return [
        {
            "block": day,
            "pairs": one.pairs,
            "champion": _mean(one.champion, one.pairs, evidence.unit),
            "challenger": _mean(one.challenger, one.pairs, evidence.unit),
            # the next but one has begun (`engines/blocks.py`)
            "complete": date.fromisoformat(day) + 2 * plan.quality.block <= latest,
        }
        for day, one in evidence.sums.items()
    ]


def last_look(plan: RolloutPlan, evidence: Evidence) -> blocks.Look | None:
    """What the last look over blocks has seen; None before the first, and where the plan declares no blocks."""
    return blocks.last_look(_complete(plan, evidence), plan.quality.blocks, plan.quality.alpha)


def _complete(plan: RolloutPlan, evidence: Evidence) -> list[blocks.Block]:
    unit = evidence.unit
    done = [evidence.sums[row["block"]] for row in blocks_told(plan, evidence) if row["complete"]]
    return [blocks.Block(one.pairs, one.champion * unit, one.challenger * unit) for one in done]


def _blocked(plan: RolloutPlan, evidence: Evidence) -> _Found:
    quality, done, look = plan.quality, _complete(plan, evidence), last_look(plan, evidence)
    alarm = blocks.log_alarm(done, quality.margin) / math.log(2 / quality.alpha)
    if look is None:
        told = f"{len(done)} of {quality.blocks} blocks are complete"
        if alarm >= 1:
            told += f", it is worse than the margin {quality.margin:g} allows beyond chance"
        return _Found(toward_pass=min(len(done) / quality.blocks, _NEARLY), toward_fail=alarm, told=told)
    bounds = f"{look.mean:+.4f} ({look.lower:+.4f} .. {look.upper:+.4f}) over {look.blocks} blocks"
    passed = _part(quality.margin - look.mean, look.upper - look.mean)
    worse = _suspect(quality, look.mean, _part(look.mean, look.mean - look.lower))
    if alarm >= 1:
        return _Found(
            toward_pass=min(passed, _NEARLY),
            toward_fail=alarm,
            told=f"{bounds}: it is worse than the margin {quality.margin:g} allows beyond chance",
        )
    return _Found(toward_pass=passed, toward_fail=max(alarm, worse), told=f"{bounds}, the margin is {quality.margin:g}")


def _bet(quality: Quality, evidence: Evidence) -> _Found:
    below, above = evidence.bets
    asked = math.log(1 / quality.alpha)
    total = evidence.sums.get("", Sums())
    worse = pairs.log_regress(total.worse, total.better) if quality.loss == "error" else above.log_capital
    mean = (total.challenger - total.champion) / max(total.pairs, 1) * evidence.unit
    return _Found(
        toward_pass=max(0.0, below.log_capital / asked),
        toward_fail=_suspect(quality, mean, max(0.0, worse / asked)),
        told=f"evidence {math.exp(min(below.log_capital, 99)):,.3g} that it is within the margin {quality.margin:g}, "
        f"{math.exp(min(worse, 99)):,.3g} that it is worse, {1 / quality.alpha:.0f} is asked",
    )


def _unbounded(quality: Quality, evidence: Evidence) -> _Found:
    total = evidence.sums.get("", Sums())
    if total.pairs < means.LEAST:
        told = f"{total.pairs:,} of {means.LEAST:,} pairs, the least that tell"
        return _Found(toward_pass=min(total.pairs / means.LEAST, _NEARLY), toward_fail=0.0, told=told)
    difference = total.challenger - total.champion
    mean = difference / total.pairs * evidence.unit
    variance = (total.squares * total.pairs - difference * difference) / (total.pairs * (total.pairs - 1))
    reach = means.half_width(total.pairs, math.sqrt(variance) * evidence.unit, quality.alpha)
    return _Found(
        toward_pass=_part(quality.margin - mean, reach),
        toward_fail=_suspect(quality, mean, _part(mean, reach)),
        told=f"{mean:+.4g} ({mean - reach:+.4g} .. {mean + reach:+.4g}), the margin is {quality.margin:g}",
    )


def _suspect(quality: Quality, mean: float, worse: float) -> float:
    """How far it is shown to be worse; never all the way while by best estimate it is within the margin."""
    return worse if mean >= quality.margin else min(worse, _NEARLY)


def _part(way: float, reach: float) -> float:
    """Which part of the way a bound has gone, finite: 1 when the bound lies where it must."""
    if reach <= 0:
        return 1.0 if way > 0 else 0.0
    return min(max(0.0, way / reach), 99.0)


def _mean(total: int, count: int, unit: float) -> float | None:
    return total / count * unit if count else None


def _told(loss: float | None) -> str:
    return "unknown" if loss is None else f"{loss:.4f}"
