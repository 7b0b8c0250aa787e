"""May the share rise, must it fall, or is it too early to say? One answer from the evidence of a rollout's stage.

Here belongs the verdict over all measures. It moves nothing: what becomes of the verdict is `decide.py`'s business.

- FAIL when the rates together show a challenger that answers badly more often, or its quality FAILS. Rates together:
  the mean of their evidence reaches stages / alpha, so that the whole rollout, whose stages each begin anew, rolls back
  a sound challenger with a chance of at most `plan.alpha` (a single one then convicts alone from the number of rates
  times as much). A rate that is worse beyond chance fails even below the margin or `most_bad`: those bound what may
  stay unknown, not what is known.
- PASS when everything has passed: enough calls, every rate, quality. As all must pass, each may err by alpha.
- INCONCLUSIVE otherwise, and always where requests do not fall on the arms as the share says (`fault`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.core.rollout.counts import Calls
from mlops_assets.core.rollout.engines.assignment import FAULT, SLACK, Assigned, log_fault
from mlops_assets.core.rollout.engines.rates import log_mean_exp
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.measures import Measure, calls_measure, rate_measure, rate_of
from mlops_assets.core.rollout.quality import quality_measure
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.rollout import RolloutPlan


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict, its measures, and the sentence of the decision with the one reason that matters most.

    `fault` says what makes the evidence unfit to judge by, "" when nothing does.
    """

    verdict: Verdict
    fault: str
    measures: tuple[Measure, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "verdict": self.verdict.value,
            "fault": self.fault,
            "measures": [measure.to_json() for measure in self.measures],
            "sentence": self.sentence,
        }


def judge(plan: RolloutPlan, stage: Stage, step: int, evidence: Evidence) -> Judgement:
    """What the evidence says at this stage; `step` counts the canary's steps from 0 and is read in CANARY only.

    INCONCLUSIVE at a stage at which nothing is judged. Raises DataError for a step the plan lacks.
    """
    if stage not in (Stage.SHADOW, Stage.CANARY, Stage.SOAK):
        said = f"INCONCLUSIVE: nothing is judged in {stage.value}."
        return Judgement(verdict=Verdict.INCONCLUSIVE, fault="", measures=(), sentence=said)
    margin, least = asked(plan, stage, step)
    calls = {share: counts for share, counts in evidence.calls.items() if _stage_of(share) is stage}
    here = {plan.steps[step].share} if stage is Stage.CANARY else set(calls)
    rates = [rate_of(name, calls) for name in plan.rates]
    worse = [rate.log_worse() for rate in rates]
    bound = math.log(stages(plan) / plan.alpha)
    convicted = rates[worse.index(max(worse))].name if log_mean_exp(worse) >= bound else None
    measures = (
        calls_measure(sum(calls[share].challenger for share in calls if share in here), least),
        *(
            rate_measure(plan, rate, margin, failed=rate.name == convicted, convicts=bound + math.log(len(rates)))
            for rate in rates
        ),
        quality_measure(plan, evidence),
    )
    fault = _fault(plan, calls) if stage is Stage.CANARY else ""
    return _decided(measures, fault)


def stages(plan: RolloutPlan) -> int:
    """How many times evidence about rates begins anew: shadow, every step, soak."""
    return len(plan.steps) + 2


def asked(plan: RolloutPlan, stage: Stage, step: int) -> tuple[float, int]:
    """The margin of the rates and the least number of calls.

    Shadow hurts nobody, so it asks what the first step asks; soak is the last word, so it asks what the last one asks.
    """
    if stage is Stage.SHADOW:
        return plan.steps[0].margin, plan.shadow_least
    if stage is Stage.SOAK:
        return plan.steps[-1].margin, plan.soak_least
    if not 0 <= step < len(plan.steps):
        raise DataError(f"step == {step}, must lie between 0 and {len(plan.steps) - 1}: the plan has no other.")
    return plan.steps[step].margin, plan.steps[step].least


def _stage_of(share: float) -> Stage:
    if share == 0:
        return Stage.SHADOW
    return Stage.SOAK if share == 1 else Stage.CANARY


def _fault(plan: RolloutPlan, calls: Mapping[float, Calls]) -> str:
    counts = [Assigned(share, count.champion_rows, count.challenger_rows) for share, count in calls.items()]
    if log_fault(counts, slack=SLACK if plan.unit else 1.0) < FAULT:
        return ""
    told = ", ".join(
        f"{c.challenger:,} of {c.champion + c.challenger:,} requests went to the challenger at {c.share:.0%}"
        for c in counts
    )
    return f"{told}: not by chance; requests are misrouted or missing from the log"


def _decided(measures: tuple[Measure, ...], fault: str) -> Judgement:
    failed = [measure for measure in measures if measure.verdict is Verdict.FAIL]
    waiting = [measure for measure in measures if measure.verdict is not Verdict.PASS]
    if failed:
        verdict, reason = Verdict.FAIL, max(failed, key=lambda measure: measure.toward_fail).sentence
    elif fault:
        verdict, reason = Verdict.INCONCLUSIVE, fault
    elif waiting:
        verdict, reason = Verdict.INCONCLUSIVE, min(waiting, key=lambda measure: measure.toward_pass).sentence
    else:
        verdict, reason = Verdict.PASS, measures[-1].sentence
    return Judgement(verdict=verdict, fault=fault, measures=measures, sentence=f"{verdict.value}: {reason}.")
