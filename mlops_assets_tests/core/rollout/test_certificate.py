"""An increase is honoured only by its proof: of this challenger, plan, stage and epochs, judged once more."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.core.rollout.certificate import advances, certificate, flaw
from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import Judgement, judge
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import IllegalTransition
from mlops_assets_tests.core.rollout.ladder import (
    CLIMB,
    ERROR,
    PLAN,
    TERMS,
    climbed,
    event,
    evidence,
    pairs,
    proven,
    seen,
)

STEPS = (1, 2, 3, 4)  # of the ladder, from which the next is an increase


def proof(steps: int) -> dict[str, Any]:
    """A sound certificate for the next step, as it is read back."""
    return json.loads(json.dumps(proven(climbed(steps), CLIMB[steps]).facts["certificate"]))


@pytest.mark.parametrize("steps", STEPS)
def test_a_sound_certificate_has_no_flaw(steps: int) -> None:
    assert flaw(proof(steps), climbed(steps).row, TERMS) == ""


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", ["challenger", "rollout", "plan", "stage", "step", "epochs"])
def test_a_certificate_of_anything_else_is_flawed(steps: int, name: str) -> None:
    """Invariant 2."""
    told = proof(steps)

    for wrong in (None, "x", 9, -1, [0, 99], 77):
        assert f"its certificate is for {name} {wrong!r}, must be" in flaw(
            told | {name: wrong}, climbed(steps).row, TERMS
        )
    del told[name]
    assert "its certificate is for" in flaw(told, climbed(steps).row, TERMS)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("other", STEPS)
def test_a_certificate_serves_for_one_step(steps: int, other: int) -> None:
    assert (flaw(proof(other), climbed(steps).row, TERMS) == "") == (steps == other)


@pytest.mark.parametrize("steps", STEPS)
def test_evidence_that_does_not_pass_proves_nothing_whatever_its_judgement_says(steps: int) -> None:
    row, sound = climbed(steps).row, proof(steps)
    poor = (
        evidence(row, calls=[]), evidence(row, labelled=[]), evidence(row, calls=seen(row, challenger=ERROR)),
        evidence(row, labelled=pairs(row, challenger=0.1)), evidence(row, calls=seen(row, count=2)),
        Evidence.start(PLAN, TERMS.task),
    )  # fmt: skip

    for each in poor:
        honest = certificate(row, each, judge(PLAN, row.stage, row.step, each))
        assert "judged again, says" in flaw(honest, row, TERMS)
        assert "judged again, says" in flaw({**honest, "judgement": sound["judgement"]}, row, TERMS)


@pytest.mark.parametrize("broken", [
    None, 3, "x", [], {}, {"calls": None}, {"calls": [[0.0, float("nan"), 2, [0, 0, 0], [0, 0, 0]]]},
])  # fmt: skip
def test_evidence_that_cannot_be_judged_proves_nothing(broken: object) -> None:
    row, told = climbed(1).row, proof(1)
    torn = told["evidence"] | broken if isinstance(broken, dict) and broken else broken

    assert flaw(told | {"evidence": torn}, row, TERMS)
    assert flaw({name: value for name, value in told.items() if name != "evidence"}, row, TERMS)


@pytest.mark.parametrize("change", [
    {"verdict": "FAIL"}, {"fault": "x"}, {"measures": []}, {"measures": None}, None,
])  # fmt: skip
def test_a_judgement_that_is_not_that_of_the_evidence_is_found(change: dict[str, object] | None) -> None:
    told = proof(1)
    other = told["judgement"] | change if change else None

    assert "judge" in flaw(told | {"judgement": other}, climbed(1).row, TERMS)


def test_an_increase_without_certificate_or_under_another_plan_is_flawed() -> None:
    row = climbed(1).row

    assert flaw(None, row, TERMS) == "there is no certificate"
    assert flaw([], row, TERMS) == "there is no certificate"  # type: ignore[arg-type]  # what a forger may write
    assert "plan" in flaw(proof(1), row, Terms.of(replace(PLAN, alpha=0.04), TERMS.task))


@pytest.mark.parametrize("steps", STEPS)
def test_no_event_raises_the_share_without_proof(steps: int) -> None:
    standing = climbed(steps)

    for told in (event(standing, CLIMB[steps]), event(standing, CLIMB[steps], certificate=proof(steps % 4 + 1))):
        with pytest.raises(IllegalTransition, match="is not justified"):
            standing.after(told)


def judged(steps: int = 1) -> Judgement:
    row = climbed(steps).row
    return judge(PLAN, row.stage, row.step, evidence(row))


def test_only_a_pass_of_every_measure_the_plan_asks_for_advances() -> None:
    """Invariant 9, over every measure and every way in which it may be wanting."""
    whole = judged()
    assert advances(whole, PLAN)

    wanting: list[Judgement | None] = [
        None,
        replace(whole, fault="requests are misrouted"),
        replace(whole, measures=()),
    ]
    wanting += [replace(whole, verdict=verdict) for verdict in Verdict if verdict is not Verdict.PASS]
    for at, measure in enumerate(whole.measures):
        before, after = whole.measures[:at], whole.measures[at + 1 :]
        wanting += [
            replace(whole, measures=(*before, *after)),
            replace(whole, measures=(*before, measure, *whole.measures[at:])),
        ]
        changes: list[dict[str, Any]] = [{"name": "unheard of"}, {"toward_pass": float("nan")}]
        changes += [{"toward_fail": float("inf")}, {"count": float("nan")}]
        changes += [{"verdict": verdict} for verdict in Verdict if verdict is not Verdict.PASS]
        if measure.name != "calls":
            changes += [{arm: value} for arm in ("champion", "challenger") for value in (None, float("nan"))]
        wanting += [replace(whole, measures=(*before, replace(measure, **change), *after)) for change in changes]
    for judgement in wanting:
        assert not advances(judgement, PLAN), judgement
    assert len(wanting) > 25


def test_a_rate_that_the_plan_asks_for_beside_must_be_there() -> None:
    assert not advances(judged(), replace(PLAN, rates=("error", "slow")))


def test_a_certificate_that_was_written_long_ago_is_still_sound() -> None:
    """What was final stays final under later code: the form of evidence and judgement may grow, never lose this."""
    told = json.loads(LONG_AGO)
    row = climbed(2).row

    assert flaw(told, row, TERMS) == ""


LONG_AGO = """{"challenger": 3, "rollout": 1, "stage": "CANARY", "step": 0, "epochs": [3, 3],
"plan": "6c0151dd124e121310b25718782a71ea5f468a7307122ef38414bc873bff766e",
"evidence": {"task": "classification", "loss": "brier", "margin": 0.5, "blocked": false, "unusable": 0,
"calls": [[0.25, 36, 12, [0, 0, 0], [0, 0, 0]]],
"sums": [["", "40", "20971520", "838880", "10133079834240", "0", "40"]],
"bets": [[40, 15.200000000000014, 0.008940079396865617, 22.155404529057517],
[40, 24.800000000000004, 0.008940079396865627, -5.113334860395397]]},
"judgement": {"verdict": "PASS", "fault": "", "sentence": "PASS: brier 0.0100 of 40 pairs against 0.2500.",
"measures": [{"name": "calls", "verdict": "PASS", "count": 12}, {"name": "error", "verdict": "PASS", "count": 12},
{"name": "brier", "verdict": "PASS", "count": 40}]}}"""


def test_kinds_that_increase_are_those_that_ask_for_proof() -> None:
    assert [kind for kind in Kind if kind.increases] == [Kind.ADVANCED, Kind.FINALIZED]
