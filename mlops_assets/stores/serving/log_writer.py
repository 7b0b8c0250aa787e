"""The writer of the prediction log: one thread, group commits. Whoever hands records in is told when they are on disk.

Another one has no thread and writes at once: for a replay, whose order must not vary.

Whatever waits goes into one transaction. A transaction that fails fails exactly the records that were in it, whole; the
next one opens a new session. It knows no rule of serving.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

from mlops_assets.declare.errors import DataError, MlopsError
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.log_records import Outcome, Record, checked
from mlops_assets.stores.serving.log_session import Place, Session
from mlops_assets.stores.serving.log_transaction import Transaction

MOST_WAITING = 20_000  # rows; a gateway that has as many unwritten answers turns new requests away
MOST_TOGETHER = 2_000  # rows of one transaction, which takes some 20 ms
Outcomes = list[Outcome]
_AsyncFuture = asyncio.Future[Outcomes]


class Full(Unavailable):
    """So many records wait to be written that no more are taken in."""


class _Waiting(NamedTuple):
    records: Sequence[Record]
    future: "Future[Outcomes] | _AsyncFuture"


class Writer:
    """The writer of one log; its thread starts with the first records. Safe to use from any thread or event loop."""

    def __init__(self, place: Place, *, most_waiting: int = MOST_WAITING) -> None:
        self._place, self._most = place, most_waiting
        self._session: Session | None = None
        self._waiting: deque[_Waiting] = deque()
        self._rows, self._closed = 0, False
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._begun: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return self._rows

    def put(self, records: Sequence[Record]) -> "Future[Outcomes]":
        """Hand records in; the future holds the outcome of each once they are on disk, or raises Unavailable.

        Raises Full when too many wait, DataError for a record that may not be written; then none was taken in.
        """
        future: Future[Outcomes] = Future()
        future.set_running_or_notify_cancel()  # what is handed in is written
        self._take(records, future)
        return future

    async def write(self, records: Sequence[Record]) -> Outcomes:
        """The same for an event loop: returns when they are on disk. One that is cancelled is written all the same."""
        future: _AsyncFuture = asyncio.get_running_loop().create_future()
        self._take(records, future)
        return await future

    def close(self) -> None:
        """Write what waits, then stop. What is handed in afterwards is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _take(self, records: Sequence[Record], future: "Future[Outcomes] | _AsyncFuture") -> None:
        records = checked(records)
        with self._changed:
            if self._closed:
                raise Unavailable(f"{self._place.name} is closed.")
            if self._rows + len(records) > self._most:
                raise Full(f"{self._place.name}: {self._rows} records wait to be written, at most {self._most} may.")
            self._rows += len(records)
            self._waiting.append(_Waiting(records, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="prediction log", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _work(self) -> None:
        while group := self._next():
            _tell(self._written(group))
            with self._changed:
                self._rows -= sum(len(one.records) for one in group)
        if self._session is not None:
            self._session.close()

    def _next(self) -> list[_Waiting]:
        """Whatever waits, as far as one transaction takes it; nothing when it is time to stop."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            group: list[_Waiting] = []
            rows = 0
            while self._waiting and (not group or rows + len(self._waiting[0].records) <= MOST_TOGETHER):
                group.append(self._waiting.popleft())
                rows += len(group[-1].records)
            return group

    def _written(self, group: list[_Waiting]) -> list[tuple[_Waiting, Outcomes | Exception]]:
        try:
            outcomes = iter(self._commit([record for one in group for record in one.records]))
            return [(one, [next(outcomes) for _ in one.records]) for one in group]
        except MlopsError as error:
            return [(one, error) for one in group]
        except Exception as error:
            if len(group) == 1:
                wrong = DataError(f"{self._place.name}: a record cannot be written ({error!r}): correct the caller.")
                wrong.__cause__ = error
                return [(group[0], wrong)]
            return [told for one in group for told in self._written([one])]  # only the one with the fault fails

    def _commit(self, records: list[Record]) -> Outcomes:
        """The outcome of each record, in their order, after the commit."""
        fresh = self._session is None
        try:
            return self._commit_once(records)
        except Unavailable:
            if fresh or not self._place.reconnects:
                raise
        return self._commit_once(records)  # the server may be another than the one of the last commit

    def _commit_once(self, records: list[Record]) -> Outcomes:
        if self._session is None:
            self._session = self._place.session()
        session = self._session
        try:
            session.begin(alone=True)
            transaction = Transaction(session, records, self._begun)
            outcomes = transaction.written()
            session.commit()
        except MlopsError:
            session.close()
            self._session, self._begun = None, set()  # the next may be of another file
            raise
        except BaseException:
            session.rollback()
            raise
        self._begun |= transaction.begins
        return outcomes


class StraightWriter(Writer):
    """A writer without a thread: records are in the log when `put` and `write` return. For one thread."""

    def close(self) -> None:
        """Stop. What is handed in afterwards is refused."""
        self._closed = True
        if self._session is not None:
            self._session.close()

    def _take(self, records: Sequence[Record], future: "Future[Outcomes] | _AsyncFuture") -> None:
        if self._closed:
            raise Unavailable(f"{self._place.name} is closed.")
        written = self._written([_Waiting(checked(records), future)])
        _resolve([(one.future, result) for one, result in written])


def _tell(told: list[tuple[_Waiting, Outcomes | Exception]]) -> None:
    """Resolve the futures: those of threads at once, those of an event loop in one call to it."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[_AsyncFuture, Outcomes | Exception]]] = {}
    for one, result in told:
        if isinstance(one.future, Future):
            _resolve([(one.future, result)])
        else:
            of_loop.setdefault(one.future.get_loop(), []).append((one.future, result))
    for loop, futures in of_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(futures: "Sequence[tuple[Future[Outcomes] | _AsyncFuture, Outcomes | Exception]]") -> None:
    for future, result in futures:
        if future.done():  # whoever waited gave up
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
