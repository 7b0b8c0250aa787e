"""One picture of all features of a week, as SVG bytes: small multiples, a panel each.

Everything lies in one plain axes, in inches: forty axes of the drawing library are ten times as many bytes. Drawn with
matplotlib's objects, never pyplot; the same record gives the same bytes.
"""

import io
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.core.pages.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 4
_MOST = 56  # a panel is 2.4 kB, and the whole is kept in the run's event beside the store
_WIDTH, _HEIGHT = 2.45, 1.42  # of a panel
_INNER, _BARS = 2.15, 0.72  # of its drawing
_HEAD = 0.55  # above the panels
_LETTER = 0.06  # of the smallest text
# Okabe and Ito's blue and a grey, told apart with any colour vision
_USED, _UNUSED, _TEXT = "#0072b2", "#a6a6a6", "#555555"
_STYLE = {
    "svg.hashsalt": "mlops_assets",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name is no formula
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # each text names its fonts, and there are hundreds
}
Rectangle = tuple[float, float, float, float]  # left, bottom, width, height


def features_svg(
    distributions: Mapping[str, Mapping[str, Any]], *, units: Mapping[str, str], used: Collection[str], title: str
) -> bytes:
    """A panel for each feature of `distributions` (`core.catalogue`), in order: share of the rows with a value by bar.

    `used` are drawn in blue, the others in grey; what is missing is said in words. SVG, below 150 kB; at most 56
    features, the title counts the rest.
    """
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        return _svg(_drawn(distributions, units, used, title))


def _drawn(
    distributions: Mapping[str, Mapping[str, Any]], units: Mapping[str, str], used: Collection[str], title: str
) -> "Figure":
    from matplotlib.figure import Figure

    drawn = dict(list(distributions.items())[:_MOST])
    more = f" ({_MOST} of {len(distributions)} features)" if len(drawn) < len(distributions) else ""
    down = -(-max(len(drawn), 1) // _ACROSS)
    width, height = _ACROSS * _WIDTH, down * _HEIGHT + _HEAD
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.text(0.15, height - 0.25, visible(title) + more, fontsize=9)
    bars: dict[str, list[Rectangle]] = {_USED: [], _UNUSED: []}
    for place, (name, record) in enumerate(drawn.items()):
        left = 0.15 + place % _ACROSS * _WIDTH
        top = height - _HEAD - place // _ACROSS * _HEIGHT
        bars[_USED if name in used else _UNUSED] += _panel(axes, left, top, name, units.get(name, ""), record)
    for colour, rectangles in bars.items():
        _fill(axes, rectangles, colour)
    return figure


def _panel(axes: "Axes", left: float, top: float, name: str, unit: str, drawn: Mapping[str, Any]) -> list[Rectangle]:
    """Its words at once; its bars are returned, to be drawn with all others of their colour."""
    counts = np.array(drawn["counts"], dtype=np.float64)
    present = counts.sum()
    rows = present + drawn["missing"]
    axes.text(left, top, visible(f"{name} [{unit}]" if unit else name), fontsize=7.5)
    coverage = f"{present / rows:.1%} known" if drawn["missing"] else "always known" if rows else "no rows"
    if not present:
        axes.text(left, top - 0.16, coverage, fontsize=6, color=_TEXT)
        return []
    shares, labels = counts / present, [visible(label) for label in drawn.get("labels", ())]
    floor = top - 0.3 - _BARS
    if drawn["kind"] == "names":
        axes.text(left, top - 0.14, coverage, fontsize=6, color=_TEXT)
        return _lying(axes, left, top - 0.22, labels, shares)
    axes.text(left, top - 0.14, f"{coverage}, tallest bar {shares.max():.0%}", fontsize=6, color=_TEXT)
    step = _INNER / len(shares)
    gap = 0.15 * step
    if drawn["kind"] == "range":
        gap = 0.04 * step
        for at, value, align in ((left, drawn["low"], "left"), (left + _INNER, drawn["high"], "right")):
            axes.text(at, floor - 0.12, f"{value:.4g}", fontsize=6, ha=align, color=_TEXT)
    else:
        every = -(-max(map(len, labels)) * _LETTER // step)  # so many labels apart they do not touch
        for place, label in list(enumerate(labels))[:: int(max(every, 1))]:
            axes.text(left + (place + 0.5) * step, floor - 0.12, label, fontsize=6, ha="center", color=_TEXT)
    tall = shares / shares.max() * _BARS
    line = (left, floor - 0.012, _INNER, 0.008)
    standing = [(left + n * step + gap / 2, floor, step - gap, float(h)) for n, h in enumerate(tall) if h]
    return [line, *standing]


def _lying(axes: "Axes", left: float, top: float, labels: list[str], shares: Any) -> list[Rectangle]:
    """Texts need room to be read: one line each, name, bar and share."""
    step = min(0.13, (_BARS + 0.2) / len(labels))
    room = _INNER - 0.95
    bars = []
    for place, (label, share) in enumerate(zip(labels, shares, strict=True)):
        bottom = top - (place + 1) * step
        length = float(share / shares.max()) * room
        axes.text(left + 0.62, bottom + 0.02, label[:12], fontsize=6, ha="right", color=_TEXT)
        axes.text(left + 0.7 + length, bottom + 0.02, f"{share:.0%}", fontsize=6, color=_TEXT)
        bars.append((left + 0.66, bottom, length, step * 0.85))
    return bars


def _fill(axes: "Axes", rectangles: list[Rectangle], colour: str) -> None:
    """All bars of a colour as one path: an SVG of a thousand rectangles is ten times as large."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not rectangles:
        return
    left, bottom, width, height = np.array(rectangles).T
    corners = [(left, bottom), (left, bottom + height), (left + width, bottom + height), (left + width, bottom)]
    polygons = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    axes.add_patch(PathPatch(Path.make_compound_path_from_polys(polygons), facecolor=colour, linewidth=0))


def _svg(figure: "Figure") -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
