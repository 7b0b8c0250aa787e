"""What has been seen of a rollout so far, in numbers that add up: the same whatever the portions it came in.

Here belongs counting; what the counts mean is `judge.py`'s business. Nothing of a request is kept. All sums are whole
numbers (losses in parts of the declared margin), so neither order nor portions change a bit; only the bets on
independent outcomes depend on the order of the pairs, which is the log's.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from mlops_assets.core.rollout.engines.betting import Bet
from mlops_assets.core.rollout.losses import MOST, loss_of
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import LOSSES_OF, RATES, RolloutPlan

_PARTS = 20  # losses are summed in units of 2^-20 of the margin: a millionth of what matters


class Calls(NamedTuple):
    """Calls of both arms under one share, and how many of them were bad, by rate in the order of `RATES`."""

    champion: int = 0
    challenger: int = 0
    champion_bad: tuple[int, ...] = (0,) * len(RATES)
    challenger_bad: tuple[int, ...] = (0,) * len(RATES)


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


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence of one rollout; immutable.

    `calls` by the challenger's share, since the stage was entered: at 0 the champion's answers and the challenger's
    shadow, at 1 the reverse, between them the answers by the arm that the request belonged to. `sums` by block, since
    the rollout began ("" where outcomes are independent). `bets`: where outcomes are independent and their loss is
    bounded, that the challenger's loss is below the margin, and that it is not above the champion's. `unusable` counts
    pairs that are none: a label or an answer that is no number, or outside its range.

    >>> from mlops_assets.declare.rollout import Quality
    >>> plan = RolloutPlan(quality=Quality(loss="brier", margin=0.01))
    >>> shadow = Seen(1, 0.0, Arm.CHAMPION, Arm.CHALLENGER, True, frozenset({"slow"}))
    >>> Evidence.start(plan, Task.CLASSIFICATION).fold([shadow], []).calls[0.0].challenger_bad
    (0, 1, 0)
    """

    task: Task
    loss: str
    margin: float
    blocked: bool
    calls: Mapping[float, Calls]
    sums: Mapping[str, Sums]
    bets: tuple[Bet, ...]
    unusable: int

    @classmethod
    def start(cls, plan: RolloutPlan, task: Task) -> "Evidence":
        """Nothing seen yet. Raises DataError when the plan's loss is none of the task's."""
        quality = plan.quality
        if quality.loss not in LOSSES_OF[task]:
            raise DataError(f"quality.loss == {quality.loss!r}, must be one of {LOSSES_OF[task]} for a {task.value}.")
        bets: tuple[Bet, ...] = ()
        if quality.block is None and (most := MOST.get(quality.loss)) is not None:
            # x = (1 + difference / most) / 2 for "below the margin", and its mirror image for "not above 0"
            below = min((1 + quality.margin / most) / 2, 1.0)
            bets = (Bet(bound=below, alpha=quality.alpha), Bet(bound=0.5, alpha=quality.alpha))
        return cls(
            task=task,
            loss=quality.loss,
            margin=quality.margin,
            blocked=quality.block is not None,
            calls=MappingProxyType({}),
            sums=MappingProxyType({}),
            bets=bets,
            unusable=0,
        )

    @property
    def unit(self) -> float:
        """What a sum of losses is counted in: a power of two, at most 2^-20 of the margin."""
        return math.ldexp(1.0, math.frexp(self.margin)[1] - 1 - _PARTS)

    def entered(self) -> "Evidence":
        """The same at the begin of a stage or step: calls are counted anew, quality goes on."""
        return replace(self, calls=MappingProxyType({}))

    def fold(self, seen: Sequence[Seen], pairs: Sequence[Pair]) -> "Evidence":
        """With what was seen since, in the order of the log: fold(a + b) is fold(a), then fold(b), bit for bit.

        Counts each call once: where users are split, the call of the arm that the request was assigned to (an answer of
        the champion for a challenger that failed is no call of its own). Raises DataError for a share outside [0, 1] or
        an unknown rate; then nothing is counted.
        """
        return self._called(seen)._paired(pairs) if seen or pairs else self

    def _called(self, seen: Sequence[Seen]) -> "Evidence":
        calls = dict(self.calls)
        for call, times in Counter(seen).items():
            if not 0 <= call.share <= 1:
                raise DataError(f"a call was logged at share == {call.share}, must lie in [0, 1]: the log is damaged.")
            if unknown := call.bad - frozenset(RATES):
                raise DataError(
                    f"a call was bad by {sorted(unknown)}, must be of {RATES}: the log is not of this plan."
                )
            if _counts(call):
                calls[call.share] = _after(calls.get(call.share, Calls()), call, times)
        return replace(self, calls=MappingProxyType({share: calls[share] for share in sorted(calls)}))

    def _paired(self, pairs: Sequence[Pair]) -> "Evidence":
        sums, bets, unusable, unit = dict(self.sums), self.bets, self.unusable, self.unit
        for pair in pairs:
            champion = loss_of(self.loss, self.task, pair.label, pair.champion)
            challenger = loss_of(self.loss, self.task, pair.label, pair.challenger)
            if champion is None or challenger is None:
                unusable += 1
                continue
            block = _day(pair.block) if self.blocked else ""
            sums[block] = _summed(sums.get(block, Sums()), round(champion / unit), round(challenger / unit))
            if bets:
                most = MOST[self.loss]
                x = (1 + (min(challenger, most) - min(champion, most)) / most) / 2
                bets = (bets[0].after(x), bets[1].after(1 - x))
        ordered = MappingProxyType({block: sums[block] for block in sorted(sums)})
        return replace(self, sums=ordered, bets=bets, unusable=unusable)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; sums as text, since they may have more digits than a JSON reader keeps."""
        return {
            "task": self.task.value,
            "loss": self.loss,
            "margin": self.margin,
            "blocked": self.blocked,
            "calls": [[share, *(list(v) if isinstance(v, tuple) else v for v in c)] for share, c in self.calls.items()],
            "sums": [[block, *map(str, sums)] for block, sums in self.sums.items()],
            "bets": [bet.to_json() for bet in self.bets],
            "unusable": self.unusable,
        }

    @classmethod
    def from_json(cls, plan: RolloutPlan, task: Task, stored: Mapping[str, Any]) -> "Evidence":
        """What `to_json` wrote, bit for bit. Raises DataError when it is not of this plan, or not readable."""
        fresh = cls.start(plan, task)
        try:
            for name, value in (("task", task.value), ("loss", fresh.loss), ("margin", fresh.margin),
                                ("blocked", fresh.blocked)):  # fmt: skip
                if stored[name] != value:
                    raise DataError(f"stored evidence has {name} == {stored[name]!r}, the plan {value!r}: not its own.")
            calls = {
                share: Calls(champion, challenger, tuple(one), tuple(other))
                for share, champion, challenger, one, other in stored["calls"]
            }
            sums = {block: Sums(*map(int, numbers)) for block, *numbers in stored["sums"]}
            bets = tuple(bet.at(*numbers) for bet, numbers in zip(fresh.bets, stored["bets"], strict=True))
            return replace(fresh, calls=MappingProxyType(calls), sums=MappingProxyType(sums), bets=bets,
                           unusable=int(stored["unusable"]))  # fmt: skip
        except (KeyError, TypeError, ValueError) as odd:
            if isinstance(odd, DataError):
                raise
            raise DataError(f"stored evidence cannot be read ({odd!r}): fold the prediction log again.") from odd


@lru_cache(maxsize=64)
def _day(block: str) -> str:
    """The block, which must be a day; `DataError` for anything else."""
    try:
        return date.fromisoformat(block).isoformat()
    except ValueError as odd:
        raise DataError(f"a pair is of block {block!r}, must be an ISO date: the log is damaged.") from odd


def _counts(call: Seen) -> bool:
    """True for the calls that are compared: see `Evidence`."""
    if call.share == 0:
        return call.mirrored == (call.arm is Arm.CHALLENGER)
    if call.share == 1:
        return call.mirrored == (call.arm is Arm.CHAMPION)
    return not call.mirrored and call.arm is call.assigned


def _after(calls: Calls, call: Seen, times: int) -> Calls:
    bad = tuple(times * (rate in call.bad) for rate in RATES)
    if call.arm is Arm.CHAMPION:
        more = tuple(map(int.__add__, calls.champion_bad, bad))
        return calls._replace(champion=calls.champion + times, champion_bad=more)
    more = tuple(map(int.__add__, calls.challenger_bad, bad))
    return calls._replace(challenger=calls.challenger + times, challenger_bad=more)


def _summed(sums: Sums, champion: int, challenger: int) -> Sums:
    more = challenger - champion
    return Sums(
        sums.pairs + 1,
        sums.champion + champion,
        sums.challenger + challenger,
        sums.squares + more * more,
        sums.worse + (more > 0),
        sums.better + (more < 0),
    )
