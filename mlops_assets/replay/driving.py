"""Moments sent to a gateway at their time: requests side by side, events and outcomes in order.

Here belongs when what is sent, and the count of what came of it. A request that finds the gateway busy or gone is sent
again under its own id, so that it is answered once however often it was sent.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import msgspec

from mlops_assets.core.online.ordered import moment as instant
from mlops_assets.replay.client import Answer, Connection, LostError
from mlops_assets.replay.timeline import Asked, Matured, Moment, Told

TRIES = 6
FIRST_WAIT_S = 0.1  # doubled with every try: 3.1 s in all, what a gateway takes to come back
MOST_AT_ONCE = 200  # events or outcomes in one body
HOPELESS = 20  # so many requests in a row that failed: the rest is not tried
GONE = 0  # as a status: there was no answer


@dataclass(frozen=True, kw_only=True)
class Course:
    """How moments are sent: to `url`, `speed` event seconds a second (0: as fast as it goes), over `concurrency`

    connections. `body` writes a request, `feeder` is the header line with the feed's token. Events are held back and
    sent every `every_us` of event time; they arrive then, and count from then on. `looked_up`: the gateway looks
    features up, so requests wait until what has arrived before them has been taken.
    """

    url: str
    body: Callable[[Asked], bytes]
    feeder: str = ""
    speed: float = 0.0
    concurrency: int = 8
    looked_up: bool = False
    every_us: int = 600_000_000


@dataclass(kw_only=True)
class Played:
    """What came of it. `requests`: HTTP status -> how many, `events` and `outcomes`: what became of each -> how many.

    `latencies_s` of answered requests, from the sending to the whole answer; `behind_s`: how late sending was at most.
    """

    requests: Counter[int] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    sent_again: int = 0
    behind_s: float = 0.0
    seconds: float = 0.0
    at_us: int = 0
    said: str = ""  # by the first request that failed
    in_a_row: int = 0  # that failed last

    @property
    def answered(self) -> int:
        return self.requests[200]

    @property
    def failed(self) -> int:
        """Requests, and whole bodies of events or outcomes, that were not answered with success."""
        return sum(self.requests.values()) - self.answered + self.events["failed"] + self.outcomes["failed"]

    @property
    def hopeless(self) -> bool:
        """True when so much failed that the rest was not tried."""
        return self.in_a_row >= HOPELESS

    def latency_ms(self, share: float, last: int = 0) -> float | None:
        """The latency that `share` (0..1) of the answers, or of the last ones, did not exceed; None before any."""
        ordered = sorted(self.latencies_s[-last:])
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None


async def drive(moments: Iterable[Moment], course: Course, played: Played) -> None:
    """Send all moments, in their order; what comes of it is added to `played` while it goes on."""
    await _Drive(course, played).run(moments)


class _Drive:
    def __init__(self, course: Course, played: Played) -> None:
        self._course, self._played = course, played
        self._asking: asyncio.Queue[Asked | None] = asyncio.Queue(2 * course.concurrency)
        self._feeding: asyncio.Queue[list[Told] | Matured | None] = asyncio.Queue(20 * MOST_AT_ONCE)
        self._held: list[Told] = []  # known, and not sent yet
        self._open: dict[str, asyncio.Event] = {}  # requests that are not answered yet
        self._unanswered: set[str] = set()

    async def run(self, moments: Iterable[Moment]) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._course.concurrency):
                tasks.create_task(self._ask())
            tasks.create_task(self._feed())
            first = due = None
            for moment in moments:
                if self._played.hopeless:
                    break
                first = moment.at_us if first is None else first
                due = moment.at_us + self._course.every_us if due is None else due
                await self._until(began, moment.at_us - first)
                if moment.at_us >= due:
                    await self._send_held(moment.at_us)
                    due = moment.at_us + self._course.every_us
                self._played.at_us, self._played.seconds = moment.at_us, time.monotonic() - began
                if isinstance(moment, Asked):
                    self._open[moment.id] = asyncio.Event()
                    await self._asking.put(moment)
                elif isinstance(moment, Matured):
                    await self._feeding.put(moment)
                else:
                    self._held.append(moment)
            await self._send_held(due or 0)
            for _ in range(self._course.concurrency):
                await self._asking.put(None)
            await self._feeding.put(None)
        self._played.seconds = time.monotonic() - began

    async def _send_held(self, at_us: int) -> None:
        for table in dict.fromkeys(told.table for told in self._held):
            rows = [replace(told, at_us=at_us) for told in self._held if told.table == table]
            for n in range(0, len(rows), MOST_AT_ONCE):
                await self._feeding.put(rows[n : n + MOST_AT_ONCE])
        self._held = []
        if self._course.looked_up:
            await self._feeding.join()

    async def _until(self, began: float, since_us: int) -> None:
        if self._course.speed:
            wait = began + since_us / 1e6 / self._course.speed - time.monotonic()
            self._played.behind_s = max(self._played.behind_s, -wait)
            if wait > 0:
                await asyncio.sleep(wait)

    async def _ask(self) -> None:
        played = self._played
        async with Connection(self._course.url) as connection:
            while (asked := await self._asking.get()) is not None:
                body, began = self._course.body(asked), time.perf_counter()
                answer = await self._send(connection, "/invocations", body, f"X-Request-Id: {asked.id}\r\n")
                played.requests[answer.status] += 1
                if answer.status == 200:
                    played.latencies_s.append(time.perf_counter() - began)
                    played.in_a_row = 0
                else:
                    played.in_a_row += 1
                    self._unanswered.add(asked.id)
                    self._note(answer)
                self._open.pop(asked.id).set()

    async def _feed(self) -> None:
        """One body after the other; outcomes that wait together go together."""
        async with Connection(self._course.url) as connection:
            ended = False
            while not ended:
                waiting = [await self._feeding.get()]
                while not self._feeding.empty() and len(waiting) < MOST_AT_ONCE:
                    waiting.append(self._feeding.get_nowait())
                ended = waiting[-1] is None
                await self._mature(connection, [moment for moment in waiting if isinstance(moment, Matured)])
                for rows in waiting:
                    if isinstance(rows, list):
                        await self._tell(connection, rows)
                for _ in waiting:
                    self._feeding.task_done()

    async def _tell(self, connection: Connection, rows: list[Told]) -> None:
        body = {"table": rows[0].table, "rows": [told.values for told in rows], "arrived": _iso(rows[0].at_us)}
        answer = await self._send(connection, "/events", msgspec.json.encode(body), self._course.feeder)
        self._count(self._played.events, answer, len(rows))

    async def _mature(self, connection: Connection, batch: list[Matured]) -> None:
        for matured in batch:
            if matured.id in self._open:
                await self._open[matured.id].wait()
        known = [m for m in batch if m.id not in self._unanswered]
        if len(known) < len(batch):
            self._played.outcomes["without an answer"] += len(batch) - len(known)
        if known:
            items = [{"id": m.id, "label": m.label, "known_at": _iso(m.known_us)} for m in known]
            answer = await self._send(connection, "/outcomes", msgspec.json.encode(items), self._course.feeder)
            self._count(self._played.outcomes, answer, len(known))

    def _count(self, counts: "Counter[str]", answer: Answer, sent: int) -> None:
        if answer.status == 200:
            counts.update(each["status"] for each in msgspec.json.decode(answer.body)["items"])
        else:
            counts["failed"] += sent
            self._note(answer)

    async def _send(self, connection: Connection, path: str, body: bytes, headers: str) -> Answer:
        wait = FIRST_WAIT_S
        for last in (n == TRIES - 1 for n in range(TRIES)):
            try:
                answer = await connection.post(path, body, headers)
            except LostError as lost:
                answer = Answer(GONE, f"no answer: {lost}".encode())
            if last or answer.status not in (GONE, 503):
                return answer
            self._played.sent_again += 1
            await asyncio.sleep(max(wait, answer.retry_after))
            wait *= 2
        raise AssertionError("the last try returns")

    def _note(self, answer: Answer) -> None:
        said = answer.body[:400].decode("utf-8", "replace")
        self._played.said = self._played.said or (f"{answer.status} {said}" if answer.status else said)


def _iso(at_us: int) -> str:
    return instant(at_us).isoformat()
