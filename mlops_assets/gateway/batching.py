"""Micro-batches: whatever waits is scored together, each row by the arm that the rollout says now.

Each arm has a lane of its own, so a slow challenger delays none of the champion's rows. A row whose challenger fails
goes over to the champion's lane, within the same request. An answer is in the prediction log before it is given; after
it the other arm is asked too (mirrored), as far as it keeps up.

Here belong admission, deadlines, and who is asked instead of whom. It knows no HTTP; a call is `calling.py`'s business.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from mlops_assets.core.rollout.router import unit_hash
from mlops_assets.core.rollout.words import BASELINE, Arm, Stage
from mlops_assets.declare import Task
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.asked import Answer, Asked, Lane, Part, Piece
from mlops_assets.gateway.breaker import Breaker
from mlops_assets.gateway.calling import CHAMPION_S, Caller, also, invalid_of, patience_with, rates_of, slow_of
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.requests import Question
from mlops_assets.gateway.scoring import Scoring
from mlops_assets.gateway.settling import Settling
from mlops_assets.gateway.slots import SlotError, Why
from mlops_assets.gateway.stats import Stats
from mlops_assets.stores.serving.log_records import BESIDE
from mlops_assets.stores.serving.predictions import Failed, Mirrored, PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Routing, Watch

ANSWER_S = 5.0  # from admission to the answer; who waits longer is told to come again
MOST_REQUESTS = 1_000  # admitted at once, in one worker
MOST_ROWS = 20_000
TOGETHER = 1_000  # rows of one call of a model; more only when one request has more
FRESH_S = 0.001  # how long a look at the rollout serves those that come at once; each call of a model looks anew
MIRRORED_ROWS = 5_000  # wait to be mirrored; beyond that they are dropped and counted
MIRRORED_TOGETHER = 512  # of one call: a user's row waits for no more than these
_ASKED = (Stage.SHADOW, Stage.CANARY, Stage.SOAK)  # stages in which a challenger is asked
_STOPPED = "the challenger is not asked any more"


class Batcher:
    """The lanes of one worker; it belongs to its event loop. `aside` is how it calls what waits for a disk.

    `apart`: requests of one call count as if each had been called alone, as in traffic too thin for micro-batches.
    """

    def __init__(
        self,
        task: Task,
        *,
        watch: Watch,
        slots: Scoring,
        log: PredictionLog,
        rollouts: Rollouts,
        stats: Stats,
        clock_us: Callable[[], int],
        monotonic: Callable[[], float],
        name: str,
        aside: Callable[..., Coroutine[Any, Any, None]] = asyncio.to_thread,
        apart: bool = False,
    ) -> None:
        self._task, self._watch, self._slots, self._log = task, watch, slots, log
        self._rollouts, self._stats, self._name = rollouts, stats, name
        self._clock_us, self._monotonic, self._aside, self._apart = clock_us, monotonic, aside, apart
        self._caller = Caller(slots, stats, monotonic)
        self._settling = Settling(log, stats, clock_us)
        self._lanes = {arm: Lane(arm) for arm in Arm}
        self._breaker = Breaker()
        self._seen: Routing | None = None
        self._seen_at = 0.0
        self._requests = self._rows = 0
        self.closed = ""  # why nothing is admitted any more
        self._loops: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to answer."""
        self._loops = [
            asyncio.create_task(self._run(lane), name=f"lane {arm.value}") for arm, lane in self._lanes.items()
        ]

    async def close(self) -> None:
        """Stop. Call it when nothing is admitted any more: what is mirrored then is dropped, what is logged is not."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, *self._running, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until nothing is under way: every answer is in the log, and what was mirrored is scored and in it."""
        lanes = self._lanes.values()
        while self._running or not all(lane.quiet.is_set() for lane in lanes):
            for lane in lanes:
                await lane.quiet.wait()
            if self._running:
                await asyncio.wait(self._running)

    @property
    def rows(self) -> int:
        """Rows admitted and not answered."""
        return self._rows

    def is_asked(self, routing: Routing) -> bool:
        """True when there is a challenger and it is to be called, for answers or mirrored."""
        row = routing.row
        return row.challenger is not None and row.stage in _ASKED and not self._breaker.open(row.rollout)

    async def answer(self, id_: str, question: Question, content: str) -> Answer:
        """The answers to the rows of a request, in the log already. `content` tells a request that is sent again from

        another of the same id. Raises Refused.
        """
        if self.closed:
            raise not_now("closing", f"{self.closed}.")
        if self._requests >= MOST_REQUESTS or (self._rows and self._rows + question.rows > MOST_ROWS):
            raise not_now("busy", f"{self._rows} rows of {self._requests} requests wait to be answered.")
        asked = Asked(
            id=id_, question=question, content=content, received_us=self._clock_us(),
            due=self._monotonic() + ANSWER_S, done=asyncio.get_running_loop().create_future(),
            left=question.rows,
        )  # fmt: skip
        self._admit(asked, +1)
        try:
            self._route(asked, range(question.rows))
            return await asked.done
        finally:
            self._admit(asked, -1)
            asked.done.cancel()  # whoever hung up is not scored any more

    def _admit(self, asked: Asked, by: int) -> None:
        self._requests += by
        self._rows += by * asked.question.rows
        self._stats.set("rows_waiting", self._rows)

    # --- who is asked ----------------------------------------------------------------------------------------------

    def _route(self, asked: Asked, rows: Sequence[int]) -> None:
        """Put rows on the lane of the arm that answers them now. Raises Refused when there is no model."""
        now = self._monotonic()
        if self._seen is None or now - self._seen_at > FRESH_S:
            self._seen, self._seen_at = self._watch.current(), now
        routing = self._seen
        row, champion = routing.row, self._lanes[Arm.CHAMPION]
        if row.champion == BASELINE and not row.baseline_of:
            raise not_now("no_model", "no model was nominated yet: register one, a rollout begins.", retry_after=10)
        if row.challenger is None or row.share <= 0:
            champion.add(Piece(asked=asked, rows=rows, routing=routing, assigned=Arm.CHAMPION))
            return
        by_arm: dict[Arm, list[int]] = {}
        for n in rows:
            unit = asked.question.units[n]
            place = unit_hash(row.salt, (asked.id_of(n) if unit is None else unit).encode())
            by_arm.setdefault(routing.answering(place), []).append(n)
        for arm, mine in by_arm.items():
            piece = Piece(asked=asked, rows=mine, routing=routing, assigned=arm)
            if arm is Arm.CHALLENGER and not self.is_asked(routing):
                self._fall_back(piece, "", _STOPPED)
            else:
                self._lanes[arm].add(piece)

    async def _run(self, lane: Lane) -> None:
        while True:
            await lane.wake.wait()
            if pieces := lane.taken(TOGETHER):
                await self._answer(lane, pieces)
            elif mirrored := lane.taken_mirrored(MIRRORED_TOGETHER):
                await self._mirror(lane.arm, mirrored)
            else:
                lane.rest()

    async def _answer(self, lane: Lane, pieces: list[Piece]) -> None:
        """Have pieces scored by the lane's arm, as the rollout stands now."""
        routing, fresh = self._watch.current(), []
        for piece in pieces:
            if piece.asked.due <= self._monotonic():
                self._give_up(piece, not_now("late", "no model answered in time: send it again."))
            elif piece.routing is routing or piece.fell_back:
                piece.routing = routing
                fresh.append(piece)
            else:
                try:
                    self._route(piece.asked, piece.rows)
                except Refused as refused:
                    self._give_up(piece, refused)
        if fresh and lane.arm is Arm.CHAMPION:
            await self._ask_champion(lane, routing, fresh)
        elif fresh:
            await self._ask_challenger(lane, routing, fresh)

    async def _ask_champion(self, lane: Lane, routing: Routing, pieces: list[Piece]) -> None:
        version = routing.row.champion
        if not self._slots.is_ready(version):
            lane.back(pieces)
            await self._slots.wait(version, 0.05)  # meanwhile the rollout may say another, or the time be up
            return
        try:
            await self._score(lane.arm, version, routing, pieces, CHAMPION_S)
        except SlotError as failed:
            again = []
            for piece in pieces:
                piece.tries += failed.why in (Why.DIED, Why.LATE)
                if piece.tries > 1:
                    self._give_up(piece, not_now("died", "the model died of this request, twice."))
                elif len(pieces) == 1 and failed.why is Why.ERROR:
                    nothing = [None] * len(piece.rows)
                    self._take(piece, piece.rows, nothing, version, lane.arm, 0, "error", str(failed), lead=True)
                else:
                    piece.alone = True
                    again.append(piece)
            lane.back(again)
            self._settle(pieces)

    async def _ask_challenger(self, lane: Lane, routing: Routing, pieces: list[Piece]) -> None:
        version = routing.row.challenger
        if version is None or not self.is_asked(routing):
            for piece in pieces:
                self._fall_back(piece, "", _STOPPED)
        elif not self._slots.is_ready(version):
            failed = self._slots.has_failed(version)  # one that is loaded for the first time did no harm yet
            self._fall_back_together(pieces, "error" if failed else "", "the challenger is not ready")
            self._judge(routing, failed)
        else:
            try:
                await self._score(lane.arm, version, routing, pieces, patience_with(routing))
            except SlotError as error:
                if error.why is Why.ERROR and len(pieces) > 1:  # which of them is it?
                    for piece in pieces:
                        piece.alone = True
                    lane.back(pieces)
                    return
                self._fall_back_together(pieces, rates_of(error.why), str(error))
                self._judge(routing, True)

    async def _score(self, arm: Arm, version: int, routing: Routing, pieces: list[Piece], seconds: float) -> None:
        """Score pieces and take the answers; rows without a valid one fall back, or have none. Raises SlotError."""
        scores, took_us = await self._caller.call(arm, version, pieces, seconds)
        self._stats.add("batches_total", arm.value)
        slow, wrong = slow_of(routing, took_us, len(scores)), invalid_of(scores, self._task)
        values, at, lead = scores.tolist(), 0, True  # one row stands for the call: an invalid one, where there is one
        for piece in pieces:
            mine = slice(at, at + len(piece.rows))
            at = mine.stop
            if wrong is not None and wrong[mine].any():
                self._sort_out(arm, piece, values[mine], wrong[mine].tolist(), version, took_us, slow, lead)
                lead = self._apart
            else:
                stands = lead and (self._apart or wrong is None)
                self._take(piece, piece.rows, values[mine], version, arm, took_us, slow, lead=stands)
                lead = self._apart or (lead and not stands)
        if arm is Arm.CHALLENGER:
            self._judge(routing, wrong is not None)
        self._settle(pieces)

    def _sort_out(
        self, arm: Arm, piece: Piece, values: list[float], wrong: list[bool], version: int, took_us: int, slow: str,
        lead: bool,
    ) -> None:  # fmt: skip
        """Take the valid scores of a piece; its other rows fall back, or have none: with `lead` they are the call."""
        self._stats.add("failed_calls_total", arm.value, Why.INVALID.value)
        told = list(zip(piece.rows, values, wrong, strict=True))
        if fine := [(row, score) for row, score, bad in told if not bad]:
            self._take(piece, [row for row, _ in fine], [score for _, score in fine], version, arm, took_us, slow)
        rows, bad = [row for row, _, bad in told if bad], also("invalid", slow)
        why = f"it answered with no {'number' if self._task is Task.REGRESSION else 'probability'}"
        if arm is Arm.CHAMPION:
            self._take(piece, rows, [None] * len(rows), version, arm, took_us, bad, why, lead=lead)
        else:
            rest = Piece(asked=piece.asked, rows=rows, routing=piece.routing, assigned=piece.assigned)
            self._fall_back(rest, bad, why, lead=lead)

    # --- what becomes of rows --------------------------------------------------------------------------------------

    def _take(
        self,
        piece: Piece,
        rows: Sequence[int],
        scores: Sequence[float | None],
        version: int,
        arm: Arm,
        took_us: int,
        bad: str,
        why: str = "",
        *,
        lead: bool = False,
    ) -> None:
        """Rows of a piece are settled: with scores, or (None) with why not. With `lead` they stand for the call."""
        piece.asked.parts.append(
            Part(
                rows=rows, scores=scores, version=version, arm=arm, took_us=took_us, routing=piece.routing,
                assigned=piece.assigned, bad=bad, challenger_bad=piece.challenger_bad, reason=why or piece.reason,
                fell_back=piece.fell_back, lead=lead, challenger_lead=piece.challenger_lead,
            )
        )  # fmt: skip
        piece.asked.left -= len(rows)

    def _fall_back_together(self, pieces: Sequence[Piece], bad: str, why: str) -> None:
        """The pieces of one call of the challenger fall back; the first stands for it."""
        for place, piece in enumerate(pieces):
            self._fall_back(piece, bad, why, lead=self._apart or place == 0)

    def _fall_back(self, piece: Piece, bad: str, why: str, *, lead: bool = False) -> None:
        """The champion answers in the challenger's stead."""
        piece.fell_back, piece.challenger_bad, piece.reason, piece.alone = True, bad, why, False
        piece.challenger_lead = lead
        self._stats.add("fallback_rows_total", by=len(piece.rows))
        self._lanes[Arm.CHAMPION].add(piece)

    def _give_up(self, piece: Piece, refused: Refused) -> None:
        """The request gets no answer; the log is told so."""
        if not piece.asked.over:
            piece.asked.done.set_exception(refused)
            told = Failed(
                request=piece.asked.id, status_code=refused.status, reason=str(refused)[:200], at_us=self._clock_us()
            )
            self._spawn(self._note([told]))

    def _settle(self, pieces: Sequence[Piece]) -> None:
        """Log and give the answers of the requests that are complete, while the next batch is scored."""
        if complete := list(dict.fromkeys(piece.asked for piece in pieces if not piece.asked.left)):
            self._spawn(self._settled(complete))

    async def _settled(self, requests: Sequence[Asked]) -> None:
        for asked in await self._settling.settle(requests):
            for part in asked.parts:
                if not part.fell_back and self.is_asked(part.routing):
                    self._offer(asked, part)

    def _offer(self, asked: Asked, part: Part) -> None:
        """Let the other arm score the rows, too; when it is behind they are dropped."""
        other = self._lanes[Arm.CHALLENGER if part.arm is Arm.CHAMPION else Arm.CHAMPION]
        piece = Piece(asked=asked, rows=part.rows[:MIRRORED_TOGETHER], routing=part.routing, assigned=part.assigned)
        taken = len(piece.rows) if other.mirror(piece, MIRRORED_ROWS) else 0
        if dropped := len(part.rows) - taken:
            self._stats.add("mirrored_dropped_total", other.arm.value, by=dropped)

    async def _mirror(self, arm: Arm, pieces: list[Piece]) -> None:
        """Score rows that are answered by the other arm; nobody waits."""
        routing = self._watch.current()
        row = routing.row
        version = row.champion if arm is Arm.CHAMPION else row.challenger
        same = [p for p in pieces if (p.routing.row.rollout, p.routing.row.champion) == (row.rollout, row.champion)]
        if version is None or not same or not self.is_asked(routing) or not self._slots.is_ready(version):
            self._stats.add("mirrored_dropped_total", arm.value, by=sum(len(piece.rows) for piece in pieces))
            return
        bad, took_us = "", 0
        try:
            # a user's row may come meanwhile and wait for this call: it has no more patience than one of users
            patience = CHAMPION_S if arm is Arm.CHAMPION else patience_with(routing)
            scores, took_us = await self._caller.call(arm, version, same, patience)
        except SlotError as failed:
            if failed.why is Why.ERROR and len(same) > 1:
                for piece in same:
                    await self._mirror(arm, [piece])
                return
            scores, bad = np.full(sum(len(piece.rows) for piece in same), np.nan), rates_of(failed.why)
        wrong = invalid_of(scores, self._task)
        if self._apart and wrong is not None and len(same) > 1:  # which of them is it?
            for piece in same:
                await self._mirror(arm, [piece])
            return
        invalid = [False] * len(scores) if wrong is None else wrong.tolist()
        bad = bad or also("" if wrong is None else "invalid", slow_of(routing, took_us, len(scores)))
        ids = [piece.asked.id_of(n) for piece in same for n in piece.rows]
        first = {0, *(accumulate(len(piece.rows) for piece in same) if self._apart else ())}
        now, name = self._clock_us(), arm.value
        told = [
            Mirrored(
                id=id_, version=version, arm=name, score=None if broken else score,
                bad=bad if place in first else BESIDE, latency_us=took_us, at_us=now,
            )
            for place, (id_, score, broken) in enumerate(zip(ids, scores.tolist(), invalid, strict=True))
        ]  # fmt: skip
        self._stats.add("mirrored_rows_total", name, by=len(told))
        if arm is Arm.CHALLENGER:
            self._judge(routing, any(invalid))
        self._spawn(self._note(told))

    async def _note(self, records: Sequence[Failed | Mirrored]) -> None:
        """Log what nobody waits for; what is not taken is counted."""
        try:
            await self._log.write(records)
        except MlopsError:
            for one in records:
                if isinstance(one, Mirrored):
                    self._stats.add("mirrored_dropped_total", one.arm)

    # --- the breaker -----------------------------------------------------------------------------------------------

    def _judge(self, routing: Routing, failed: bool) -> None:
        """Tell the breaker of a call of the challenger; take it out when that was one too many."""
        rollout = routing.row.rollout
        if routing.plan and self._breaker.told(rollout, failed=failed, share=routing.plan.breaker):
            self._stats.add("breaker_opened_total")
            self._spawn(self._aside(self._break_off, rollout, routing.plan.breaker))

    def _break_off(self, rollout: int, share: float) -> None:
        """One event: every gateway stops asking it. If it cannot be written, this one has stopped all the same."""
        why = f"the breaker opened: {share:.0%} of its last 20 calls failed"
        try:
            self._rollouts.break_off(rollout=rollout, who=self._name, why=why, at_us=self._clock_us())
        except MlopsError:
            self._stats.add("failed_calls_total", Arm.CHALLENGER.value, "unwritten")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
