"""Two gateways, two controllers, two challengers, crashes, clocks that jump, forged rows: the invariants hold.

The rollouts lie in a real file. After every step: what the gateways would answer is what the invariants allow, and
folding the events again gives the same row. The numbers are those of `design: the rollout's states`.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, insert, text, update

from mlops_assets.core.rollout.certificate import flaw
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.standing import Standing, fold
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import BASELINE, Arm, Stage
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare import DataError
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.lineage import stages
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.stored import columns_of
from mlops_assets.stores.serving.tables import EVENT, ROLLOUT
from mlops_assets_tests.core.rollout.ladder import CLIMB, PLAN, TERMS, USE_CASE, event, evidence, proven
from mlops_assets_tests.gateway.towers import Tower, World

VERSIONS = st.integers(1, 5)
WHICH = st.sampled_from([0, 1])
SHARES = (0.0, *(step.share for step in PLAN.steps), 1.0)
SILENCE_S = PLAN.silence.total_seconds()


class Machine(RuleBasedStateMachine):
    """The world, and what is remembered of it beside: the last honoured row of each gateway, where everybody was."""

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108  where there is one: thousands of commits that nobody keeps
        self.folder = Path(tempfile.mkdtemp(prefix="machine", dir=memory if memory.is_dir() else None))
        self.world = World(self.folder / "serving")
        self.reader = self.world.rollouts()
        self.ledger = str(self.folder / "records.db")
        self.towers = [Tower(self.world, name, mirror=self.ledger) for name in ("one", "two")]
        self.truth = Standing.start(USE_CASE)  # what was written by rightful means
        self.forged = False  # an event was forged: nothing may be written until it is taken out
        self.placed: dict[int, Arm] = {}
        self.seen: list[Row] = []
        self.tries = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for rollouts in (self.reader, *(tower.rollouts for tower in self.towers)):
                rollouts.close()
            shutil.rmtree(self.folder)

    def told(self, **more: Any) -> dict[str, Any]:
        return {"who": "operator", "why": "as it pleases", "at_us": self.world.wall_us, **more}

    def written(self) -> list[Event]:
        """The events by rightful means: of forged ones there is at most one, the last."""
        return self.before if self.forged else self.reader.events()

    # what may happen

    @rule(which=WHICH, version=VERSIONS, again=st.booleans(), supersede=st.booleans())
    def nominate(self, which: int, version: int, again: bool, supersede: bool) -> None:
        self.tries += again
        plan = replace(PLAN, on_new="supersede") if supersede else PLAN
        self._command(lambda: self.towers[which].rollouts.open(
            version, plan, TERMS.task, baseline_of=1, once=f"{version} for the {self.tries}." if again else "",
            **self.told(),
        ))  # fmt: skip

    @rule(which=WHICH, command=st.sampled_from(["pause", "resume", "abort", "resume"]))
    def operate(self, which: int, command: str) -> None:
        self._command(lambda: getattr(self.towers[which].rollouts, command)(**self.told()))

    @rule(which=WHICH, version=st.one_of(st.none(), st.integers(0, 5)))
    def restore(self, which: int, version: int | None) -> None:
        before = self.truth.row
        self._command(lambda: self.towers[which].rollouts.restore(version, **self.told()))
        after = self._now()
        if after.epoch > before.epoch:  # 10: the target was final
            assert after.champion in before.finalized and after.share == 0.0

    @rule(which=WHICH)
    def break_off(self, which: int) -> None:
        row = self.towers[which].watch.current().row
        self._command(lambda: self.towers[which].rollouts.break_off(rollout=row.rollout, **self.told()))

    def _command(self, command: Any) -> None:
        try:
            before = self._now()
            row = command()
        except DataError:
            return
        if not self.forged:
            assert row.share <= before.share or row == before  # 5: no command raises a share
            assert row.champion == before.champion or row.champion in before.finalized

    @rule(which=WHICH, count=st.integers(1, 40), repeat=st.booleans(), label=st.booleans())
    def answer(self, which: int, count: int, repeat: bool, label: bool) -> None:
        given = self.towers[which].answer(count, repeat=repeat, label=label)
        if self.towers[which].watch.current().row.stage in (Stage.IDLE, Stage.PREPARING, Stage.SHADOW):
            assert set(given) == {Arm.CHAMPION}  # 3: shadow answers nobody

    @rule(which=WHICH)
    def tick(self, which: int) -> None:
        self._tick(which)

    @rule(rounds=st.integers(2, 14), count=st.integers(6, 30))
    def serve(self, rounds: int, count: int) -> None:
        """What it is most of the time: requests and ticks of every gateway, second by second."""
        for _ in range(rounds):
            for which, tower in enumerate(self.towers):
                tower.answer(count // 2)
                self._tick(which)
                self._follow()
            self.world.pass_time(1.0)

    @rule(version=VERSIONS, up_to=st.sampled_from([Stage.SHADOW, Stage.CANARY, Stage.SOAK, Stage.FINALIZED]))
    def climb(self, version: int, up_to: Stage) -> None:
        """A version that is sound, served until it is so far: else few sequences would get anywhere."""
        if self.forged:
            self.backup_is_put_back()
        for which in (0, 1):
            self.turns_good(which)
        self.world.log.broken = False
        self.tries += 1
        self.nominate(0, version, again=True, supersede=True)
        self.operate(0, "resume")
        for _ in range(40):
            self.serve(1, 24)
            row = self._now()
            if row.stage is up_to and (row.stage.terminal or row.challenger == version):
                return

    def _tick(self, which: int) -> None:
        tower, before = self.towers[which], self._now()
        lease = tower.rollouts.leases.look()
        told = tower.tick()
        if told is None:
            return
        assert not self.forged
        if told.kind.increases:  # 2, 5, 9: proof, and the lease
            assert self.truth.terms is not None and self.truth.row == before
            assert flaw(told.facts["certificate"], before, self.truth.terms) == ""
            assert not before.held and not self.world.log.broken
            now = tower.rollouts.leases.look()
            assert now is not None and now.holder == tower.name and lease is not None

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, SILENCE_S + 1, 500.0, 4_000.0]))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(which=WHICH, days=st.integers(-400, 400))
    def wall_clock_jumps(self, which: int, days: int) -> None:
        self.towers[which].skew_us = days * 86_400_000_000

    @rule(which=WHICH, version=VERSIONS, how=st.sampled_from(["bad", "poor", "refuses"]))
    def turns_bad(self, which: int, version: int, how: str) -> None:
        getattr(self.towers[which], how).add(version)

    @rule(which=WHICH)
    def turns_good(self, which: int) -> None:
        tower = self.towers[which]
        tower.bad, tower.poor, tower.refuses, tower.loads = set(), set(), set(), True

    @rule(which=WHICH)
    def loads_slowly(self, which: int) -> None:
        self.towers[which].loads = False

    @rule(which=WHICH)
    def crashes(self, which: int) -> None:
        self.towers[which].start()

    @rule(which=WHICH)
    def ends_in_good_order(self, which: int) -> None:
        try:
            self.towers[which].controller.close()
        finally:
            self.towers[which].start()

    @rule(broken=st.booleans())
    def log_breaks(self, broken: bool) -> None:
        self.world.log.broken = broken

    @rule(seconds=st.integers(8, 20), days=st.sampled_from([0, 0, 3]), paused=st.booleans())
    def stands_still(self, seconds: int, days: int, paused: bool) -> None:
        """The log is away for longer than controllers wait, or an operator thinks; sometimes for days."""
        self.world.log.broken = not paused
        if paused:
            self.operate(0, "pause")
        self.serve(seconds, 6)
        self.world.pass_time(days * 86_400)
        self.serve(3, 6)

    @rule(which=WHICH)
    def mirror(self, which: int) -> None:
        if not self.forged:
            mirror = self.towers[which].mirror
            assert mirror is not None
            mirror.catch_up()
            with Records(self.ledger) as records:
                entries = records.ledger.entries(USE_CASE)
                row = self._now()
                if row.epoch:
                    champion = records.aliases(USE_CASE).get("champion")
                    assert champion == (row.champion or None)
                    assert records.aliases(USE_CASE).get("challenger") == row.challenger
                    found = stages(entries)
                    if row.challenger is not None:
                        assert found[row.challenger] == (row.stage.value, row.share)
                    if row.champion:
                        assert found[row.champion] == ("champion", 1.0 - row.share)
                assert not records.ledger.verify()

    @rule(which=WHICH)
    def mirror_is_killed_and_forgets(self, which: int) -> None:
        """Between an entry and its note that it was told."""
        tower = self.towers[which]
        with tower.rollouts.database.writing() as connection:
            connection.execute(text("UPDATE rollout_mirrored SET epoch = max(epoch - 2, 0)"))

        tower.mirror = Mirror(self.world.rollouts(), self.ledger)

    @rule()
    def checkpoint_is_lost(self) -> None:
        with self.towers[0].rollouts.database.writing() as connection:
            connection.execute(text("DELETE FROM rollout_checkpoint"))
        for tower in self.towers:
            tower.start()

    # what somebody does who can write the tables

    @rule(change=st.sampled_from([
        "share = 1.0", "stage = 'SOAK', share = 1.0, step = 2", "champion = 4", "champion = coalesce(challenger, 5)",
        "epoch = epoch + 1", "finalized = '[0,5]'", "challenger = 4", "held = ''", "salt = 'x'", "entered = 0",
        "stage = 'FINALIZED', champion = 5, share = 0.0, challenger = NULL",
    ]))  # fmt: skip
    def row_is_changed_by_hand(self, change: str) -> None:
        with self.towers[0].rollouts.database.writing() as connection:
            connection.execute(text(f"UPDATE rollout SET {change}"))  # noqa: S608  words of ours

    @precondition(lambda self: not self.forged)
    @rule(kind=st.sampled_from([Kind.ADVANCED, Kind.FINALIZED]), how=st.sampled_from(["bare", "poor", "other"]))
    def event_is_forged(self, kind: Kind, how: str) -> None:
        standing = self.towers[0].rollouts.standing()
        if standing.terms is None:
            return
        made = event(standing, kind)
        if how != "bare" and not standing.row.stage.terminal:
            by = evidence(standing.row, calls=[]) if how == "poor" else evidence(standing.row)
            other = standing if how == "poor" else replace(standing, row=replace(standing.row, rollout=999))
            made = proven(other, kind, by=by)
        self.before = self.world.rollouts().events()
        self.forged = True
        columns = {**made.__dict__, "kind": made.kind.value, "facts": canonical_json(dict(made.facts)).decode()}
        row = replace(standing.row, epoch=made.epoch, share=1.0, stage=Stage.SOAK, step=len(PLAN.steps))
        with self.towers[0].rollouts.database.writing() as connection:
            connection.execute(insert(EVENT).values(use_case=USE_CASE, **columns))
            connection.execute(update(ROLLOUT).values(**columns_of(row)))

    @precondition(lambda self: self.forged)
    @rule()
    def backup_is_put_back(self) -> None:
        with self.towers[0].rollouts.database.writing() as connection:
            connection.execute(delete(EVENT).where(EVENT.c.epoch > len(self.before)))
        self.forged = False
        for tower in self.towers:
            tower.start()
        self.towers[0].rollouts.mend()

    # what must hold after every step

    def _now(self) -> Row:
        return self._follow().row

    def _follow(self) -> Standing:
        """Where it stands by rightful events; checks each that came since the last look."""
        for one in self.written()[self.truth.row.epoch :]:
            before, self.truth = self.truth.row, self.truth.after(one)
            self._check(before, self.truth.row, one)
        return self.truth

    def _check(self, before: Row, after: Row, one: Event) -> None:
        if after.share > before.share:  # 1: to the plan's next step alone
            assert one.kind is Kind.ADVANCED and SHARES.index(after.share) == SHARES.index(before.share) + 1
        if after.champion != before.champion:
            assert one.kind is Kind.RESTORED or (one.kind is Kind.FINALIZED and before.share == 1.0)
        assert (after.challenger is None) == after.stage.terminal  # 10
        assert after.finalized[0] == BASELINE and after.finalized[-1] == after.champion
        if one.kind in (Kind.ROLLED_BACK, Kind.RESTORED, Kind.REFUSED):
            assert after.share == 0.0 and after.challenger is None
        if one.kind.increases:
            calls = one.facts["certificate"]["evidence"]["calls"]  # 2: of the share of its own stage
            assert {share for share, *_ in calls} <= {before.share, 0.0}

    @invariant()
    def folding_again_gives_the_same_row(self) -> None:
        """8."""
        if hasattr(self, "truth"):
            standing = self._follow()
            events = self.written()
            assert fold(USE_CASE, events[::-1] + events).row == standing.row

    @invariant()
    def gateways_answer_what_they_may(self) -> None:
        if not hasattr(self, "truth"):
            return
        row = self._follow().row
        for tower in self.towers:
            routing = tower.watch.current()
            in_force = routing.row
            assert in_force.share in (0.0, row.share)  # 1, 2: nothing that was not decided
            assert in_force.champion == row.champion and in_force.epoch == row.epoch
            assert in_force.challenger == row.challenger
            assert set(row.finalized[-3:]) <= set(in_force.warm)  # 4
            if self.forged or not routing.honoured or not routing.alive:  # 11
                assert in_force.share == 0.0
                assert {routing.answering(place / 7) for place in range(7)} == {Arm.CHAMPION}
            if self.forged:
                assert not routing.honoured and routing.fault
        one, two = (tower.watch.current() for tower in self.towers)
        if one.row == two.row:  # 7: the same unit, the same arm, everywhere
            for place in (0.0, 0.1, 0.3, 0.6, 0.99):
                assert one.answering(place) is two.answering(place) or one.alive != two.alive

    @invariant()
    def the_evidence_is_that_of_the_log(self) -> None:
        """8: reading the whole log again gives what the checkpoint holds, as far as it was read."""
        if not hasattr(self, "truth") or self.forged or self._now().stage.terminal:
            return
        row, standing = self.truth.row, self.truth
        kept = self.towers[0].rollouts.checkpoints.get(standing)
        assert standing.terms is not None
        again = Evidence.start(standing.terms.plan, standing.terms.task)
        for rollout, seen, pairs, _ in list(self.world.log.rows.values())[: kept.cursor or 0]:
            if rollout == str(row.rollout):
                again = again.fold([call for call in seen if call.epoch >= row.entered], pairs)
        assert kept.evidence == again


def machine(examples: int, steps: int) -> Any:
    case = Machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )  # fmt: skip
    return case


def test_the_invariants_hold_whatever_happens() -> None:
    machine(examples=12, steps=30)("runTest").runTest()


@pytest.mark.slow
def test_the_invariants_hold_over_tens_of_thousands_of_steps() -> None:
    machine(examples=400, steps=60)("runTest").runTest()


def test_the_machine_reaches_the_top() -> None:
    """Else its invariants would be cheap."""
    made = Machine()
    made.begin()
    made.nominate(0, 3, again=False, supersede=False)
    for _ in range(6):
        made.serve(10, 30)
        made.gateways_answer_what_they_may()
        made.the_evidence_is_that_of_the_log()
    made.mirror(0)

    assert made._now().finalized == (BASELINE, 3) and len(CLIMB) == 5
    made.teardown()
