"""Three pictures of one training: is it calibrated, what does it look at, how does it do week by week.

Here belongs the drawing of what `fitting.py` measured; nothing is computed. Records in, SVG bytes out, the same bytes
for the same records.
"""

from collections.abc import Mapping, Sequence

from mlops_assets.core.calibration import Calibration
from mlops_assets.core.fitting import WeekMetric
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drawing import MODEL, OTHER, QUIET, new_figure, style, svg, words
from mlops_assets.declare.modelling import Task

_MOST_FEATURES = 20  # more bars do not fit a screen; the rest is summed in one


def calibration_svg(calibration: Calibration, *, task: Task, unit: str = "") -> bytes:
    """Predicted against actual by decile, above how many rows each decile holds. Points on the line mean what they say.

    `unit` is the label's, for a regression.
    """
    percent = task is Task.CLASSIFICATION
    scale, sign = (100, "%") if percent else (1, visible(unit))
    what = "happened" if percent else "actual mean"
    found = [(d.predicted * scale, d.actual * scale, d.rows) for d in calibration.deciles]
    predicted, actual, rows = ([float(row[n]) for row in found] for n in range(3))
    with style():
        figure = new_figure(6.4, 5.2)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        low, high = min(predicted + actual), max(predicted + actual)
        rim = (high - low) * 0.06 or 1.0
        line = [low - rim, high + rim]
        above.plot(line, line, color=QUIET, linewidth=1, linestyle="--", label="says what happens")
        above.plot(predicted, actual, color=MODEL, marker="o", label="a tenth of the validation rows")
        above.set_ylabel(_named(what, sign))
        shown = [f"{v * scale:.1f}" if percent else _three_digits(v)
                 for v in (calibration.mean_prediction, calibration.mean_actual, calibration.ece)]  # fmt: skip
        above.set_title(
            f"Predicted {shown[0]}{_gap(sign)}, {what} {shown[1]}{_gap(sign)} over {calibration.rows:,} rows\n"
            f"calibration error (mean distance to the line) {shown[2]}{' points' if percent else _gap(sign)}"
        )
        above.legend(loc="upper left")
        width = (high - low + 2 * rim) / 60
        below.bar(predicted, rows, width=width, color=QUIET)
        below.set_ylabel("rows")
        below.set_ylim(bottom=0)
        below.set_xlabel(_named("predicted", sign))
        return svg(figure)


def importances_svg(importances: Mapping[str, float], *, metric: str) -> bytes:
    """Share of importance by feature, greatest above; features without any are counted, not drawn."""
    ranked = sorted(importances.items(), key=lambda pair: (-pair[1], pair[0]))
    bars = [(name, share) for name, share in ranked if share > 0][:_MOST_FEATURES]
    rest = sum(share for _, share in ranked[len(bars) :])
    silent = sum(1 for share in importances.values() if share <= 0)
    with style():
        figure = new_figure(6.4, 1.2 + 0.26 * max(3, len(bars)))
        axes = figure.subplots()
        axes.barh(range(len(bars)), [share * 100 for _, share in bars], color=MODEL)
        axes.set_yticks(range(len(bars)), [visible(name) for name, _ in bars])
        axes.invert_yaxis()
        for at, (_, share) in enumerate(bars):
            axes.annotate(f"{share:.1%}", (share * 100, at), xytext=(3, 0), textcoords="offset points", va="center")
        axes.set_xlabel(f"share of what shuffling costs in {words(metric)} (%)")
        axes.margins(x=0.12)
        told = [f"{silent} of {len(importances)} features show none"] if silent else []
        told += [f"{rest:.1%} lies in features not drawn"] if rest > 0.0005 else []
        title = "What the model looks at (permutation importance)"
        figure.suptitle("\n".join([title, "; ".join(told)] if told else [title]), x=0.01, ha="left", fontsize=11)
        return svg(figure)


def weekly_svg(weekly: Sequence[WeekMetric], *, metric: str) -> bytes:
    """The metric by week, of model and baseline; weeks seen in training are hollow, weeks that judge are filled."""
    direction = "higher" if METRIC[metric].greater_is_better else "lower"
    with style():
        figure = new_figure(7.2, 3.8)
        axes = figure.subplots()
        for what, colour in (("baseline", OTHER), ("model", MODEL)):
            values = [getattr(week, what) for week in weekly]
            places = [place for place, value in enumerate(values) if value is not None]
            axes.plot(places, [values[place] for place in places], color=colour, linewidth=1.2, label=what, zorder=2)
            for role, face in (("train", "white"), ("validation", colour)):
                some = [place for place in places if weekly[place].role == role]
                axes.plot(some, [values[p] for p in some], "o", markerfacecolor=face, markeredgecolor=colour, zorder=3)
        judging = [place for place, week in enumerate(weekly) if week.role == "validation"]
        if judging:
            axes.axvspan(judging[0] - 0.5, judging[-1] + 0.5, color=QUIET, alpha=0.18, linewidth=0, label="validation")
        step = max(1, -(-len(weekly) // 12))
        ticks = list(range(0, len(weekly), step))
        axes.set_xticks(ticks, [visible(weekly[place].partition) for place in ticks], rotation=35, ha="right")
        axes.set_ylabel(f"{words(metric)} ({direction} is better)")
        axes.set_title("Week by week: hollow weeks were trained on, filled ones judge")
        axes.legend(loc="best", ncols=3)
        axes.margins(y=0.18)
        return svg(figure)


def _named(what: str, sign: str) -> str:
    return f"{what} ({sign})" if sign else what


def _three_digits(value: float) -> str:
    """A label may count in thousandths or in thousands: three digits of it, never fewer than its whole part."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _gap(sign: str) -> str:
    return f" {sign}" if sign else ""
