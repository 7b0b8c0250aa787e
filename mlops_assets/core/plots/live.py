"""The live metric of a replay, week by week: each policy's, each comparator's, and what was gained over never again."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mlops_assets.core.account import Account, Policy
from mlops_assets.core.gain import NEVER, gain_over, never_again
from mlops_assets.core.pages.markup import Html, el
from mlops_assets.core.plots.lanes import Axis, Lane, chart
from mlops_assets.core.plots.timeline import reigns
from mlops_assets.core.rollout.words import BASELINE

_PANEL, _HEAD, _FOOT = 150, 22, 6  # pixels: of a panel; kept free for its name; kept free below
_KINDS = 8  # of lines in the style sheet; more of them begin anew
_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the picture: `kind` is its class in the style sheet, `values` are by week."""

    name: str
    kind: str
    values: Mapping[str, float | None]


def lines_of(account: Account) -> list[Line]:
    """Policies, then comparators, each with the look it has in every picture of the account; never again is grey."""
    metric = account.metric
    found = [(one.name, {week.week: week.metrics.get(metric) for week in one.weeks}) for one in account.policies]
    found += [(one.name, {week: held.get(metric) for week, held in one.weeks.items()}) for one in account.against]
    return [
        Line(name=name, kind="never" if name == NEVER else f"l{at % _KINDS}", values=values)
        for at, (name, values) in enumerate(found)
    ]


def live_metric(account: Account, policy: Policy, axis: Axis, label: str) -> Html:
    """The metric over the weeks, the policy's line the boldest; below, the gain of each over never trained again.

    Uprights are where a model of the policy became champion; a week without a figure is a gap. `label` names the
    metric, with its unit.
    """
    own = policy.name
    lines = sorted(lines_of(account), key=lambda line: line.name == own)  # the last lies on top
    turns = list(_turns(policy, axis))
    lanes = [_panel(label, label, lines, own, axis, turns)]
    never = never_again(account)
    if never is not None:
        gains = [
            replace(line, values={
                week: gain_over(account, value, never.weeks.get(week, {}).get(account.metric))
                for week, value in line.values.items()
            }) for line in lines
        ]  # fmt: skip
        told = f"{label}: above the grey line it was better than {NEVER}"
        lanes.append(_panel("gain over never", told, gains, own, axis, turns, sign="+"))
    return chart(axis, lanes, f"{label} week by week: {policy.name} beside the others")


def swatch(line: Line, own: str = "") -> Html:
    """A piece of the line for a legend."""
    return el("svg", el("path", d="M0 8H28", class_=_look(line, own)), width=28, height=16)


def rounds(low: float, high: float, most: int = _TICKS) -> list[float]:
    """At most `most` round numbers of one distance within low .. high, where that is wider than nothing.

    >>> rounds(0.41, 0.63), rounds(-0.012, 0.031), rounds(1.0, 1.0)
    ([0.45, 0.5, 0.55, 0.6], [-0.01, 0.0, 0.01, 0.02, 0.03], [1.0])
    """
    if not (high - low) / most > 0:
        return [low]
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (size, 2 * size, 2.5 * size, 5 * size, 10 * size, 20 * size):
        found = [round(at * step, 12) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
        if len(found) <= most:
            break
    return found


def _panel(
    name: str, told: str, lines: Sequence[Line], own: str, axis: Axis, turns: Sequence[Html], sign: str = ""
) -> Lane:
    known = [value for line in lines for value in map(_known, line.values.values()) if value is not None]
    if not known:
        return Lane(name=name, told=told, height=_HEAD, drawn=(el("text", "no labels", x=4, y=15, class_="month"),))
    low, high = min(known), max(known)
    ticks = rounds(low, high)

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(_PANEL - _FOOT - share * (_PANEL - _HEAD - _FOOT), 1)

    grid = el("path", d="".join(f"M0 {y(tick)}H{axis.width}" for tick in ticks), class_="grid")
    drawn = [el("path", d=_path(line, axis, y), class_=_look(line, own)) for line in lines]
    labels = tuple((y(tick), f"{tick:{sign}.4g}" if tick else "0") for tick in ticks)
    return Lane(
        name=name, told=told, height=_PANEL, ticks=labels, drawn=(grid, *turns, *drawn, *_pointed(lines, axis, sign))
    )


def _turns(policy: Policy, axis: Axis) -> Iterable[Html]:
    for version, since in reigns(policy.stages):
        if version != BASELINE:
            x = axis.at(since)
            yield el("path", d=f"M{x} 14V{_PANEL}", class_="turn")
            yield el("text", f"v{version}", x=x, y=10, class_="under")


def _look(line: Line, own: str) -> str:
    return f"line {line.kind}{' own' if line.name == own else ''}"


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _path(line: Line, axis: Axis, y: Callable[[float], float]) -> str:
    """From week to week; a week alone between two gaps is a dot."""
    drawn, before = "", -math.inf
    for week in sorted(line.values):
        if (value := _known(line.values[week])) is not None:
            x = axis.at(week) + axis.step / 2
            drawn += f"L{x:g} {y(value)}" if x - axis.step == before else f"M{x:g} {y(value)}h0"
            before = x
    return drawn


def _pointed(lines: Sequence[Line], axis: Axis, sign: str) -> Iterable[Html]:
    """Each week, all of its height, says its figures when it is pointed at."""
    for week in sorted({week for line in lines for week in line.values}):
        figures = [(line.name, _known(line.values.get(week))) for line in reversed(lines)]
        said = " · ".join(f"{name} {value:{sign}.4g}" for name, value in figures if value is not None)
        place = {"x": axis.at(week), "y": 0, "width": axis.step, "height": _PANEL}
        yield el("rect", el("title", f"{week}: {said or 'no labels'}"), class_="point", **place)
