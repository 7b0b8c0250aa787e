"""The numbers that evidence is made of: calls by share, pairs by block. All are whole, so they add up in any order.

Here belong the two records, how they grow, and what no counting can have come to; which calls and pairs count is
`evidence.py`'s business.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mlops_assets.core.rollout.words import Arm, Seen
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.rollout import RATES


class Calls(NamedTuple):
    """Calls of both arms under one share, how many of them were bad, by rate in the order of `RATES`, and their rows.

    A call is one event, however many rows it has: what fails or stalls, fails or stalls for all of them.
    """

    champion: int = 0
    challenger: int = 0
    champion_bad: tuple[int, ...] = (0,) * len(RATES)
    challenger_bad: tuple[int, ...] = (0,) * len(RATES)
    champion_rows: int = 0
    challenger_rows: int = 0

    def after(self, call: Seen, times: int) -> "Calls":
        """With the same row so many times more."""
        calls = 0 if call.beside else times
        bad = tuple(calls * (rate in call.bad) for rate in RATES)
        if call.arm is Arm.CHAMPION:
            return self._replace(
                champion=self.champion + calls,
                champion_bad=_added(self.champion_bad, bad),
                champion_rows=self.champion_rows + times,
            )
        return self._replace(
            challenger=self.challenger + calls,
            challenger_bad=_added(self.challenger_bad, bad),
            challenger_rows=self.challenger_rows + times,
        )

    def to_json(self) -> list[int | list[int]]:
        """The same as JSON values."""
        return [list(part) if isinstance(part, tuple) else part for part in self]

    @classmethod
    def of(
        cls,
        champion: int,
        challenger: int,
        champion_bad: Sequence[int],
        challenger_bad: Sequence[int],
        champion_rows: int | None = None,
        challenger_rows: int | None = None,
    ) -> "Calls":
        """What `to_json` wrote; once a call had one row. Raises DataError for numbers that no counting comes to."""
        champion_rows = champion if champion_rows is None else champion_rows
        challenger_rows = challenger if challenger_rows is None else challenger_rows
        for calls, bad, rows in (
            (champion, champion_bad, champion_rows),
            (challenger, challenger_bad, challenger_rows),
        ):
            if len(bad) != len(RATES) or not all(0 <= _whole(count) <= _whole(calls) for count in bad):
                raise DataError(f"stored evidence counts {list(bad)} bad of {calls} calls, must be {len(RATES)} parts.")
            if _whole(rows) < calls:
                raise DataError(f"stored evidence counts {calls} calls of {rows} rows, must be at least as many.")
        return cls(champion, challenger, tuple(champion_bad), tuple(challenger_bad), champion_rows, challenger_rows)


class Sums(NamedTuple):
    """The pairs of one block: how many, sums of both losses and of the squared difference, and who alone was better.

    Sums are in units of `Evidence.unit` (squares: of its square); `worse` counts the pairs the challenger lost.
    """

    pairs: int = 0
    champion: int = 0
    challenger: int = 0
    squares: int = 0
    worse: int = 0
    better: int = 0

    def after(self, champion: int, challenger: int) -> "Sums":
        """With one more pair of these losses."""
        more = challenger - champion
        return Sums(
            self.pairs + 1,
            self.champion + champion,
            self.challenger + challenger,
            self.squares + more * more,
            self.worse + (more > 0),
            self.better + (more < 0),
        )

    def to_json(self) -> list[str]:
        """The same as JSON values: as text, since a sum may have more digits than a JSON reader keeps."""
        return list(map(str, self))

    @classmethod
    def of(cls, *texts: str) -> "Sums":
        """What `to_json` wrote. Raises DataError for numbers that no counting comes to."""
        made = cls(*map(int, texts))
        if min(made) < 0 or made.pairs < 1 or made.worse + made.better > made.pairs:
            raise DataError(f"stored evidence sums a block up to {tuple(made)}, which no pairs come to.")
        return made


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int.__add__, one, other))


def _whole(count: object) -> int:
    if type(count) is not int:
        raise DataError(f"stored evidence holds {count!r}, must be a whole number.")
    return count
