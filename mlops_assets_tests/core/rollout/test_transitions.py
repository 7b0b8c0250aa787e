"""Which stage follows which: the whole table, and what no sequence of events can ever do."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.state import KEPT_WARM, Row
from mlops_assets.core.rollout.terms import Terms
from mlops_assets.core.rollout.transitions import TABLE, applied, restorable, table
from mlops_assets.core.rollout.words import BASELINE, Stage
from mlops_assets.declare import DataError, IllegalTransition
from mlops_assets_tests.core.rollout.ladder import CLIMB, PLAN, TERMS, USE_CASE, climbed, event, opened, proven

SHARES = (0.0, *(step.share for step in PLAN.steps), 1.0)


def at(stage: Stage) -> Standing:
    """A rollout in that stage, with something final before it."""
    before = climbed(len(CLIMB), version=2)
    ended = {Stage.ROLLED_BACK: Kind.ROLLED_BACK, Stage.REJECTED: Kind.REFUSED}
    if stage is Stage.IDLE:
        return Standing.start(USE_CASE)
    if stage in ended:
        standing = climbed(0, standing=before)
        return standing.after(event(standing, ended[stage]))
    reached = [Stage.PREPARING, Stage.SHADOW, Stage.CANARY, None, Stage.SOAK, Stage.FINALIZED]
    return climbed(reached.index(stage), standing=before)


def sensible(standing: Standing, kind: Kind) -> Event:
    """An event of that kind with facts that make sense wherever it is legal."""
    if kind is Kind.OPENED:
        return opened(standing, version=9)
    if kind is Kind.QUEUED:
        return event(standing, kind, version=8, terms=TERMS.to_json(), baseline_of=8)
    if kind.increases:
        return proven(standing, kind)
    facts = {Kind.RESTORED: {"version": standing.row.finalized[-2:][0]}, Kind.SUPERSEDED: {"versions": [6]}}
    return event(standing, kind, **facts.get(kind, {}))


def waiting(standing: Standing) -> Standing:
    """With two more that wait, and held where the stage can be: so that every event of the table has its case."""
    for version in (6, 7):
        told = event(standing, Kind.QUEUED, version=version, terms=TERMS.to_json(), baseline_of=version)
        standing = standing.after(told)
    return standing


@pytest.mark.parametrize(("stage", "kind"), list(product(Stage, Kind)), ids=lambda one: one.value)
def test_every_event_at_every_stage_is_in_the_table_or_refused(stage: Stage, kind: Kind) -> None:
    standing = waiting(at(stage))
    if kind is Kind.RESUMED and (stage, Kind.PAUSED) in TABLE:
        standing = standing.after(event(standing, Kind.PAUSED))
    told = sensible(standing, kind)

    if (stage, kind) in TABLE:
        assert applied(standing.row, told, standing.terms).stage in TABLE[stage, kind]
    else:
        with pytest.raises(IllegalTransition, match=f"{stage.value}: {kind.value} is not in the table"):
            applied(standing.row, told, standing.terms)


def test_the_table_is_told_as_a_list_for_a_diagram() -> None:
    found = table()

    assert len(found) == len(set(found)) == sum(map(len, TABLE.values()))
    assert (Stage.CANARY, Kind.ADVANCED, Stage.SOAK) in found
    assert not [one for one in found if one[2] in (Stage.CANARY, Stage.SOAK, Stage.FINALIZED) and one[0] != one[2]
                and not one[1].increases]  # fmt: skip


def test_the_share_rises_only_to_the_next_step() -> None:
    """Invariant 1: from nothing to everything there are as many decisions as the plan has steps, and two."""
    shares = [climbed(steps).row.share for steps in range(len(CLIMB) + 1)]

    assert shares == [0.0, *SHARES, 0.0]
    assert climbed(len(CLIMB)).row.champion == 3


@pytest.mark.parametrize("steps", range(1, 4))
@pytest.mark.parametrize("held", [Kind.PAUSED, Kind.HELD])
def test_a_held_share_does_not_rise(steps: int, held: Kind) -> None:
    standing = climbed(steps)
    standing = standing.after(event(standing, held))
    kind = CLIMB[steps]

    with pytest.raises(IllegalTransition, match="it is held"):
        applied(standing.row, proven(standing, kind), standing.terms)
    resumed = standing.after(event(standing, Kind.RESUMED))
    assert (resumed.row.share, resumed.row.entered, resumed.row.held) == (standing.row.share, standing.row.entered, "")


def test_pausing_what_is_held_keeps_the_time_since_it_stood_still() -> None:
    standing = climbed(2)
    held = standing.after(event(standing, Kind.HELD))
    paused = held.after(event(held, Kind.PAUSED))

    assert not held.row.paused and paused.row.paused and paused.row.held_since_us == held.row.held_since_us
    for kind in (Kind.PAUSED, Kind.HELD):
        with pytest.raises(IllegalTransition):
            paused.after(event(paused, kind))


def test_what_is_left_by_a_rollback_is_withdrawn_and_a_second_one_goes_no_further() -> None:
    standing = climbed(5, version=3, standing=climbed(5, version=2, standing=climbed(5, version=1)))
    left = []
    for named in (None, 1, BASELINE):
        version = restorable(standing.row, named)
        standing = standing.after(event(standing, Kind.RESTORED, version=version))
        left.append((standing.row.champion, standing.row.finalized))
        with pytest.raises(DataError, match="to go further back name a version"):
            restorable(standing.row, None)  # two who press the brake at once

    assert left == [(2, (0, 1, 2)), (1, (0, 1)), (BASELINE, (0,))]


def test_going_back_further_withdraws_everything_after_it() -> None:
    standing = climbed(5, version=3, standing=climbed(5, version=2, standing=climbed(5, version=1)))

    standing = standing.after(event(standing, Kind.RESTORED, version=1))

    assert (standing.row.champion, standing.row.finalized, standing.row.stage) == (1, (0, 1), Stage.ROLLED_BACK)


@pytest.mark.parametrize(("version", "refused"), [
    (7, "to version 7, which is not finalized: name one of 2, 3, 4"),
    (1, "is not loaded any more: name one of 2, 3, 4"),
    (4, "answers everything already"),
])  # fmt: skip
def test_one_goes_back_only_to_a_finalized_version_that_is_loaded(version: int, refused: str) -> None:
    standing = Standing.start(USE_CASE)
    for number in (1, 2, 3, 4):
        standing = climbed(5, number, standing)

    with pytest.raises(DataError, match=refused):
        restorable(standing.row, version)
    with pytest.raises(IllegalTransition):
        standing.after(event(standing, Kind.RESTORED, version=version))


@pytest.mark.parametrize("steps", range(5))
def test_a_rollback_while_a_rollout_runs_ends_it_and_keeps_the_champion(steps: int) -> None:
    standing = climbed(steps, standing=climbed(5, version=2))
    assert restorable(standing.row, None) == 2

    row = standing.after(event(standing, Kind.RESTORED, version=2)).row

    assert (row.champion, row.challenger, row.share, row.stage, row.finalized) == (
        2,
        None,
        0.0,
        Stage.ROLLED_BACK,
        (0, 2),
    )


def test_the_baseline_stays_the_one_that_the_first_rollout_declared() -> None:
    standing = climbed(5)
    told = event(standing, Kind.OPENED, version=8, baseline_of=8, terms=TERMS.to_json())

    assert standing.after(told).row.baseline_of == 3


@pytest.mark.parametrize("facts", [
    {}, {"version": 0}, {"version": "x"}, {"version": 3, "baseline_of": 0}, {"version": 3, "baseline_of": 3},
    {"version": 3, "baseline_of": 3, "terms": {}},
])  # fmt: skip
def test_an_opening_that_says_nothing_sensible_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(IllegalTransition, match="OPENED cannot follow"):
        applied(Row(use_case=USE_CASE), event(Standing.start(USE_CASE), Kind.OPENED, **facts), None)


def test_a_plan_of_another_rollout_moves_nothing() -> None:
    standing = climbed(1)
    other = Terms.of(replace(PLAN, alpha=0.04), TERMS.task)

    for terms in (other, None):
        with pytest.raises(IllegalTransition, match="the plan is not the one"):
            applied(standing.row, proven(standing), terms)


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_an_event_out_of_turn_is_refused(epoch: int) -> None:
    standing = climbed(0)

    with pytest.raises(IllegalTransition, match=f"has epoch {epoch}, must be the next"):
        applied(standing.row, replace(event(standing, Kind.READY), epoch=epoch), standing.terms)


def rows(kinds: list[tuple[Kind, int]]) -> Iterator[tuple[Row, Row, Kind]]:
    """Rows before and after whatever of these events is legal; proofs are taken for granted."""
    row, terms = Row(use_case=USE_CASE), TERMS
    for kind, number in kinds:
        facts = {"version": number, "baseline_of": 3, "terms": TERMS.to_json(), "versions": [number]}
        told = event(replace(Standing.start(USE_CASE), row=row), kind, **facts)
        try:
            after = applied(row, told, terms)
        except IllegalTransition:
            continue
        yield row, after, kind
        row = after


# climbing is likely, so that rollouts become final
KINDS = st.sampled_from([*Kind, *CLIMB * 4, Kind.OPENED, Kind.OPENED])


@given(st.lists(st.tuples(KINDS, st.integers(1, 6)), max_size=60))
def test_whatever_happens_the_row_holds(kinds: list[tuple[Kind, int]]) -> None:
    """Invariants 1, 4, 5 and 10, for every sequence of events."""
    for before, after, kind in rows(kinds):
        assert after.epoch == before.epoch + 1
        assert after.share in SHARES
        if after.share > before.share:  # 1: to the next step only
            assert kind is Kind.ADVANCED and SHARES.index(after.share) == SHARES.index(before.share) + 1
        if kind.increases:
            assert not before.held
        if after.champion != before.champion:
            assert kind in (Kind.FINALIZED, Kind.RESTORED)
            assert kind is Kind.RESTORED or (before.share, before.stage) == (1.0, Stage.SOAK)
        assert (after.challenger is None) == after.stage.terminal  # 10
        assert after.challenger not in after.finalized and not set(after.waiting) & {*after.finalized, after.challenger}
        assert after.finalized[0] == BASELINE and after.finalized[-1] == after.champion
        assert len(set(after.finalized)) == len(after.finalized) and len(set(after.waiting)) == len(after.waiting)
        assert set(after.finalized[-KEPT_WARM:]) <= set(after.warm)  # 4
        assert (after.share > 0) <= (after.stage in (Stage.CANARY, Stage.SOAK))
        if after.held:
            assert (after.share, after.stage, after.entered) == (before.share, before.stage, before.entered)
