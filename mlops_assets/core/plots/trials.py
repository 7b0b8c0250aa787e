"""One picture of a search: what each trial came to, and which one was chosen.

Here belongs the drawing of what `search.py` measured; nothing is computed. The same bytes for the same records.
"""

from mlops_assets.core.metrics import METRIC
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import MODEL, OTHER, QUIET, new_figure, style, svg, words
from mlops_assets.core.search import Searched, TrialResult

_MOST_TRIALS = 30  # more lines do not fit a screen; the title counts the rest


def trials_svg(search: Searched) -> bytes:
    """The metric of each trial on the tuning weeks, the declared parameters on top, the chosen trial filled.

    Of more than 30 trials the chosen and the first others are drawn. A trial without a model says so.
    """
    chosen, first = search.chosen.key, search.results[0]
    others = [r.trial.key for r in search.results if r.trial.key != chosen][: _MOST_TRIALS - 1]
    drawn = [result for result in search.results if result.trial.key in (chosen, *others)]
    values = [result.value for result in drawn if result.value is not None]
    with style():
        figure = new_figure(7.2, 1.6 + 0.3 * max(3, len(drawn)))
        axes = figure.subplots()
        axes.axvline(next(r.value for r in drawn if r.trial.key == chosen), color=QUIET, linewidth=1, linestyle="--")
        for row, result in enumerate(drawn):
            if result.value is None:
                axes.annotate("failed", (max(values), row), va="center", ha="right", color=OTHER)
                continue
            face = MODEL if result.trial.key == chosen else "white"
            axes.plot(result.value, row, "o", markersize=8, markerfacecolor=face, markeredgecolor=MODEL)
            axes.annotate(f"{result.value:.6g}", (result.value, row), (9, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(drawn)), [_told(result) for result in drawn])
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.margins(x=0.2)
        direction = "higher" if METRIC[first.metric].greater_is_better else "lower"
        axes.set_xlabel(f"{words(first.metric)} ({direction} is better) on {visible(', '.join(first.tuning_weeks))}")
        hidden = len(search.results) - len(drawn)
        more = f", {hidden} more not drawn" if hidden else ""
        figure.suptitle(
            f"{len(search.results)} trials{more}: {visible(chosen)} is chosen", x=0.01, ha="left", fontsize=11
        )
        return svg(figure)


def _told(result: TrialResult) -> str:
    """The trial's number and what it sets: "t02  max_features 0.25"."""
    changed = [f"{name} {value}" for name, value in result.trial.changed.items()]
    return visible(f"{result.trial.key.partition('_')[0]}  {', '.join(changed) or 'as declared'}")
