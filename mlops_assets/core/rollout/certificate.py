"""The certificate of an increase: what was judged, on which evidence, for whom; and whether it holds.

Here belongs only that. A certificate is never believed: whoever reads one judges its evidence again.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import JSON

if TYPE_CHECKING:
    from mlops_assets.core.rollout.evidence import Evidence
    from mlops_assets.core.rollout.judge import Judgement


def certificate(row: Row, evidence: "Evidence", judgement: "Judgement") -> dict[str, JSON]:
    """The certificate for the next step of `row`: whom, which stage and epochs it is about; the evidence."""
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
    from mlops_assets.core.rollout.evidence import Evidence
    from mlops_assets.core.rollout.judge import judge

    try:
        evidence = Evidence.from_json(terms.plan, terms.task, certificate["evidence"])
        again = judge(terms.plan, row.stage, row.step, evidence)
    except Exception as broken:
        return f"the evidence of its certificate cannot be judged ({broken})"
    if not advances(again):
        return f"the evidence of its certificate says {again.verdict.value}, judged again: {again.sentence}"
    if certificate.get("judgement") != again.to_json():
        return "the judgement of its certificate is not that of its evidence"
    return ""


def advances(judgement: "Judgement | None") -> bool:
    """True when a judgement may raise a share: PASS, without a fault, and every one of its measures passed."""
    if judgement is None or judgement.verdict is not Verdict.PASS or judgement.fault or not judgement.measures:
        return False
    return all(measure.verdict is Verdict.PASS for measure in judgement.measures)


def _about(row: Row) -> dict[str, Any]:
    return {
        "challenger": row.challenger,
        "rollout": row.rollout,
        "plan": row.plan,
        "stage": row.stage.value,
        "step": row.step,
        "epochs": [row.entered, row.epoch],
    }
