"""Who is asked instead of whom, and in which order: lanes, fall-backs, the breaker, the log before the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import Kind, Task
from mlops_assets.gateway import batching
from mlops_assets.gateway.asked import Answer
from mlops_assets.gateway.batching import Batcher
from mlops_assets.gateway.columns import ColumnEncoder
from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.requests import Question
from mlops_assets.gateway.slots import SlotError, Why
from mlops_assets.gateway.stats import Slab
from mlops_assets.stores.serving.log_records import BESIDE
from mlops_assets.stores.serving.predictions import Answered, Failed, Mirrored, Outcome, Told, Unavailable
from mlops_assets.stores.serving.watch import Routing
from mlops_assets_tests.gateway import world

Array = npt.NDArray[np.float64]
ENCODER = ColumnEncoder(Encoder(features=("x",), kinds=(Kind.FLOAT,), categories={}))
CHAMPION, CHALLENGER = 1, 2
ROW = Row(
    use_case="parcels", epoch=5, rollout=3, stage=Stage.CANARY, share=0.5, champion=CHAMPION, challenger=CHALLENGER,
    baseline_of=1, salt="s",
)  # fmt: skip


def half(rows: Array) -> Array:
    return np.full(len(rows), 0.5)


@dataclass
class World:
    """A batcher whose models are functions: `says[version](rows)` may raise SlotError, wait, or return scores."""

    says: dict[int, Callable[[Array], Any]] = field(default_factory=lambda: {CHAMPION: half, CHALLENGER: half})
    routing: Routing = field(default_factory=lambda: Routing(ROW, world.PLAN, alive=True, honoured=True))
    away: bool = False
    ready: set[int] = field(default_factory=lambda: {CHAMPION, CHALLENGER})
    calls: list[tuple[int, int]] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    broken_off: list[int] = field(default_factory=list)
    apart: bool = False

    def batcher(self) -> Batcher:
        self.stats = Slab().of(0)
        slots = SimpleNamespace(
            encoder=lambda _: ENCODER, score=self._score, is_ready=self.ready.__contains__, wait=self._wait,
            has_failed=lambda _: True, states={},
        )  # fmt: skip
        return Batcher(
            Task.CLASSIFICATION,
            watch=cast(Any, SimpleNamespace(current=lambda: self.routing)),
            slots=cast(Any, slots),
            log=cast(Any, SimpleNamespace(write=self._write)),
            rollouts=cast(Any, SimpleNamespace(break_off=lambda rollout, **_: self.broken_off.append(rollout))),
            stats=self.stats,
            clock_us=lambda: 1,
            monotonic=asyncio.get_running_loop().time,
            name="a test",
            apart=self.apart,
        )

    async def _wait(self, version: int, seconds: float) -> bool:
        await asyncio.sleep(min(seconds, 0.01))
        return version in self.ready

    async def _score(self, version: int, rows: Array, seconds: float) -> Array:
        self.calls.append((version, len(rows)))
        await asyncio.sleep(0.001)
        found = self.says[version](rows)
        if isinstance(found, Awaitable):
            try:
                found = await asyncio.wait_for(found, seconds)
            except TimeoutError:
                raise SlotError(Why.LATE, "late") from None
        return cast(Array, found)

    async def _write(self, records: Sequence[Any]) -> list[Outcome]:
        if self.away:
            raise Unavailable("no disk")
        self.records += records
        return [Outcome(Told.WRITTEN)] * len(records)

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def run(self, *questions: Sequence[float], settle: float = 0.05) -> list[Answer | Refused]:
        """Ask all at once, and let what nobody waits for come to an end."""

        async def all_of_them() -> list[Any]:
            batcher = self.batcher()
            batcher.start()
            asked = [batcher.answer(f"r{n}", question(values), "") for n, values in enumerate(questions)]
            found = await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.sleep(settle)
            await batcher.close()
            assert batcher.rows == 0
            return found

        return asyncio.run(all_of_them())


def question(values: Sequence[float]) -> Question:
    rows = len(values)
    return Question(
        rows=rows, columns={"x": list(values)}, as_of_us=[1] * rows, units=[None] * rows, features=["{}"] * rows
    )  # fmt: skip


def only(stage: Stage, share: float) -> Routing:
    return Routing(replace(ROW, stage=stage, share=share), world.PLAN, alive=True, honoured=True)


def fails(why: Why) -> Callable[[Array], Array]:
    def say(rows: Array) -> Array:
        raise SlotError(why, "a fault of the test")

    return say


def test_what_waits_while_a_batch_is_scored_is_scored_together() -> None:
    here = World(routing=only(Stage.IDLE, 0.0))
    answers = here.run(*[[1.0]] * 60)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert sum(rows for _, rows in here.calls) == 60
    assert len(here.calls) < 10


def test_rows_of_one_request_are_each_answered_by_their_arm_in_their_order() -> None:
    here = World(says={CHAMPION: lambda rows: rows[:, 0] / 100, CHALLENGER: lambda rows: rows[:, 0] / 100 + 0.5})
    (answer,) = here.run([float(n) for n in range(40)])

    assert isinstance(answer, Answer)
    assert [round(score % 0.5 * 100) for score in answer.scores] == list(range(40))
    assert answer.versions == [CHAMPION, CHALLENGER]
    assert {one.version for one in here.of(Answered)} == {CHAMPION, CHALLENGER}


def test_a_challenger_that_hangs_delays_none_of_the_champions_rows() -> None:
    async def hang() -> Array:
        await asyncio.sleep(30)
        return np.zeros(1)

    here = World(says={CHAMPION: half, CHALLENGER: lambda rows: hang()})

    async def race() -> list[str]:
        batcher = here.batcher()
        batcher.start()
        order = []

        async def ask(n: int) -> None:
            answer = await batcher.answer(f"r{n}", question([1.0]), "")
            order.append(
                "fell back" if answer and here.of(Answered) and _of(here, f"r{n}").status == "fallback" else "own"
            )

        await asyncio.gather(*(ask(n) for n in range(40)))
        await batcher.close()
        return order

    order = asyncio.run(race())

    assert order == sorted(order, key="own fell back".index)
    assert "fell back" in order


def _of(here: World, id_: str) -> Answered:
    return next(one for one in here.of(Answered) if one.id == id_)


@pytest.mark.parametrize("why", list(Why))
def test_a_challenger_that_fails_is_answered_for_by_the_champion(why: Why) -> None:
    here = World(says={CHAMPION: half, CHALLENGER: fails(why)})
    answers = here.run(*[[1.0]] * 10)

    assert [answer.scores for answer in answers if isinstance(answer, Answer)] == [[0.5]] * 10
    told = here.of(Answered)
    assert {one.version for one in told} == {CHAMPION}
    fell_back = [one for one in told if one.status == "fallback"]
    assert {one.assigned for one in fell_back} == {"challenger"} and all(one.challenger_bad for one in fell_back)


def test_only_the_rows_without_a_probability_fall_back() -> None:
    here = World(
        routing=only(Stage.SOAK, 1.0),
        says={CHAMPION: half, CHALLENGER: lambda rows: np.where(rows[:, 0] > 7, np.nan, 0.25)},
    )
    (answer,) = here.run([float(n) for n in range(10)])

    assert isinstance(answer, Answer)
    assert answer.scores == [0.25] * 8 + [0.5] * 2
    told = sorted(here.of(Answered), key=lambda one: one.row)
    assert [one.challenger_bad for one in told] == [""] * 8 + ["invalid", BESIDE]
    assert {one.bad for one in told[:8]} == {BESIDE}  # the invalid row stands for that call


# --- a call is one event, however many rows it has -----------------------------------------------------------------


def counted(told: Sequence[Any], field: str = "bad") -> list[str]:
    return [getattr(one, field) for one in told if getattr(one, field) != BESIDE]


def test_one_row_stands_for_a_call_of_many() -> None:
    here = World(routing=only(Stage.SHADOW, 0.0))
    here.run([1.0] * 30, [2.0] * 20)

    assert len(here.of(Answered)) == len(here.of(Mirrored)) == 50
    champions = [rows for version, rows in here.calls if version == CHAMPION]
    challengers = [rows for version, rows in here.calls if version == CHALLENGER]
    assert counted(here.of(Answered)) == [""] * len(champions)
    assert counted(here.of(Mirrored)) == [""] * len(challengers)


def test_requests_that_count_apart_stand_each_for_itself_though_they_are_called_together() -> None:
    here = World(
        routing=only(Stage.SHADOW, 0.0), apart=True,
        says={CHAMPION: half, CHALLENGER: lambda rows: np.where(rows[:, 0] == 3, np.nan, 0.25)},
    )  # fmt: skip
    here.run(*[[float(n)] for n in range(10)])

    assert len([call for call in here.calls if call[0] == CHAMPION]) < 10
    assert counted(here.of(Answered)) == [""] * 10
    assert sorted(counted(here.of(Mirrored))) == [""] * 9 + ["invalid"]


def test_a_process_that_dies_under_many_rows_fails_once() -> None:
    def die(_: Array) -> Array:
        raise SlotError(Why.DIED, "died")

    here = World(routing=only(Stage.SOAK, 1.0), says={CHAMPION: half, CHALLENGER: die})
    here.run([1.0] * 40)

    told = here.of(Answered)
    assert {one.status for one in told} == {"fallback"}
    assert counted(told, "challenger_bad") == ["error"]
    assert here.broken_off == []  # one death of twenty calls opens no breaker


def test_a_call_of_many_rows_may_take_its_time() -> None:
    async def at_leisure(rows: Array) -> Array:
        await asyncio.sleep(1.2 * world.PLAN.slow.total_seconds())
        return half(rows)

    for rows, bad in ((1, "slow"), (400, "")):
        here = World(routing=only(Stage.SHADOW, 0.0), says={CHAMPION: half, CHALLENGER: at_leisure})
        here.run([1.0] * rows, settle=2 * world.PLAN.slow.total_seconds())
        assert counted(here.of(Mirrored)) == [bad]


def test_of_a_great_request_only_a_part_is_mirrored() -> None:
    here = World(routing=only(Stage.SHADOW, 0.0))
    here.run([1.0] * (batching.MIRRORED_TOGETHER + 100))

    assert len(here.of(Mirrored)) == batching.MIRRORED_TOGETHER


def test_a_users_row_waits_for_no_hanging_call_that_nobody_waits_for() -> None:
    """The challenger hangs while it mirrors; the next user of its arm is answered by the champion in good time."""

    async def hang(rows: Array) -> Array:
        await asyncio.sleep(60)
        return half(rows)

    async def run() -> float:
        here = World(routing=only(Stage.SHADOW, 0.0), says={CHAMPION: half, CHALLENGER: hang})
        batcher = here.batcher()
        batcher.start()
        await batcher.answer("a", question([1.0]), "")
        await asyncio.sleep(0.02)  # it is mirrored now
        here.routing = only(Stage.SOAK, 1.0)
        began = asyncio.get_running_loop().time()
        answer = await batcher.answer("b", question([1.0]), "")
        assert answer.versions == [CHAMPION]
        await batcher.close()
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(run()) < 5 * world.PLAN.slow.total_seconds() < batching.ANSWER_S


def test_a_request_the_champion_cannot_answer_costs_no_other() -> None:
    def say(rows: Array) -> Array:
        if (rows < 0).any():
            raise SlotError(Why.ERROR, "no negative weight")
        return half(rows)

    here = World(routing=only(Stage.IDLE, 0.0), says={CHAMPION: say})
    answers = here.run(*([[1.0]] * 5 + [[-1.0]] + [[1.0]] * 5))

    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [one.status for one in refused] == [422]
    assert answers.index(refused[0]) == 5
    assert [one.status for one in here.of(Answered)].count("error") == 1


def test_a_champion_that_dies_once_is_asked_again_and_twice_is_given_up() -> None:
    died: list[int] = []

    def once(rows: Array) -> Array:
        died.append(1)
        if len(died) == 1:
            raise SlotError(Why.DIED, "its process died")
        return half(rows)

    again = World(routing=only(Stage.IDLE, 0.0), says={CHAMPION: once}).run([1.0], [2.0])
    here = World(routing=only(Stage.IDLE, 0.0), says={CHAMPION: fails(Why.DIED)})
    twice = here.run([1.0])

    assert all(isinstance(answer, Answer) for answer in again)
    assert [answer.status for answer in twice if isinstance(answer, Refused)] == [503]
    assert [one.request for one in here.of(Failed)] == ["r0"]


def test_without_a_ready_champion_a_request_waits_and_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "ANSWER_S", 0.05)
    here = World(ready={CHALLENGER})
    answers = here.run([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])

    assert [(one.status, one.retry_after) for one in answers if isinstance(one, Refused)] == [(503, 1)]
    assert here.of(Answered) == []


def test_what_cannot_be_logged_is_not_answered() -> None:
    answers = World(away=True).run([1.0], [2.0])

    assert [one.status for one in answers if isinstance(one, Refused)] == [503, 503]


def test_the_other_arm_is_asked_after_the_answer_is_logged() -> None:
    here = World(routing=only(Stage.SHADOW, 0.0), says={CHAMPION: half, CHALLENGER: lambda rows: half(rows) / 2})
    here.run([1.0, 2.0], [3.0])

    kinds = [type(record) for record in here.records]
    assert kinds == [Answered] * 3 + [Mirrored] * 3
    assert {(one.version, one.arm, one.score) for one in here.of(Mirrored)} == {(CHALLENGER, "challenger", 0.25)}


def test_mirrored_rows_that_would_pile_up_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MIRRORED_ROWS", 2)
    here = World(routing=only(Stage.SHADOW, 0.0))
    answers = here.run([1.0, 2.0, 3.0])

    assert isinstance(answers[0], Answer)
    assert here.stats.total("mirrored_dropped_total", "challenger") == 3
    assert here.of(Mirrored) == []


def test_a_challenger_that_plainly_fails_is_not_asked_any_more() -> None:
    here = World(routing=only(Stage.SOAK, 1.0), says={CHAMPION: half, CHALLENGER: fails(Why.ERROR)})

    async def one_by_one() -> None:
        batcher = here.batcher()
        batcher.start()
        for n in range(30):
            await batcher.answer(f"r{n}", question([1.0]), "")
        await asyncio.sleep(0.05)
        await batcher.close()

    asyncio.run(one_by_one())

    assert [version for version, _ in here.calls].count(CHALLENGER) == 20
    assert here.broken_off == [ROW.rollout]
    assert [one.challenger_bad for one in here.of(Answered)].count("error") == 20


def test_a_row_that_was_routed_before_a_rollback_is_not_answered_by_the_challenger() -> None:
    here = World(routing=only(Stage.SOAK, 1.0))

    async def roll_back_meanwhile() -> None:
        batcher = here.batcher()
        asked = asyncio.create_task(batcher.answer("r", question([1.0]), ""))
        await asyncio.sleep(0.01)
        here.routing = Routing(
            replace(ROW, stage=Stage.ROLLED_BACK, share=0.0, challenger=None), world.PLAN, alive=True, honoured=True
        )  # fmt: skip
        batcher.start()
        await asked
        await batcher.close()

    asyncio.run(roll_back_meanwhile())

    assert here.calls == [(CHAMPION, 1)]


def test_more_requests_than_may_wait_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST_REQUESTS", 3)
    answers = World(routing=only(Stage.IDLE, 0.0)).run(*[[1.0]] * 5)

    assert [isinstance(answer, Answer) for answer in answers] == [True, True, True, False, False]


def test_whoever_hangs_up_is_not_scored() -> None:
    here = World(routing=only(Stage.IDLE, 0.0))

    async def hang_up() -> None:
        batcher = here.batcher()
        asked = asyncio.create_task(batcher.answer("r", question([1.0]), ""))
        await asyncio.sleep(0.01)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        batcher.start()
        await asyncio.sleep(0.02)
        await batcher.close()

    asyncio.run(hang_up())

    assert here.calls == []


def test_an_idle_batcher_has_logged_every_answer_and_every_mirrored_one() -> None:
    here = World(routing=only(Stage.SHADOW, 0.0))

    async def ask() -> None:
        batcher = here.batcher()
        batcher.start()
        await batcher.idle()  # at once: nothing was asked
        asking = [asyncio.create_task(batcher.answer(f"r{n}", question([1.0]), "")) for n in range(40)]
        await asyncio.sleep(0)
        await batcher.idle()
        assert (len(here.of(Answered)), len(here.of(Mirrored))) == (40, 40)
        await asyncio.gather(*asking)
        await batcher.close()

    asyncio.run(ask())


def test_an_idle_batcher_has_written_that_its_breaker_opened() -> None:
    here = World(routing=only(Stage.SHADOW, 0.0), says={CHAMPION: half, CHALLENGER: fails(Why.ERROR)})

    async def ask() -> None:
        batcher = here.batcher()
        batcher.start()
        await asyncio.gather(*(batcher.answer(f"r{n}", question([1.0]), "") for n in range(30)))
        await batcher.idle()
        assert here.broken_off == [ROW.rollout]
        await batcher.close()

    asyncio.run(ask())
