"""Two pictures of performance reports, as SVG bytes: realised performance over the weeks, and one week's calibration.

Drawn from stored reports alone (`PerformanceReport.to_json`). The same reports give the same bytes.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import MODEL, OTHER, QUIET, new_figure, style, svg, words
from mlops_assets.core.signals import Concept
from mlops_assets.declare.modelling import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[tuple[str, Mapping[str, Any]]]  # (week, PerformanceReport.to_json()), oldest first

_COLOURS = {Concept.DRIFT: OTHER, Concept.WATCH: "#E69F00", Concept.OK: MODEL, Concept.UNKNOWN: QUIET}
_MOST_WEEKS = 53  # the latest: a year
_TICKS = 12


def performance_history(history: History) -> bytes:
    """Each metric with its interval over the weeks beside its value on validation, then the evidence of concept drift.

    A week that could not be judged has no figures, and its evidence is hollow. SVG, below 60 kB; the latest 53 weeks.
    """
    shown = list(history[-_MOST_WEEKS:])
    reports = [report for _, report in shown]
    names = list(dict.fromkeys(figure["name"] for report in reports for figure in report["metrics"]))
    panels = len(names) + 1
    with style():
        figure = new_figure(9.0, 0.9 + 1.55 * panels)
        axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        for place, name in enumerate(names):
            _metric(axes[place], name, reports)
        _evidence(axes[-1], reports)
        step = max(1, -(-len(shown) // _TICKS))
        ticks = range(0, len(shown), step)
        axes[-1].set_xticks(ticks, [visible(shown[place][0]) for place in ticks], rotation=35, ha="right", fontsize=8)
        axes[-1].set_xlim(-0.6, max(len(shown), 1) - 0.4)
        told = (
            f"the latest {len(shown)} of {len(history)} weeks" if len(shown) < len(history) else f"{len(shown)} weeks"
        )
        figure.suptitle(f"Realised performance on matured labels, {told}", x=0.01, ha="left", fontsize=11)
        return svg(figure)


def realised_calibration(report: Mapping[str, Any], *, task: Task, unit: str = "") -> bytes:
    """Predicted against actual by decile of one week: points on the line mean what they say. SVG, below 60 kB.

    `unit` is the label's, for a regression. A report without calibration is drawn as its sentence.
    """
    percent = task is Task.CLASSIFICATION
    scale, sign = (100, "%") if percent else (1, visible(unit))
    table = report["calibration"]
    with style():
        figure = new_figure(6.4, 4.6)
        axes = figure.subplots()
        if table is None:
            axes.set_axis_off()
            axes.set_title("\n".join(textwrap.wrap(visible(report["sentence"]), 80)), fontsize=9)
            return svg(figure)
        predicted, actual = ([row[name] * scale for row in table["deciles"]] for name in ("predicted", "actual"))
        low, high = min(predicted + actual), max(predicted + actual)
        rim = (high - low) * 0.06 or 1.0
        line = [low - rim, high + rim]
        axes.plot(line, line, color=QUIET, linewidth=1, linestyle="--", label="says what happens")
        axes.plot(predicted, actual, color=MODEL, marker="o", label="a tenth of the labelled rows")
        axes.set_xlabel(f"predicted ({sign})" if sign else "predicted")
        axes.set_ylabel(f"{'happened' if percent else 'actual mean'}{f' ({sign})' if sign else ''}")
        means = [f"{table[name] * scale:.4g} {sign}".rstrip() for name in ("mean_prediction", "mean_actual")]
        axes.set_title(f"Predicted {means[0]}, actual {means[1]} over {table['rows']:,} labelled rows", fontsize=10)
        axes.legend(loc="upper left")
        return svg(figure)


def _metric(axes: "Axes", name: str, reports: Sequence[Mapping[str, Any]]) -> None:
    found = [next((f for f in report["metrics"] if f["name"] == name), None) for report in reports]
    places = [at for at, figure in enumerate(found) if figure and figure["value"] is not None]
    values = [found[at]["value"] for at in places]  # type: ignore[index]  # places are where there is one
    bounded = [at for at in places if found[at]["low"] is not None]  # type: ignore[index]
    # one path with gaps: a path, or a marker, each would be ten times the bytes
    ends = [end for at in bounded for end in (found[at]["low"], found[at]["high"], math.nan)]  # type: ignore[index]
    axes.plot([at for at in bounded for _ in range(3)], ends, color=MODEL, linewidth=1, alpha=0.6)
    marks = [place for at in places for place in (at - 0.2, at + 0.2, math.nan)]
    axes.plot(marks, [value for value in values for _ in range(3)], color=MODEL, linewidth=3)
    held = [(at, figure["reference"]) for at, figure in enumerate(found) if figure and figure["reference"] is not None]
    edges = [edge for at, _ in held for edge in (at - 0.5, at + 0.5, math.nan)]
    axes.plot(edges, [level for _, level in held for _ in range(3)], color="black", linewidth=1)
    better = "higher" if METRIC[name].greater_is_better else "lower"
    axes.set_title(f"{words(name)} ({better} is better); bars: chance of blocks, black: on validation", fontsize=9)
    axes.tick_params(axis="y", labelsize=8)
    axes.locator_params(axis="y", nbins=4)


def _evidence(axes: "Axes", reports: Sequence[Mapping[str, Any]]) -> None:
    for state, colour in _COLOURS.items():
        own = [at for at, report in enumerate(reports) if report["state"] == state.value]
        if own:
            face = "white" if state is Concept.UNKNOWN else colour
            axes.plot(own, [reports[at]["evidence"] for at in own], "o", color=colour, markerfacecolor=face,
                      label=state.value)  # fmt: skip
    axes.axhline(1, color="black", linewidth=1.2)
    axes.set_ylim(-0.05, 1.15)
    axes.set_yticks([0, 0.5, 1], ["0", "half", "alarm"], fontsize=8)
    axes.set_title(
        "most evidence in the week that the model is worse than its validation allows (log scale)", fontsize=9
    )
    if reports:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.55), ncols=4, fontsize=8)
