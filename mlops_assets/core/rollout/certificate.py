"""The certificate of an increase: what was judged, on which evidence, for whom; and whether it holds.

Here belongs only that. A certificate is never believed: whoever reads one judges its evidence again.
"""

import math
from collections.abc import Mapping
from typing import Any

from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import Judgement, judge
from mlops_assets.core.rollout.measures import Measure
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import JSON
from mlops_assets.declare.rollout import RolloutPlan

_CALLS = "calls"  # the measure that no plan can leave out: how many answers there were


def certificate(row: Row, evidence: Evidence, judgement: Judgement) -> dict[str, JSON]:
    """The certificate for the step after `row`: whom, which stage and epochs it is about; the evidence."""
    return {**_about(row), "evidence": evidence.to_json(), "judgement": judgement.to_json()}


def flaw(certificate: Mapping[str, JSON] | None, row: Row, terms: Terms) -> str:
    """Why a certificate does not justify the step after `row`; "" when it does. Never raises."""
    if not isinstance(certificate, Mapping):
        return "there is no certificate"
    for name, should in _about(row).items():
        if certificate.get(name) != should:
            return f"its certificate is for {name} {certificate.get(name)!r}, must be {should!r}"
    if row.plan != terms.hash:
        return "the plan is not the one the rollout was opened under"
    try:
        evidence = Evidence.from_json(terms.plan, terms.task, certificate["evidence"])
        again = judge(terms.plan, row.stage, row.step, evidence)
        told = _verdicts(certificate["judgement"])
    except Exception as broken:  # whatever it is, it proves nothing
        return f"the evidence of its certificate cannot be judged ({broken})"
    if not advances(again, terms.plan):
        return f"the evidence of its certificate, judged again, says: {again.sentence}"
    if told != _verdicts(again.to_json()):
        return "the judgement of its certificate is not that of its evidence"
    return ""


def advances(judgement: Judgement | None, plan: RolloutPlan) -> bool:
    """True when a judgement may raise a share: PASS without a fault, and so each measure the plan asks for, no other.

    A measure that is missing, unknown to the plan, or of a number that is none, never does.
    """
    if judgement is None or judgement.verdict is not Verdict.PASS or judgement.fault:
        return False
    asked = sorted((_CALLS, *plan.rates, plan.quality.loss))
    return sorted(measure.name for measure in judgement.measures) == asked and all(map(_passed, judgement.measures))


def _passed(measure: Measure) -> bool:
    numbers = [measure.count, measure.toward_pass, measure.toward_fail]
    if measure.name != _CALLS:
        numbers += [math.nan if arm is None else arm for arm in (measure.champion, measure.challenger)]
    return measure.verdict is Verdict.PASS and all(map(math.isfinite, numbers))


def _verdicts(judgement: Mapping[str, JSON]) -> list[Any]:
    """What of a judgement is the same on every machine: the last digit of a logarithm is not."""
    found = [judgement["verdict"], judgement["fault"]]
    return found + [[measure["name"], measure["verdict"], measure["count"]] for measure in judgement["measures"]]


def _about(row: Row) -> dict[str, Any]:
    return {
        "challenger": row.challenger,
        "rollout": row.rollout,
        "plan": row.plan,
        "stage": row.stage.value,
        "step": row.step,
        "epochs": [row.entered, row.epoch],
    }
