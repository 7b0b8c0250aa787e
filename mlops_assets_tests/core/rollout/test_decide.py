"""What a controller does next: protect first, advance by proof alone."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest

from mlops_assets.core.rollout.decide import Facts, decide
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import RolloutPlan
from mlops_assets_tests.core.rollout.ladder import (
    CLIMB,
    ERROR,
    PLAN,
    TERMS,
    USE_CASE,
    WHEN_US,
    climbed,
    event,
    evidence,
    opened,
    seen,
)

FACTS = Facts(who="controller", at_us=WHEN_US, fresh=True)
JUDGED = (1, 2, 3, 4)  # steps of the ladder after which there is something to judge
DAY_US = 86_400_000_000


def decided(standing: Standing, facts: Facts = FACTS, **seen_: object) -> Event | None:
    """What follows from evidence that passes, or from other calls or pairs."""
    row = standing.row
    by = evidence(row, **seen_)  # type: ignore[arg-type]  # its own parameters
    return decide(standing, by, judge(PLAN, row.stage, row.step, by), facts)


def queued(standing: Standing, version: int, plan: RolloutPlan = PLAN) -> Standing:
    terms = Terms.of(plan, TERMS.task).to_json()
    return standing.after(event(standing, Kind.QUEUED, version=version, baseline_of=version, terms=terms))


@pytest.mark.parametrize("steps", JUDGED)
def test_evidence_that_passes_leads_one_step_on(steps: int) -> None:
    standing = climbed(steps)
    told = decided(standing)

    assert told is not None and told.kind is CLIMB[steps]
    assert standing.after(told.sealed(standing.hash)).row == climbed(steps + 1).row.__class__(
        **climbed(steps + 1).row.__dict__ | {"since_us": WHEN_US}
    )


@pytest.mark.parametrize(("steps", "verdict", "fault", "fresh"), product(
    JUDGED, [*Verdict, None], ["", "the log cannot be read"], [True, False],
))  # fmt: skip
def test_nothing_but_a_fresh_faultless_pass_advances(
    steps: int, verdict: Verdict | None, fault: str, fresh: bool
) -> None:
    """Invariant 9, over the whole table of what may be wanting."""
    standing = climbed(steps)
    row, by = standing.row, evidence(standing.row)
    whole = judge(PLAN, row.stage, row.step, by)
    for judgement in (whole, replace(whole, fault="requests are misrouted"), replace(whole, measures=())):
        given = None if verdict is None else replace(judgement, verdict=verdict)
        for proof in (by, None):
            told = decide(standing, proof, given, replace(FACTS, fault=fault, fresh=fresh))
            sound = judgement is whole and verdict is Verdict.PASS and not fault and fresh and proof is not None
            assert (told is not None and told.kind.increases) == sound
            if verdict is Verdict.FAIL:
                assert told is not None and told.kind is Kind.ROLLED_BACK


@pytest.mark.parametrize("steps", JUDGED)
def test_a_challenger_that_fails_is_out_whatever_else_is_the_case(steps: int) -> None:
    standing = climbed(steps)
    calls = seen(standing.row, count=60, challenger=ERROR)
    held, paused = (standing.after(event(standing, kind)) for kind in (Kind.HELD, Kind.PAUSED))

    for each, facts in product((standing, held, paused), (FACTS, replace(FACTS, fresh=False, fault="unreadable"))):
        told = decided(each, facts, calls=calls)
        assert told is not None and told.kind is Kind.ROLLED_BACK and told.why.startswith("FAIL: error rate")


@pytest.mark.parametrize("steps", JUDGED)
def test_a_fault_holds_the_share_and_its_end_lets_it_go(steps: int) -> None:
    standing, fault = climbed(steps), replace(FACTS, fault="the log cannot be read")
    told = decided(standing, fault)
    assert told is not None and (told.kind, told.why) == (Kind.HELD, "the log cannot be read")

    held = standing.after(told.sealed(standing.hash))
    assert decided(held, fault) is None
    resumed = decided(held)
    assert resumed is not None and resumed.kind is Kind.RESUMED


@pytest.mark.parametrize("steps", JUDGED)
def test_what_an_operator_paused_only_an_operator_resumes(steps: int) -> None:
    standing = climbed(steps)
    paused = standing.after(event(standing, Kind.PAUSED))

    assert decided(paused) is None and decided(paused, replace(FACTS, fault="x")) is None


@pytest.mark.parametrize("kind", [Kind.PAUSED, Kind.HELD])
@pytest.mark.parametrize("steps", JUDGED)
def test_what_stands_still_for_too_long_is_rolled_back(steps: int, kind: Kind) -> None:
    standing = climbed(steps)
    held = standing.after(event(standing, kind))
    since = held.row.held_since_us

    early = decided(held, replace(FACTS, at_us=since + 2 * DAY_US - 1, fault="x"))
    late = decided(held, replace(FACTS, at_us=since + 2 * DAY_US, fault="x"))

    assert early is None
    assert late is not None and late.kind is Kind.ROLLED_BACK and "it stood still for 2 days" in late.why


@pytest.mark.parametrize("jump_us", [-(10**15), 10**15])
def test_a_clock_that_jumps_never_advances(jump_us: int) -> None:
    standing = climbed(2)
    held = standing.after(event(standing, Kind.HELD))
    told = decided(held, replace(FACTS, at_us=WHEN_US + jump_us, fault="x"))

    assert told is None if jump_us < 0 else told is not None and told.kind is Kind.ROLLED_BACK


@pytest.mark.parametrize(("steps", "over"), [(1, False), (2, True), (3, True), (4, True)])
def test_users_get_no_more_answers_of_a_challenger_than_the_plan_allows(steps: int, over: bool) -> None:
    standing = climbed(steps)
    told = decided(standing, replace(FACTS, exposed=PLAN.exposure))

    assert told is not None and (told.kind is Kind.ROLLED_BACK) == over
    before = decided(standing, replace(FACTS, exposed=PLAN.exposure - 1))
    assert before is not None and before.kind is CLIMB[steps]


@pytest.mark.parametrize(("slots", "kind"), [
    ({}, None), ({"a": {}}, None), ({"a": {3: "loading"}}, None), ({"a": {3: "ready"}, "b": {3: "loading"}}, None),
    ({"a": {3: "ready"}, "b": {2: "ready"}}, None), ({"a": {3: "Ready!"}}, None),
    ({"a": {3: "ready"}, "b": {3: "ready"}}, Kind.READY),
    ({"a": {3: "ready"}, "b": {3: "refused: its answers are others"}}, Kind.REFUSED),
])  # fmt: skip
def test_a_challenger_enters_the_shadow_when_every_live_gateway_has_it_loaded(
    slots: Mapping[str, Mapping[int, str]], kind: Kind | None
) -> None:
    told = decide(climbed(0), None, None, replace(FACTS, slots=slots))

    assert (told and told.kind) == kind
    if kind is Kind.REFUSED and told is not None:
        assert told.why == "gateway b refused: its answers are others"
        assert climbed(0).after(told.sealed(climbed(0).hash)).row.stage is Stage.REJECTED


def test_a_paused_rollout_does_not_enter_the_shadow() -> None:
    standing = climbed(0)
    paused = standing.after(event(standing, Kind.PAUSED))

    assert decide(paused, None, None, replace(FACTS, slots={"a": {3: "ready"}})) is None


def test_when_a_rollout_ends_the_newest_that_waits_is_opened_under_its_own_plan() -> None:
    """Invariant 10: one challenger at a time; the older ones are told that they are superseded."""
    other = replace(PLAN, exposure=77)
    standing = queued(queued(queued(climbed(2), 4), 5), 6, other)
    assert decided(standing, replace(FACTS, fresh=False)) is None  # it waits while another is on its way

    standing = standing.after(event(standing, Kind.ROLLED_BACK))
    kinds = []
    while (told := decide(standing, None, None, FACTS)) is not None:
        standing = standing.after(told.sealed(standing.hash))
        kinds.append((told.kind, dict(told.facts).get("versions")))

    assert kinds == [(Kind.SUPERSEDED, [4, 5]), (Kind.OPENED, None)]
    assert (standing.row.challenger, standing.row.waiting, standing.row.stage) == (6, (), Stage.PREPARING)
    assert standing.terms is not None and standing.terms.plan == other


@pytest.mark.parametrize("steps", range(5))
def test_a_plan_that_lets_nobody_wait_rolls_back_what_runs(steps: int) -> None:
    standing = queued(climbed(steps), 4, replace(PLAN, on_new="supersede"))
    told = decided(standing)

    assert told is not None and told.kind is Kind.ROLLED_BACK and "version 4 was nominated" in told.why


@pytest.mark.parametrize("stage", [Standing.start(USE_CASE), climbed(5)])
def test_where_no_rollout_runs_and_nobody_waits_there_is_nothing_to_do(stage: Standing) -> None:
    assert decide(stage, None, None, FACTS) is None


def test_what_is_decided_depends_on_nothing_but_what_is_given() -> None:
    standing = climbed(2)

    assert decided(standing) == decided(standing)
    assert opened(Standing.start(USE_CASE)) == opened(Standing.start(USE_CASE))
