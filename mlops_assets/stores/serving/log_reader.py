"""What the prediction log says, in the order in which it was written: for the controller, the status page, a trace.

Here belongs reading. Whoever reads twice, in chunks of another size, or from another process is told the same sequence.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.log_records import Answered, Labelled, check_id
from mlops_assets.stores.serving.log_sequence import Batch, Chunk, batch, chunk, last_number, rates, start
from mlops_assets.stores.serving.log_session import Place, Row, Session

MOST_RECENT = 10_000  # so many of the last records `recent` and `failed` look at
_FIELDS = ", ".join("row_of" if name == "row" else name for name in Answered.__struct_fields__)
Got = TypeVar("Got")


class Recent(NamedTuple):
    """The last calls of one model in one arm: how many, how many of them bad, how long they took, when the last was."""

    arm: str
    version: int
    mirrored: bool
    calls: int
    bad: dict[str, int]
    p50_us: int
    p99_us: int
    last_us: int


class Reader:
    """The reader of one log. Safe to use from several threads; they take turns."""

    def __init__(self, place: Place, timezone: str) -> None:
        self._place, self._zone = place, ZoneInfo(timezone)
        self._session: Session | None = None
        self._turn = threading.Lock()

    def since(self, cursor: int | None, limit: int, *, rollout: str, block: timedelta | None) -> Batch:
        """At most `limit` records after the cursor (None: from the rollout's first on).

        Every answered row gives a Seen for the model that was called, after one for a challenger that failed first;
        every mirrored row one. A labelled row that both models answered gives one Pair, where the last of the three
        came; its block is counted in spans of `block` from a Monday (None: the day). Raises Unavailable.
        """

        def ask(session: Session) -> Chunk:
            last = last_number(session)
            after = cursor if cursor is not None else start(session, rollout)
            if after > last:
                raise DamagedError(
                    f"{self._place.name} ends at record {last}, before record {after} that was read from it: it was "
                    "replaced; put the former one back."
                )
            return chunk(session, after, limit, last)

        return batch(self._reading(ask), rollout, block, self._zone)

    def end(self) -> int:
        """The cursor after everything that is there now."""
        return self._reading(last_number)

    def exposed(self, rollout: str) -> int:
        """How many answers users got from the challenger of a rollout."""
        asked = "SELECT count(*) FROM prediction WHERE rollout = ? AND version = challenger AND score IS NOT NULL"
        return int(self._reading(lambda session: session.rows(asked, [rollout]))[0][0])

    def answered(self, id: str) -> Answered | None:
        """The answer of that id; None when there is none."""
        found = self._answers("id = ?", [check_id("id", id)])
        return found[0] if found else None

    def of_request(self, request: str) -> list[Answered]:
        """The answers to the rows of a request, in the order of its rows."""
        check_id("request", request)
        # ';' is the character after ':'; another request may be called like a row of this one
        mine = "(id = ? OR (id > ? AND id < ?)) AND request = ? ORDER BY row_of"
        return self._answers(mine, [request, f"{request}:", f"{request};", request])

    def label_of(self, id: str) -> Labelled | None:
        """The label of that id; None when there is none yet."""
        asked = "SELECT id, label, known_us, arrived_us FROM label WHERE id = ?"
        found = self._reading(lambda session: session.rows(asked, [id]))
        return Labelled(**dict(zip(Labelled.__struct_fields__, found[0], strict=True))) if found else None

    def recent(self, since_us: int) -> list[Recent]:
        """The calls since an instant, by arm and version; of very many the last ones."""

        def ask(session: Session) -> list[Row]:
            after = last_number(session) - MOST_RECENT
            return [row for sql in _CALLS for row in session.rows(sql, [after, since_us])]

        groups: dict[tuple[str, int, bool], list[Row]] = {}
        for arm, version, mirrored, *call in self._reading(ask):
            groups.setdefault((arm, version, bool(mirrored)), []).append(tuple(call))
        return [_recent(key, calls) for key, calls in sorted(groups.items())]

    def failed(self, since_us: int) -> dict[int, int]:
        """Status code -> how many requests got it, and no prediction, since an instant; of very many the last ones."""
        asked = "SELECT status_code, count(*) FROM failed WHERE n > ? AND at_us >= ? GROUP BY status_code"
        found = self._reading(lambda session: session.rows(asked, [last_number(session) - MOST_RECENT, since_us]))
        return {int(code): int(count) for code, count in sorted(found)}

    def close(self) -> None:
        with self._turn:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _answers(self, where: str, values: Sequence[Any]) -> list[Answered]:
        asked = f"SELECT {_FIELDS} FROM prediction WHERE {where}"  # noqa: S608  conditions of ours
        names = Answered.__struct_fields__
        return [
            Answered(**dict(zip(names, row, strict=True))) for row in self._reading(lambda s: s.rows(asked, values))
        ]

    def _reading(self, ask: Callable[[Session], Got]) -> Got:
        """Ask within one moment of the log; once more with a new session where a lost one may be the reason."""
        with self._turn:
            fresh = self._session is None
            try:
                return self._once(ask)
            except Unavailable:
                if fresh or not self._place.reconnects:
                    raise
            return self._once(ask)

    def _once(self, ask: Callable[[Session], Got]) -> Got:
        if self._session is None:
            self._session = self._place.session()
        try:
            self._session.begin(alone=False)
            found = ask(self._session)
            self._session.rollback()
        except BaseException:
            self._session.close()
            self._session = None
            raise
        return found


# a challenger that failed before the champion answered took a time that nobody knows
_CALLS = (
    """SELECT CASE WHEN version = challenger THEN 'challenger' ELSE 'champion' END, version, 0, bad, latency_us,
    answered_us FROM prediction WHERE n > ? AND answered_us >= ?""",
    """SELECT 'challenger', challenger, 0, challenger_bad, NULL, answered_us
    FROM prediction WHERE n > ? AND answered_us >= ? AND challenger_bad <> ''""",
    "SELECT arm, version, 1, bad, latency_us, at_us FROM mirrored WHERE n > ? AND at_us >= ?",
)


def _recent(key: tuple[str, int, bool], calls: list[Row]) -> Recent:
    arm, version, mirrored = key
    bad = Counter(rate for call in calls for rate in rates(call[0]))
    latencies = sorted(int(call[1]) for call in calls if call[1] is not None) or [0]
    last = max(int(call[2]) for call in calls)
    p50, p99 = (latencies[min(len(latencies) - 1, int(share * len(latencies)))] for share in (0.5, 0.99))
    return Recent(arm, version, mirrored, len(calls), dict(sorted(bad.items())), p50, p99, last)
