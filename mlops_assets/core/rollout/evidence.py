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
from typing import Any

from mlops_assets.core.rollout.counts import Calls, Sums
from mlops_assets.core.rollout.engines.betting import Bet
from mlops_assets.core.rollout.losses import MOST, loss_of
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import RATES, RolloutPlan

_PARTS = 20  # losses are summed in units of 2^-20 of the margin: a millionth of what matters
_LARGEST = 2.0**200  # of a loss in these units; beyond lies no answer, and squares that no float holds


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence of one rollout; immutable.

    `calls` by the challenger's share, since the stage was entered: at 0 the champion's answers and the challenger's
    shadow, at 1 the reverse, between them the answers by the arm that the request belonged to. `sums` by block, since
    the rollout began ("" where outcomes are independent). `bets`: where outcomes are independent and their loss is
    bounded, that the challenger's loss is below the margin, and that it is not above the champion's. `unusable` counts
    pairs that are none: a label or an answer that is no number, or outside its range, or absurdly large.

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
        loss_of(quality.loss, task)
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
            share = _share(call.share)
            if unknown := call.bad - frozenset(RATES):
                raise DataError(
                    f"a call was bad by {sorted(unknown)}, must be of {RATES}: the log is not of this plan."
                )
            if _counts(call):
                calls[share] = calls.get(share, Calls()).after(call, times)
        return replace(self, calls=_sorted(calls))

    def _paired(self, pairs: Sequence[Pair]) -> "Evidence":
        sums, bets, unusable, unit = dict(self.sums), self.bets, self.unusable, self.unit
        loss = loss_of(self.loss, self.task)
        for pair in pairs:
            champion, challenger = loss(pair.label, pair.champion), loss(pair.label, pair.challenger)
            if champion is None or challenger is None or (champion + challenger) / unit > _LARGEST:
                unusable += 1
                continue
            block = self._block(pair.block)
            sums[block] = sums.get(block, Sums()).after(round(champion / unit), round(challenger / unit))
            if bets:
                most = MOST[self.loss]
                x = (1 + (min(challenger, most) - min(champion, most)) / most) / 2
                bets = (bets[0].after(x), bets[1].after(1 - x))
        return replace(self, sums=_sorted(sums), bets=bets, unusable=unusable)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            **self._terms(),
            "calls": [[share, *calls.to_json()] for share, calls in self.calls.items()],
            "sums": [[block, *sums.to_json()] for block, sums in self.sums.items()],
            "bets": [bet.to_json() for bet in self.bets],
            "unusable": self.unusable,
        }

    @classmethod
    def from_json(cls, plan: RolloutPlan, task: Task, stored: Mapping[str, Any]) -> "Evidence":
        """What `to_json` wrote, bit for bit. Raises DataError when it is not of this plan, or not readable."""
        fresh = cls.start(plan, task)
        try:
            for name, value in fresh._terms().items():
                if stored[name] != value:
                    raise DataError(f"stored evidence has {name} == {stored[name]!r}, the plan {value!r}: not its own.")
            calls = {_share(share): Calls.of(*numbers) for share, *numbers in stored["calls"]}
            sums = {fresh._block(block): Sums.of(*numbers) for block, *numbers in stored["sums"]}
            bets = tuple(bet.at(*numbers) for bet, numbers in zip(fresh.bets, stored["bets"], strict=True))
            if (unusable := int(stored["unusable"])) < 0:
                raise DataError(f"stored evidence has {unusable} unusable pairs, must be 0 or more.")
        except (KeyError, TypeError, ValueError) as odd:
            raise DataError(f"stored evidence cannot be read ({odd}): fold the prediction log again.") from odd
        return replace(fresh, calls=_sorted(calls), sums=_sorted(sums), bets=bets, unusable=unusable)

    def _terms(self) -> dict[str, Any]:
        return {"task": self.task.value, "loss": self.loss, "margin": self.margin, "blocked": self.blocked}

    def _block(self, day: str) -> str:
        return _day(day) if self.blocked else ""


def _sorted(records: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType({key: records[key] for key in sorted(records)})


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise DataError(f"a call was logged at share == {share}, must lie in [0, 1]: the log is damaged.")
    return share


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
