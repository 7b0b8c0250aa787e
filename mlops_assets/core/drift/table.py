"""The verdict of a whole window: from columns to ACT, WATCH, QUIET or INCONCLUSIVE.

Completeness first, then every column at one false discovery rate, then the importance of what drifted. Knows how to
judge, not how to measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DataError


class TableVerdict(Enum):
    """What the window asks for. Only ACT may lead to a retrain; INCONCLUSIVE is a freshness warning."""

    ACT = "ACT"
    WATCH = "WATCH"
    QUIET = "QUIET"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """How much of the window has arrived: days that have rows, of the days a full window has. Raises DataError.

    >>> Completeness(days_with_rows=2, days=7).share
    0.2857142857142857
    """

    days_with_rows: int
    days: int

    def __post_init__(self) -> None:
        if not 0 <= self.days_with_rows <= self.days or self.days < 1:
            raise DataError(
                f"window: {self.days_with_rows} of {self.days} days have rows, must be 0 .. days, days >= 1: "
                "count the days of one full window."
            )

    @property
    def share(self) -> float:
        """0 .. 1."""
        return self.days_with_rows / self.days


@dataclass(frozen=True, kw_only=True)
class Judgeable:
    """What the table's rule needs of one column. `weight`: its share of the importance, 0 .. 1.

    `watch`: the column is past its watch level; `prediction`: it is the model's own score; `fault`: its feed is broken.
    """

    name: str
    verdict: Verdict
    watch: bool
    weight: float
    stable: bool = False
    critical: bool = False
    prediction: bool = False
    fault: bool = False


@dataclass(frozen=True)
class Judgement:
    """`score`: importance (0 .. 1) of the columns that drifted; `reasons`: one sentence each, `sentence`: all."""

    verdict: TableVerdict
    score: float
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it in one line, the verdict first."""
        return f"{self.verdict.value}: {'; '.join(self.reasons)}."

    def with_reason(self, reason: str) -> "Judgement":
        """The same verdict with one more thing to know."""
        return replace(self, reasons=(*self.reasons, reason))


def benjamini_hochberg(p_values: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses fall at a false discovery rate of `level`: the k smallest, the largest k with p <= k level / N.

    Reference: Benjamini and Hochberg (1995).

    >>> benjamini_hochberg([0.01, 0.9, 0.04, 0.03], 0.05)
    [True, False, False, False]
    """
    ordered = sorted(p_values)
    bound = max((p for rank, p in enumerate(ordered, 1) if p <= rank * level / len(ordered)), default=-1.0)
    return [p <= bound for p in p_values]


def shortfall(rows: int, completeness: Completeness, policy: DriftPolicy) -> tuple[str, ...]:
    """Why this window may not be judged at all: one sentence per broken bound, with its likely cause; () if it may.

    >>> shortfall(900, Completeness(days_with_rows=2, days=7), DriftPolicy())
    ('2 of 7 days have rows (0.29), min_completeness is 0.80: a window cut short, or files that have not arrived',)
    """
    short = []
    if rows < policy.min_rows:
        short.append(f"{rows} rows, min_rows is {policy.min_rows}: the window is not over yet, or a feed has stopped")
    if completeness.share < policy.min_completeness:
        short.append(
            f"{completeness.days_with_rows} of {completeness.days} days have rows ({completeness.share:.2f}), "
            f"min_completeness is {policy.min_completeness:.2f}: a window cut short, or files that have not arrived"
        )
    return tuple(short)


def weights_of(importances: Mapping[str, float] | None, names: Sequence[str], prediction: str) -> dict[str, float]:
    """The champion's importances, summing to 1 (None: every column but the score weighs the same).

    A watched column the champion does not use weighs nothing. Raises DataError for a name that is not watched, a
    negative or non-finite importance, or importances that are all zero.

    >>> weights_of({"a": 3.0, "b": 1.0}, ["a", "b", "c", "score"], "score")
    {'a': 0.75, 'b': 0.25, 'c': 0.0, 'score': 0.0}
    """
    given = importances if importances is not None else {name: 1.0 for name in names if name != prediction}
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise DataError(f"importances: {unknown} are not watched, the profile has {list(names)}: watch them.")
    wrong = {name: value for name, value in given.items() if not 0 <= value < float("inf")}
    total = sum(sorted(given.values()))
    if wrong or (given and not total > 0):
        raise DataError(
            f"importances == {wrong or dict(given)}, must be >= 0 and not all 0: pass None to weigh equally."
        )
    return {name: given.get(name, 0.0) / total if total else 0.0 for name in names}


def judge_table(columns: Sequence[Judgeable], policy: DriftPolicy, faults: Sequence[str] = ()) -> Judgement:
    """The window's verdict, coverage being sufficient. `faults`: one sentence per feed fault.

    ACT: the drifted columns carry `table_score` of the importance, or a critical column or the score drifts.
    WATCH: less than that drifted, or columns past their watch level carry `table_score`.
    INCONCLUSIVE: nothing is proven, and the undecided could still make it ACT. Else QUIET.
    Stable columns and columns in a fault never count. With a fault it is WATCH and no more: what a broken feed did to
    the other columns and to the score cannot be told from the world.
    """
    moving = [column for column in columns if not (column.stable or column.fault)]
    drifted = [column for column in moving if column.verdict is Verdict.DRIFT]
    undecided = [column for column in moving if column.verdict is Verdict.INSUFFICIENT_DATA]
    watched = [column for column in moving if column.watch]
    score, open_score, watch_score = map(_weight, (drifted, undecided, watched))
    bound = f"{policy.table_score:.2f}"

    def reached(weight: float) -> bool:
        return weight >= policy.table_score - 1e-9  # three fifteenths are a fifth, in spite of rounding

    act = [f"critical column {column.name!r} drifted" for column in drifted if column.critical]
    act += [f"the prediction score {column.name!r} drifted" for column in drifted if column.prediction]
    if reached(score):
        act.insert(0, f"{_names(drifted)} drifted, with {score:.2f} of the importance, the bound is {bound}")
    if faults:
        return Judgement(TableVerdict.WATCH, score, (_check_the_feed(faults), *map(_not_acted_on, act)))
    if act:
        return Judgement(TableVerdict.ACT, score, tuple(act))
    if drifted:
        reason = f"{_names(drifted)} drifted, with {score:.2f} of the importance, less than {bound}"
        return Judgement(TableVerdict.WATCH, score, (reason,))
    if reached(watch_score):
        reason = f"{_names(watched)} past the watch level, with {watch_score:.2f} of the importance"
        return Judgement(TableVerdict.WATCH, score, (reason,))
    tips = [column for column in undecided if column.critical or column.prediction]
    if tips or reached(score + open_score):
        return Judgement(TableVerdict.INCONCLUSIVE, score, (_undecided(undecided, open_score),))
    return Judgement(TableVerdict.QUIET, score, (f"no column drifted; undecided columns carry {open_score:.2f}",))


def _check_the_feed(faults: Sequence[str], most: int = 3) -> str:
    more = f"; and {len(faults) - most} more" if len(faults) > most else ""
    return f"check the feed: {'; '.join(faults[:most])}{more}"


def _not_acted_on(reason: str) -> str:
    return f"{reason}: not acted on while a feed is broken"


def _undecided(columns: Sequence[Judgeable], weight: float) -> str:
    return (
        f"{_names(columns)} too near the threshold for this many rows, with {weight:.2f} of the importance: "
        "a longer window would tell"
    )


def _weight(columns: Sequence[Judgeable]) -> float:
    return float(sum(sorted(column.weight for column in columns)))


def _names(columns: Sequence[Judgeable], most: int = 5) -> str:
    ranked = sorted(columns, key=lambda column: (-column.weight, column.name))
    more = f" and {len(ranked) - most} more" if len(ranked) > most else ""
    return ", ".join(repr(column.name) for column in ranked[:most]) + more
