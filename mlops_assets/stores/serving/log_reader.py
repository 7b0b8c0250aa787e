"""What the prediction log says, in the order in which it was written: for the controller, the status page, a trace.

Here belongs reading. Whoever reads twice, in chunks of another size, or from another process is told the same sequence.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from mlops_assets.core.online.ordered import moment
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.log_places import Place, Row, Session
from mlops_assets.stores.serving.log_records import Answered, Labelled, check_id
from mlops_assets.stores.serving.log_tables import LAST

MOST_RECENT = 10_000  # so many of the last records `recent` and `failed` look at
_A_MONDAY = date(1970, 1, 5)
_DAY = timedelta(days=1)
_OF_ANSWER = "p.rollout, p.epoch, p.share, p.assigned, p.version, p.champion, p.challenger, p.as_of_us, p.score"
# what of a row came with a smaller number; the one with the largest completes it
_ANSWERS = f"""
SELECT p.n, 'answered', {_OF_ANSWER}, p.challenger_bad, p.bad, m.version, m.arm, m.score, m.bad, l.label
FROM prediction p LEFT JOIN mirrored m ON m.id = p.id AND m.n < p.n LEFT JOIN label l ON l.id = p.id AND l.n < p.n
WHERE p.n > ? AND p.n <= ?"""  # noqa: S608  columns of ours
_MIRRORED = f"""
SELECT m.n, 'mirrored', {_OF_ANSWER}, '', '', m.version, m.arm, m.score, m.bad, l.label
FROM mirrored m LEFT JOIN prediction p ON p.id = m.id AND p.n < m.n LEFT JOIN label l ON l.id = m.id AND l.n < m.n
WHERE m.n > ? AND m.n <= ?"""  # noqa: S608
_LABELS = f"""
SELECT l.n, 'label', {_OF_ANSWER}, '', '', m.version, m.arm, m.score, m.bad, l.label
FROM label l LEFT JOIN prediction p ON p.id = l.id AND p.n < l.n LEFT JOIN mirrored m ON m.id = l.id AND m.n < l.n
WHERE l.n > ? AND l.n <= ?"""  # noqa: S608
_NUMBERS = [
    f"SELECT n FROM {table} WHERE n > ? ORDER BY n LIMIT ?"  # noqa: S608
    for table in ("prediction", "mirrored", "label")
]
STATEMENTS = (_ANSWERS, _MIRRORED, _LABELS)
_FIELDS = ", ".join("row_of" if name == "row" else name for name in Answered.__struct_fields__)
Got = TypeVar("Got")


class Batch(NamedTuple):
    """The next records of the log, as the judge wants them.

    `seen` and `pairs` are those of the rollout that was asked for, in the order of the log; `exposed` of its answers
    came from the challenger. `rows` records were read, those of other rollouts too; `cursor` goes on after them.
    """

    seen: list[Seen]
    pairs: list[Pair]
    cursor: int
    exposed: int
    rows: int


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

        def ask(session: Session) -> tuple[list[Row], int]:
            last = _last(session)
            after = cursor if cursor is not None else _start(session, rollout)
            if after > last:
                raise DamagedError(
                    f"{self._place.name} ends at record {last}, before record {after} that was read from it: it was "
                    "replaced; put the former one back."
                )
            numbers = sorted(n for sql in _NUMBERS for (n,) in session.rows(sql, [after, limit]))
            ends = int(numbers[limit - 1]) if len(numbers) >= limit else last
            rows = [row for sql in STATEMENTS for row in session.rows(sql, [after, ends])]
            return sorted(rows, key=lambda row: int(row[0])), ends

        rows, ended = self._reading(ask)
        seen: list[Seen] = []
        pairs: list[Pair] = []
        exposed = 0
        for row in rows:
            if row[2] != rollout:  # None where the answer itself is yet to come
                continue
            one = _Row(*row[1:])
            seen += one.seen()
            if (pair := one.pair(lambda as_of_us: self._block(as_of_us, block))) is not None:
                pairs.append(pair)
            exposed += one.is_exposed
        return Batch(seen, pairs, ended, exposed, len(rows))

    def end(self) -> int:
        """The cursor after everything that is there now."""
        return self._reading(_last)

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
        # ';' is the character after ':'
        return self._answers("id = ? OR (id > ? AND id < ?) ORDER BY row_of", [request, f"{request}:", f"{request};"])

    def label_of(self, id: str) -> Labelled | None:
        """The label of that id; None when there is none yet."""
        asked = "SELECT id, label, known_us, arrived_us FROM label WHERE id = ?"
        found = self._reading(lambda session: session.rows(asked, [id]))
        return Labelled(**dict(zip(Labelled.__struct_fields__, found[0], strict=True))) if found else None

    def recent(self, since_us: int) -> list[Recent]:
        """The calls since an instant, by arm and version; of very many the last ones."""

        def ask(session: Session) -> list[Row]:
            after = _last(session) - MOST_RECENT
            return [row for sql in _CALLS for row in session.rows(sql, [after, since_us])]

        groups: dict[tuple[str, int, bool], list[Row]] = {}
        for arm, version, mirrored, *call in self._reading(ask):
            groups.setdefault((arm, version, bool(mirrored)), []).append(tuple(call))
        return [_recent(key, calls) for key, calls in sorted(groups.items())]

    def failed(self, since_us: int) -> dict[int, int]:
        """Status code -> how many requests got it, and no prediction, since an instant; of very many the last ones."""
        asked = "SELECT status_code, count(*) FROM failed WHERE n > ? AND at_us >= ? GROUP BY status_code"
        found = self._reading(lambda session: session.rows(asked, [_last(session) - MOST_RECENT, since_us]))
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

    def _block(self, as_of_us: int, block: timedelta | None) -> str:
        day = moment(as_of_us).astimezone(self._zone).date()
        return (day - (day - _A_MONDAY) % (block or _DAY)).isoformat()

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


class _Row(NamedTuple):
    """One record of the log with what belongs to it and came before it."""

    what: str
    rollout: str
    epoch: int
    share: float
    assigned: str
    version: int
    champion: int
    challenger: int | None
    as_of_us: int
    score: float | None
    challenger_bad: str
    bad: str
    other: int | None
    other_arm: str | None
    other_score: float | None
    other_bad: str | None
    label: float | None

    @property
    def arm(self) -> Arm:
        return Arm.CHALLENGER if self.version == self.challenger else Arm.CHAMPION

    @property
    def is_exposed(self) -> bool:
        return self.what == "answered" and self.arm is Arm.CHALLENGER and self.score is not None

    def seen(self) -> list[Seen]:
        epoch, share, assigned = self.epoch, self.share, Arm(self.assigned)
        found = []
        if self.what == "answered":
            if self.challenger_bad:
                found.append(Seen(epoch, share, assigned, Arm.CHALLENGER, False, _rates(self.challenger_bad)))
            found.append(Seen(epoch, share, assigned, self.arm, False, _rates(self.bad)))
        if self.other is not None and self.what != "label":
            found.append(Seen(epoch, share, assigned, Arm(self.other_arm), True, _rates(self.other_bad or "")))
        return found

    def pair(self, block_of: Callable[[int], str]) -> Pair | None:
        if self.label is None or self.score is None or self.other_score is None:
            return None
        if self.arm is Arm.CHAMPION and self.other == self.challenger:
            champion, challenger = self.score, self.other_score
        elif self.arm is Arm.CHALLENGER and self.other == self.champion:
            champion, challenger = self.other_score, self.score
        else:
            return None
        return Pair(self.epoch, block_of(self.as_of_us), self.label, champion, challenger)


def _start(session: Session, rollout: str) -> int:
    """The cursor before the first record of a rollout; where it has none yet, after everything."""
    found = session.rows("SELECT n FROM began WHERE rollout = ?", [rollout])
    return int(found[0][0]) - 1 if found else _last(session)


def _last(session: Session) -> int:
    """The largest number that was given."""
    return int(max(session.rows(LAST)[0]))


@lru_cache(maxsize=256)
def _rates(bad: str) -> frozenset[str]:
    return frozenset(bad.split(",")) if bad else frozenset()


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
    bad = Counter(rate for call in calls for rate in _rates(call[0]))
    latencies = sorted(int(call[1]) for call in calls if call[1] is not None) or [0]
    last = max(int(call[2]) for call in calls)
    p50, p99 = (latencies[min(len(latencies) - 1, int(share * len(latencies)))] for share in (0.5, 0.99))
    return Recent(arm, version, mirrored, len(calls), dict(sorted(bad.items())), p50, p99, last)
