"""Drift over the weeks, as SVG bytes: the verdict of each week, and what the columns flagged now did in them.

Drawn from stored reports alone, by column against its own threshold. The same reports give the same bytes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.core.pages.flags import fault_of, is_flagged
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import new_figure, style, svg
from mlops_assets.core.profile.columns import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[tuple[str, Mapping[str, Any]]]  # (week, DriftReport.to_json()), oldest first

# the colours of `plots/drift.py`
_DRIFT, _FAULT, _WATCH, _CALM, _OPEN = "#d55e00", "#cc79a7", "#e69f00", "#0072b2", "#56b4e9"
_LANES = (("ACT", _DRIFT), ("WATCH", _WATCH), ("QUIET", _CALM), ("INCONCLUSIVE", _OPEN))
_FAULTS = "feed fault"
_MOST_WEEKS = 53  # the latest: a year
_MOST_COLUMNS = 6
_WIDTH, _LANE, _PANEL = 9.0, 0.21, 1.25  # inches
_TICKS = 5
_LEGEND = (
    "PSI of each week, square-root scale; line: the column's own threshold, dashed: its watch level\n"
    "orange: drifted, yellow: past its watch level, blue: stable, light blue: too few rows, pink: feed fault"
)


def drift_history(history: History) -> bytes:
    """The verdict per week, then PSI per week of the columns most drifted in the newest, beside threshold and watch.

    `history`: (week, report as `DriftReport.to_json` gives it), oldest first, the newest last; a week without a model
    to compare with has a verdict and no columns. SVG, below 60 kB; the latest 53 weeks, at most 6 columns.
    """
    shown = history[-_MOST_WEEKS:]
    names = flagged(shown[-1][1]) if shown else ()
    down = -(-len(names) // 2)
    lanes = [*_LANES, (_FAULTS, _FAULT)] if any(report.get("faults") for _, report in shown) else list(_LANES)
    strip = _LANE * len(lanes) + 0.75
    with style(), _one_font():
        figure = new_figure(_WIDTH, strip + (0.55 + _PANEL * down if names else 0))
        grid = figure.add_gridspec(1 + down, 2, height_ratios=[strip, *[_PANEL] * down])
        _verdicts(figure.add_subplot(grid[0, :]), shown, lanes, len(history))
        for at, name in enumerate(names):
            panel = figure.add_subplot(grid[1 + at // 2, at % 2])
            _column(panel, shown, name, labelled=at >= len(names) - 2)
        if names:
            figure.supxlabel(_LEGEND, fontsize=8)
        return svg(figure)


def flagged(report: Mapping[str, Any], most: int = _MOST_COLUMNS) -> tuple[str, ...]:
    """Columns worth a look: in a feed fault, drifted or past their watch level first, then the nearest to a threshold.

    >>> flagged({"columns": [{"name": "a", "ratio": 0.9, "verdict": "STABLE", "watch": False, "stable": False},
    ...                      {"name": "b", "ratio": 0.8, "verdict": "STABLE", "watch": True, "stable": False}]})
    ('b', 'a')
    """
    columns = [column for column in report.get("columns", ()) if column["ratio"] is not None]
    ranked = sorted(columns, key=lambda column: not is_flagged(column))
    return tuple(column["name"] for column in ranked[:most])


def _one_font() -> Any:
    """A sixth of the bytes would be names of fonts: each text carries all that might be there."""
    from matplotlib import rc_context

    return rc_context({"font.sans-serif": ["DejaVu Sans", "Verdana"]})


def _verdicts(axes: "Axes", shown: History, lanes: list[tuple[str, str]], weeks: int) -> None:
    """One mark a week in the lane of its verdict, so that it is told by place as well as by colour."""
    for lane, (verdict, colour) in enumerate(lanes):
        weeks_of = [
            at
            for at, (_, report) in enumerate(shown)
            if (report.get("faults") if verdict == _FAULTS else report["verdict"] == verdict)
        ]
        _stems(axes, weeks_of, [lane - 0.33] * len(weeks_of), [lane + 0.33] * len(weeks_of), colour, len(shown), 7.6)
    axes.set_yticks(range(len(lanes)), [verdict for verdict, _ in lanes], fontsize=8)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_title(
        f"Verdict per week, the latest {len(shown)} of {weeks} weeks" if len(shown) < weeks else "Verdict per week"
    )
    _weeks(axes, shown)


def _column(axes: "Axes", shown: History, name: str, *, labelled: bool) -> None:
    found = [(at, row) for at, (_, report) in enumerate(shown) if (row := _row(report, name)) is not None]
    by_colour: dict[str, list[tuple[int, float]]] = {}
    for at, row in found:
        by_colour.setdefault(_colour(row), []).append((at, row["psi"]))
    for colour, points in sorted(by_colour.items()):
        places, heights = zip(*points, strict=True)
        _stems(axes, places, [0.0] * len(points), heights, colour, len(shown), 3.6)
    for level, colour, dashes in (("threshold", "black", "-"), ("watch_level", "#444444", "--")):
        runs = _runs([(at, row[level]) for at, row in found])
        ends = [end for first, past, height in runs for end in ((first - 0.5, height), (past - 0.5, height))]
        _lines(axes, np.array(ends), colour, 1.0, dashes)
    last = found[-1][1]
    top = max(max(row["psi"], row["threshold"]) for _, row in found)
    axes.set_yscale("function", functions=(_root, np.square))  # one wild week must not flatten the rest
    axes.set_ylim(0, 1.15 * top)
    ticks = [tick for tick in (0.1, 0.5, 1, 2, 5, 10, 20) if top / 25 < tick <= top][-3:] or [round(top / 2, 2)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
    axes.minorticks_off()
    unit = f" [{last['unit']}]" if last["unit"] else ""
    title = f"{visible(name)[:44]}{visible(unit)}: PSI {last['psi']:.2f}, threshold {last['threshold']:.2f}"
    axes.set_title(title, fontsize=8)
    _weeks(axes, shown if labelled else ())
    axes.set_xlim(-0.8, len(shown) - 0.2)


def _row(report: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The column's row of a week; None where it was not watched or had no rows."""
    rows = (row for row in report.get("columns", ()) if row["name"] == name and row["psi"] is not None)
    return next(rows, None)


def _runs(levels: Sequence[tuple[int, float]]) -> list[tuple[int, int, float]]:
    """(first, past the last, level) of neighbouring weeks that share one: a model's level stays while it leads.

    >>> _runs([(0, 0.2), (1, 0.2), (3, 0.2), (4, 0.3)])
    [(0, 2, 0.2), (3, 4, 0.2), (4, 5, 0.3)]
    """
    runs: list[tuple[int, int, float]] = []
    for at, level in levels:
        if runs and runs[-1][1:] == (at, level):
            runs[-1] = (runs[-1][0], at + 1, level)
        else:
            runs.append((at, at + 1, level))
    return runs


def _colour(row: Mapping[str, Any]) -> str:
    if fault_of(row):
        return _FAULT
    if row["verdict"] == "DRIFT":
        return _DRIFT
    if row["watch"]:
        return _WATCH
    return _CALM if row["verdict"] == "STABLE" else _OPEN


def _stems(
    axes: "Axes",
    at: Sequence[int],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
    weeks: int,
    inches: float,
) -> None:
    """Upright bars, one a week; `weeks` of them share so many inches."""
    ends = np.stack([np.repeat(at, 2), np.stack([low, high], axis=-1).ravel()], axis=-1)
    _lines(axes, ends, colour, min(0.7 * 72 * inches / max(weeks, 12), 14.0))


def _lines(axes: "Axes", ends: Floats, colour: str, width: float, dashes: str = "-") -> None:
    """Lines (2 n ends) as one path: a tenth of the bytes of so many rectangles."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not len(ends):
        return
    path = Path(ends, [Path.MOVETO, Path.LINETO] * (len(ends) // 2))
    path.should_simplify = False
    line = PathPatch(path, edgecolor=colour, facecolor="none", linewidth=width, linestyle=dashes, capstyle="butt")
    axes.add_patch(line)


def _weeks(axes: "Axes", shown: History) -> None:
    """A few weeks named below the axis, the newest always."""
    last = len(shown) - 1
    marks = sorted({round(last * part / (_TICKS - 1)) for part in range(_TICKS)}) if shown else []
    axes.set_xticks(marks, [visible(shown[at][0]) for at in marks], fontsize=7)
    axes.set_xlim(-0.8, max(last, 0) + 0.8)
    axes.tick_params(axis="both", length=0)  # each mark is a hundred bytes of SVG and no information


def _root(psi: Floats) -> Floats:
    return np.sqrt(np.maximum(psi, 0))
