"""The words of a performance report: its state, and why, in plain language with numbers.

Here belong the rules of the states beyond the evidence itself, since each is a reason that is said.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from mlops_assets.core.performance.cohort_rows import LabelledRows
from mlops_assets.core.performance.figures import Figure, SliceFigure
from mlops_assets.core.performance.level import Level
from mlops_assets.core.signals import Concept
from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.use_case import UseCase

_MOST_NAMED = 3  # slices in a sentence; the rest is counted


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What a sentence is made of; `alarms` are (labels of this window, instant in UTC)."""

    use_case: UseCase
    rows: LabelledRows
    level: Level
    loss: Figure | None
    gap: Figure | None
    slices: tuple[SliceFigure, ...]
    alarms: tuple[tuple[int, str], ...]


def too_few(policy: ConceptPolicy, rows: LabelledRows, *, matured: bool, matures_at: str) -> str:
    """Why the window cannot be judged; "" when it can."""
    if rows.rows == 0:
        return "there are no requests"
    if not matured:
        return f"labels of this window are trusted from {matures_at} on"
    if rows.settled < policy.labelled * rows.rows:
        known = rows.settled * 1000 // rows.rows / 10  # rounded down: it must not look like enough
        return f"{known:g} % of outcomes are known, {policy.labelled * 100:g} % are needed"
    if rows.count < policy.min_rows:
        return f"{rows.count:,} answers have a label, {policy.min_rows:,} are needed"
    return ""


def why(told: Told) -> tuple[Concept, tuple[str, ...]]:
    """The state and its reasons: concept drift by evidence or miscalibration, else what is worth a look, else none."""
    policy, gap, loss = told.use_case.concept, told.gap, told.loss
    reasons = [_alarm(told)] if told.alarms else []
    if _off(gap, policy.miscalibrated):
        reasons.append(f"{_gap(told)}, {_distance(told, policy.miscalibrated or 0.0)} is drift")
    elif _off(gap, policy.calibration):
        reasons.append(_gap(told))
    if told.alarms or _off(gap, policy.miscalibrated):
        return Concept.DRIFT, tuple(reasons)
    if loss is not None and loss.low is not None and loss.low > told.level.bound:
        reasons.insert(0, f"{_level(told)}; at least {_cost(told, loss.low)} beyond chance")
    return (Concept.WATCH if reasons else Concept.OK), tuple(reasons)


def sentence(state: Concept, reasons: tuple[str, ...], told: Told) -> str:
    """The state first, then its reasons, then what else a reader should know."""
    said = [_level(told), *reasons] if state in (Concept.DRIFT, Concept.OK) else list(reasons)
    if state is Concept.OK and told.gap and told.gap.value is not None:
        said.append(_means(told))
    unanswered = int((~told.rows.usable).sum())
    if told.loss and unanswered:
        said.append(f"{unanswered:,} predictions are none and count as wrong")
    if worse := [one for one in told.slices if one.worse]:
        said.append(_worse(told, worse))
    return f"{state.value}: {'; '.join(said)}."


def _off(gap: Figure | None, most: float | None) -> bool:
    """Is the gap beyond `most`, and its interval on one side of 0?"""
    if gap is None or most is None or gap.value is None or gap.low is None or gap.high is None:
        return False
    return abs(gap.value) > most and (gap.low > 0 or gap.high < 0)


def _alarm(told: Told) -> str:
    zone = ZoneInfo(told.use_case.partitions.timezone)
    labels, as_of = told.alarms[0]
    day = datetime.fromisoformat(as_of).astimezone(zone).date().isoformat()
    more = f", {len(told.alarms) - 1} more since" if len(told.alarms) > 1 else ""
    return f"alarm on {day} after {labels:,} labels{more}"


def _level(told: Told) -> str:
    assert told.loss is not None and told.loss.value is not None  # noqa: S101  narrowing for the type checker only
    met, most = (_cost(told, loss) for loss in (told.loss.value, told.level.bound))
    policy, rows = told.use_case.concept, f"{told.rows.count:,} answers"
    if policy.loss == "error":
        said = f"{met} of {rows} were wrong"
    elif policy.loss == "brier":
        said = f"the mean Brier loss of {rows} was {met}"
    else:
        said = f"the mean error of {rows} was {met} (each cut at {_cost(told, 1.0)})"
    return f"{said}, {most} was the most its validation allows"


def _cost(told: Told, loss: float) -> str:
    """A scaled loss as people count it: a share of wrong answers, a Brier loss, an error in the label's unit."""
    policy = told.use_case.concept
    if policy.loss == "error":
        return _percent(loss)
    return f"{loss:.4f}" if policy.loss == "brier" else _number(loss * policy.bound, told.use_case.label.unit)


def _means(told: Told) -> str:
    usable = told.rows.usable
    means = told.rows.prediction[usable].mean(), told.rows.label[usable].mean()
    predicted, actual = (_amount(told, float(mean)) for mean in means)
    return f"predicted {predicted}, actual {actual}"


def _gap(told: Told) -> str:
    assert told.gap is not None and told.gap.value is not None  # noqa: S101  narrowing for the type checker only
    sign = "+" if told.gap.value > 0 else "-"
    return f"{_means(told)}, {sign}{_distance(told, abs(told.gap.value))} beyond chance"


def _distance(told: Told, between: float) -> str:
    """How far two means lie apart, >= 0, in words."""
    if told.use_case.label.task is Task.CLASSIFICATION:
        return f"{between * 100:.1f} points"
    return _number(between, told.use_case.label.unit)


def _worse(told: Told, worse: list[SliceFigure]) -> str:
    worst = sorted(worse, key=lambda one: (-(one.loss.value or 0.0), one.label))
    named = [f"{one.label} ({_cost(told, one.loss.value or 0.0)} of {one.rows:,})" for one in worst[:_MOST_NAMED]]
    more = f" and {len(worst) - _MOST_NAMED} more" if len(worst) > _MOST_NAMED else ""
    return f"worse than that beyond chance for {', '.join(named)}{more}"


def _amount(told: Told, value: float) -> str:
    if told.use_case.label.task is Task.CLASSIFICATION:
        return _percent(value)
    return _number(value, told.use_case.label.unit)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _number(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip() if abs(value) < 1000 else f"{value:,.0f} {unit}".rstrip()
