"""The drift heat map of a replayed policy: watched columns by weeks, coloured by distance over the threshold."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mlops_assets.core.account import Week
from mlops_assets.core.pages.markup import Html, el
from mlops_assets.core.plots.lanes import Axis, Lane, chart
from mlops_assets.core.plots.marks import mark

_ROW = 16  # pixels
# (distance over the threshold from which on, its class, what it is called); 1.0 is drift
HEAT = (
    (0.0, "h0", "below half its threshold"),
    (0.5, "h1", "half of its threshold to all of it"),
    (1.0, "h2", "drifted: beyond its threshold"),
    (1.5, "h3", "beyond 1.5 times"),
    (3.0, "h4", "beyond 3 times"),
)
_SILENT = "h0"  # so many of them that they are drawn as one, without a word each


def by_drift(weeks: Sequence[Week]) -> list[tuple[str, int]]:
    """(watched column, number of weeks in which it drifted), the most often first, then the farthest, then by name.

    >>> by_drift([])
    []
    """
    ratios: Mapping[str, list[float]] = defaultdict(list)
    for week in weeks:
        for column, ratio in week.drift.items():
            if not math.isnan(ratio):
                ratios[column].append(ratio)
    ranked = sorted(ratios, key=lambda column: (-_weeks(ratios[column]), -max(ratios[column]), column))
    return [(column, _weeks(ratios[column])) for column in ranked]


def heat_map(weeks: Sequence[Week], columns: Sequence[tuple[str, int]], axis: Axis, *, faults: bool) -> Html:
    """These columns (name, drifted in so many weeks) over the weeks of `axis`; above, if asked for, feed faults."""
    lanes = [
        Lane(name=column, height=_ROW, drawn=_cells(weeks, column, axis), ticks=((_ROW / 2, str(many)),),
             told=f"{column}: drifted in {many} weeks")
        for column, many in columns
    ]  # fmt: skip
    broken = [week for week in weeks if week.faults]
    if faults and broken:
        marks = tuple(
            mark("quality", axis.at(week.week) + axis.step / 2, _ROW / 2, f"{week.week}: {'; '.join(week.faults)}")
            for week in broken
        )
        lanes.insert(0, Lane(name="feed fault", height=_ROW, drawn=marks))
    return chart(axis, lanes, f"Drift of {len(columns)} columns over {len(weeks)} weeks", gap=0)


def heat(ratio: float) -> str:
    """The class of a distance over a threshold.

    >>> [heat(ratio) for ratio in (0.0, 0.99, 1.0, 7.0)]
    ['h0', 'h1', 'h2', 'h4']
    """
    return next(kind for least, kind, _ in reversed(HEAT) if ratio >= least or least == 0.0)


def _weeks(ratios: Sequence[float]) -> int:
    return sum(ratio >= 1.0 for ratio in ratios)


def _cells(weeks: Sequence[Week], column: str, axis: Axis) -> tuple[Html, ...]:
    silent, said = "", []
    for week in weeks:
        ratio = week.drift.get(column)
        if ratio is None or math.isnan(ratio):
            continue
        path, kind = f"M{axis.at(week.week):g} 0h{axis.step - 1}v{_ROW - 1}h-{axis.step - 1}z", heat(ratio)
        if kind == _SILENT:
            silent += path
        else:
            said.append(el("path", el("title", f"{column} {week.week}: {ratio:.2f}"), d=path, class_=kind))
    return el("path", d=silent, class_=_SILENT), *said
