"""Two pictures of a drift report, as SVG bytes: which columns moved, and how.

Drawn with matplotlib's objects, never pyplot: no state, no display. The same report gives the same bytes.
"""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlops_assets.core.drift.column import ColumnDrift
from mlops_assets.core.drift.report import DriftReport
from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import new_figure, svg
from mlops_assets.core.profile.columns import Floats, Frame, Ints, column_of
from mlops_assets.core.profile.records import ColumnProfile, ReferenceProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REFERENCE = "#b0b0b0"
# Okabe and Ito's colours, told apart with any colour vision.
_DRIFT, _FAULT, _WATCH, _CALM, _OPEN = "#d55e00", "#cc79a7", "#e69f00", "#0072b2", "#56b4e9"
_MEANING = {
    _DRIFT: "drifted",
    _FAULT: "feed fault",
    _WATCH: "past its watch level",
    _CALM: "stable",
    _OPEN: "too few rows to tell",
}
_PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # keeps a figure readable over the line
_MOST = 25  # columns that stay readable; the title counts the rest


def drift_ranked(report: DriftReport) -> bytes:
    """Every column by PSI / its own threshold, the worst on top: right of the line it moved more than it may.

    SVG, below 60 kB; at most 25 columns.
    """
    with _style():
        return _svg(_ranked(report))


def drift_columns(profile: ReferenceProfile, report: DriftReport, window: Frame, top: int = 6) -> bytes:
    """Reference against window, the share of rows per bin, for the `top` most drifted columns. SVG, below 60 kB.

    Raises DataError when `window` is not one the profile can read.
    """
    with _style():
        return _svg(_by_bins(profile, report, window, top))


def _ranked(report: DriftReport) -> "Figure":
    rows = [column for column in report.columns if column.ratio is not None][:_MOST]
    figure: Figure = new_figure(9.0, 1.9 + 0.27 * max(len(rows), 2))
    axes = figure.add_subplot()
    more = f"  ({len(rows)} of {len(report.columns)} columns)" if len(rows) < len(report.columns) else ""
    axes.set_title("\n".join(textwrap.wrap(visible(report.sentence), 105)) + more, fontsize=9, loc="left")
    ratios = [row.ratio or 0.0 for row in rows]
    right = max(1.6, *ratios) if rows else 1.6
    bars = axes.barh(range(len(rows)), ratios, height=0.7)
    for at, (row, bar, ratio) in enumerate(zip(rows, bars, ratios, strict=True)):
        bar.set_color(_colour(row))
        level = row.watch_level / row.threshold
        axes.plot([level, level], [at - 0.35, at + 0.35], color="#444444", linewidth=1)
        axes.annotate(
            _figures(row), (ratio, at), (4, 0), textcoords="offset points", va="center", fontsize=7, bbox=_PLATE
        )
    axes.axvline(1, color="black", linewidth=1.4, zorder=1)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=8)
    axes.annotate("the column's own threshold", (1, -0.62), (3, 0), textcoords="offset points", fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -1.15)
    axes.set_xscale("function", functions=(_root, np.square))  # one wild column must not flatten the rest
    axes.set_xlim(0, right * 1.9)
    marks = [mark for mark in (0.1, 1, 2, 5, 10, 20, 50, 100) if right / 60 < mark <= right * 1.2]
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks], fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("PSI / threshold (square-root scale; short mark: watch level)", fontsize=8)
    used = dict.fromkeys(_colour(row) for row in rows)
    handles = [bars[[_colour(row) for row in rows].index(colour)] for colour in used]
    axes.legend(handles, [_MEANING[colour] for colour in used], fontsize=7, loc="lower right", frameon=False)
    return figure


def _by_bins(profile: ReferenceProfile, report: DriftReport, window: Frame, top: int) -> "Figure":
    rows = [column for column in report.columns if column.ratio is not None][:top]
    down = -(-max(len(rows), 1) // 2)
    figure: Figure = new_figure(9.0, 0.6 + 2.3 * down)
    figure.suptitle(
        f"Share of rows per bin: grey the reference ({report.reference_rows:,} rows), "
        f"coloured the window ({report.rows:,} rows)",
        fontsize=9,
    )
    for at, row in enumerate(rows):
        _draw_column(figure.add_subplot(down, 2, at + 1), profile.column(row.name), row, window)
    return figure


def _draw_column(axes: "Axes", profile: ColumnProfile, row: ColumnDrift, window: Frame) -> None:
    from matplotlib.ticker import MaxNLocator

    live = profile.bins.tally(profile.name, column_of(window, profile.name)).bins
    reference = profile.tally.bins
    shown = np.flatnonzero(reference + live)
    if len(shown) > 14:  # of many categories the most frequent, and always the last two: unseen, missing
        shown = np.unique([*np.argsort(-(reference + live), kind="stable")[:13], *shown[shown >= len(live) - 2]])
    labels = profile.bins.labels
    places = np.arange(len(shown), dtype=np.float64)
    _bars(axes, places - 0.4, _shares(reference)[shown], _REFERENCE)
    _bars(axes, places, _shares(live)[shown], _colour(row))
    axes.autoscale_view()
    axes.set_ylim(bottom=0)
    axes.set_xticks(places, [visible(labels[bin_])[:16] for bin_ in shown], rotation=35, ha="right", fontsize=6)
    axes.tick_params(axis="both", length=0)  # each mark is a hundred bytes of SVG and no information
    axes.tick_params(axis="y", labelsize=6)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_title(f"{_name(row)}: {_figures(row)}", fontsize=8, loc="left")


def _shares(counts: Ints) -> Floats:
    shares: Floats = counts / max(int(counts.sum()), 1)
    return shares


def _bars(axes: "Axes", left: Floats, heights: Floats, colour: str) -> None:
    """Bars as one path: an SVG of a hundred rectangles is four times as large."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    zero, right = np.zeros_like(heights), left + 0.4
    corners = [(left, zero), (left, heights), (right, heights), (right, zero)]
    polygons = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    axes.add_patch(PathPatch(Path.make_compound_path_from_polys(polygons), facecolor=colour, linewidth=0))


def _root(ratio: npt.ArrayLike) -> Floats:
    return np.sqrt(np.maximum(ratio, 0))


def _colour(row: ColumnDrift) -> str:
    if row.fault:
        return _FAULT
    if row.verdict is Verdict.DRIFT:
        return _DRIFT
    if row.watch:
        return _WATCH
    return _CALM if row.verdict is Verdict.STABLE else _OPEN


def _name(row: ColumnDrift) -> str:
    role = " (score)" if row.prediction else ""
    return visible(f"{row.name} [{row.unit}]{role}" if row.unit else f"{row.name}{role}")


def _figures(row: ColumnDrift) -> str:
    """The figures beside a bar: PSI and its threshold, how far it moved, and a surge of missing rows."""
    said = f"{row.fault}: " if row.fault else ""
    said += f"PSI {row.psi or 0.0:.2f} / {row.threshold:.2f}"
    if row.shift_sd is not None and abs(row.shift_sd) >= 0.05:
        said += f", {row.shift_sd:+.1f} sd"
    if abs((row.missing_live or 0.0) - row.missing_reference) >= 0.05:
        said += f", missing {row.missing_reference:.0%} → {row.missing_live:.0%}"
    return said + (f", unseen {row.unseen:.0%}" if (row.unseen or 0.0) >= 0.05 else "")


def _style() -> Any:
    from matplotlib import rc_context

    # a name is no formula
    return rc_context({"svg.hashsalt": "mlops_assets", "svg.fonttype": "none", "text.parse_math": False})


def _svg(figure: "Figure") -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)
