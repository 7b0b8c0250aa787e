"""The prediction log as one sequence: what the judge sees of each record, in the order of the commits.

An answer, the other arm's answer and the label of one id complete each other at the largest of their numbers, whichever
came last. So the sequence is the same for whoever reads it, in chunks of any size.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mlops_assets.core.online.ordered import moment
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.stores.serving.log_records import BESIDE
from mlops_assets.stores.serving.log_session import Row, Session
from mlops_assets.stores.serving.log_tables import LAST

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


class Chunk(NamedTuple):
    """The next records, and the number after which it goes on."""

    rows: list[Row]
    ends: int


def chunk(session: Session, after: int, limit: int, last: int) -> Chunk:
    """At most `limit` records with numbers above `after`; `last` is the largest there is. Within a transaction."""
    numbers = sorted(n for sql in _NUMBERS for (n,) in session.rows(sql, [after, limit]))
    ends = int(numbers[limit - 1]) if len(numbers) >= limit else last
    rows = [row for sql in STATEMENTS for row in session.rows(sql, [after, ends])]
    return Chunk(sorted(rows, key=lambda row: int(row[0])), ends)


def batch(read: Chunk, rollout: str, block: timedelta | None, zone: ZoneInfo) -> Batch:
    """What the judge sees of a chunk."""
    seen: list[Seen] = []
    pairs: list[Pair] = []
    exposed = 0
    for row in read.rows:
        if row[2] != rollout:  # None where the answer itself is yet to come
            continue
        one = _Row(*row[1:])
        seen += one.seen()
        if (pair := one.pair(lambda as_of_us: block_of(as_of_us, block, zone))) is not None:
            pairs.append(pair)
        exposed += one.is_exposed
    return Batch(seen, pairs, read.ends, exposed, len(read.rows))


def block_of(as_of_us: int, block: timedelta | None, zone: ZoneInfo) -> str:
    """The first day of the block an instant lies in; blocks are counted from a Monday, as `Promotion.block_of` does.

    >>> block_of(1_372_838_400_000_000, timedelta(days=7), ZoneInfo("America/New_York"))
    '2013-07-01'
    """
    day = moment(as_of_us).astimezone(zone).date()
    return (day - (day - _A_MONDAY) % (block or _DAY)).isoformat()


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
                found.append(Seen(epoch, share, assigned, Arm.CHALLENGER, False, *_of_call(self.challenger_bad)))
            found.append(Seen(epoch, share, assigned, self.arm, False, *_of_call(self.bad)))
        if self.other is not None and self.what != "label":
            found.append(Seen(epoch, share, assigned, Arm(self.other_arm), True, *_of_call(self.other_bad or "")))
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


def start(session: Session, rollout: str) -> int:
    """The cursor before the first record of a rollout; where it has none yet, after everything."""
    found = session.rows("SELECT n FROM began WHERE rollout = ?", [rollout])
    return int(found[0][0]) - 1 if found else last_number(session)


def last_number(session: Session) -> int:
    """The largest number that was given."""
    return int(max(session.rows(LAST)[0]))


@lru_cache(maxsize=256)
def rates(bad: str) -> frozenset[str]:
    """The rates of a comma list; none of `BESIDE`, whose call another row stands for."""
    return frozenset(bad.split(",")) if bad and bad != BESIDE else frozenset()


def _of_call(bad: str) -> tuple[frozenset[str], bool]:
    return rates(bad), bad == BESIDE
