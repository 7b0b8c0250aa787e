"""Three pictures of a rollout: who answered how much, how far the evidence was, who lost more on each block.

Here belongs the drawing of what was decided and judged; nothing is computed. Records in, SVG bytes out, the same bytes
for the same records.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import MODEL, OTHER, QUIET, new_figure, style, svg

_MOST_BLOCKS = 90  # the latest; more do not fit a screen
_SHORTEST = timedelta(minutes=1)
_MOST_LOOKS = 150  # of one measure, evenly; the last one always


def share_svg(decisions: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """The challenger's share over time, a dot for each decision.

    `decisions` in order of time, each with `at` (datetime), `share` (0..1 after it), `stage`, `decision` (texts).
    """
    with style():
        figure = new_figure(7.2, 3.2)
        axes = figure.subplots()
        at, share = [row["at"] for row in decisions], [100 * row["share"] for row in decisions]
        axes.step(at, share, where="post", color=MODEL)
        axes.plot(at, share, "o", color=MODEL, markersize=4)
        before = None
        for row in decisions:
            if row["stage"] != before:
                axes.annotate(
                    visible(row["stage"]),
                    (row["at"], 100 * row["share"]),
                    (2, 5),
                    textcoords="offset points",
                    fontsize=7,
                )
            before = row["stage"]
        axes.set_ylim(-5, 112)
        axes.set_ylabel("answered by the challenger (%)")
        axes.set_title(visible(title if decisions else f"{title}: nothing was decided yet"))
        _dates(axes, at)
        return svg(figure)


def evidence_svg(judged: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """For each measure how far it was on the way to pass and to fail, at each judgement; from 1 on it is there.

    `judged` in order of time, one row for each measure of each judgement: `at` (datetime), `name`, `toward_pass`,
    `toward_fail` (both of `Measure`).
    """
    names = list(dict.fromkeys(row["name"] for row in judged))
    with style():
        figure = new_figure(7.2, 1.2 + 1.3 * max(1, len(names)))
        figure.suptitle(visible(title if names else f"{title}: nothing was judged yet"), x=0.01, ha="left", fontsize=11)
        panels = figure.subplots(max(1, len(names)), 1, sharex=True, squeeze=False)[:, 0]
        for panel, name in zip(panels, names, strict=False):
            rows = [row for row in judged if row["name"] == name]
            rows = [*rows[: -1 : 1 + len(rows) // _MOST_LOOKS], rows[-1]]
            at, alone = [row["at"] for row in rows], "." if len(rows) == 1 else ""
            for way, colour, said in (("toward_pass", MODEL, "to pass"), ("toward_fail", OTHER, "to fail")):
                # beyond twice the bound nothing more is decided, and one measure would flatten its own past
                panel.plot(at, [min(row[way], 2.0) for row in rows], color=colour, marker=alone, label=said)
            panel.axhline(1, color=QUIET, linewidth=1, linestyle="--")
            panel.set_ylim(-0.1, 2.1)
            panel.set_yticks([0, 1, 2], ["0", "enough", "2"])
            panel.set_ylabel(visible(name.replace("_", " ")))
        if names:
            panels[0].legend(loc="upper left", ncols=2)
        _dates(panels[-1], [row["at"] for row in judged])
        return svg(figure)


def loss_svg(blocks: Sequence[Mapping[str, Any]], *, loss: str, margin: float, look: Mapping[str, Any] | None) -> bytes:
    """How much more the challenger lost than the champion on each block, and the interval of the last look.

    `blocks` in order of time, each with `block` (ISO date), `champion`, `challenger` (mean losses), `complete` (bool:
    filled, otherwise hollow), as `quality.blocks_told` makes them. `look` has `blocks`, `mean`, `lower`, `upper`
    (`Look._asdict()`); None before the first.
    """
    rows = blocks[-_MOST_BLOCKS:]
    places = range(len(rows))
    more = [row["challenger"] - row["champion"] for row in rows]
    with style():
        figure = new_figure(7.2, 3.6)
        axes = figure.subplots()
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axhline(margin, color=OTHER, linewidth=1, linestyle="--", label=f"margin {margin:g}")
        if look is not None:
            axes.axhspan(look["lower"], look["upper"], color=QUIET, alpha=0.3, linewidth=0)
            said = f"mean {look['mean']:+.4f} of {look['blocks']} blocks, and its bounds"
            axes.axhline(look["mean"], color=QUIET, linewidth=1.4, label=said)
        for complete, face in ((True, MODEL), (False, "white")):
            chosen = [at for at in places if rows[at]["complete"] is complete]
            axes.plot(chosen, [more[at] for at in chosen], "o", color=MODEL, markerfacecolor=face, markersize=4)
        marks = list(places)[:: max(1, len(rows) // 6)]
        axes.set_xticks(marks, [visible(rows[at]["block"]) for at in marks], fontsize=8)
        axes.set_ylabel(f"{loss.replace('_', ' ')}: challenger - champion")
        told = f"{len(rows)} of {len(blocks)} blocks; " if len(rows) < len(blocks) else ""
        axes.set_title(f"{told}below 0 the challenger is better; hollow: labels still come")
        figure.legend(loc="outside lower right", ncols=2, fontsize=8)
        return svg(figure)


def _dates(axes: Any, at: Sequence[datetime]) -> None:
    """Five instants below the axis, as short as their span allows."""
    if not at:
        return
    first, last = min(at), max(at)
    if last - first < _SHORTEST:  # one instant is no span
        first, last = first - _SHORTEST, last + _SHORTEST
    ticks = [first + (last - first) * n / 4 for n in range(5)]
    span = last - first
    form = "%Y-%m-%d" if span > timedelta(days=5) else "%m-%d %H:%M" if span > timedelta(hours=12) else "%H:%M:%S"
    margin = span * 0.05
    axes.set_xlim(first - margin, last + margin)
    axes.set_xticks(ticks, [tick.strftime(form) for tick in ticks])
    axes.set_xlabel(f"UTC, from {first:%Y-%m-%d %H:%M}")
    axes.tick_params(axis="x", labelsize=8)
