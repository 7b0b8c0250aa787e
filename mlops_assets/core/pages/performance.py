"""The page of a performance report: how a week's answers turned out, what to do, the evidence, the figures, the words.

Pure: the stored record and pictures in, one HTML file out; nothing is judged anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_assets.core.pages.document import (
    bullets,
    definitions,
    document,
    header,
    number,
    percent,
    pictures,
    pill,
    section,
    table,
)
from mlops_assets.core.pages.markup import NOTHING, Html, el, joined, named

Figure = Mapping[str, Any]  # name, value, low, high, reference

_STATES = {
    "concept drift": ("✕", "drift"),
    "watch": ("▲", "watch"),
    "ok": ("✓", "stable"),
    "insufficient labels": ("…", "open"),
}
_TO_DO = {
    "concept drift": (
        "A retrain is requested, unless a feed is broken or the use case's policy keeps it waiting. Read the week's "
        "drift report: a broken feed is mended first.",
        "Where inputs are as they were and the model's answers are not, it is the model that has changed: it is rolled "
        "back instead.",
    ),
    "watch": ("Nothing needs to be done today: it looks worse, not yet beyond chance. Look again next week.",),
    "ok": ("Nothing: the model is as good as when it was made.",),
    "insufficient labels": (
        "Conclude nothing yet. Once outcomes are known this report is made anew; if they stay away, see that the feed "
        "of outcomes runs. The evidence stands where it stood.",
    ),
}
_CAPTIONS = {
    "history_plot": "The weeks before: each metric with its bounds, and the evidence against its bound",
    "calibration_plot": "Predicted against what came true",
}
_WORDS = {
    "outcome known": "What was predicted has happened, or will not; only weeks old enough for that are judged, since "
    "the outcomes that come first are not like the others.",
    "bounds": "Each one-sided, over whole days or the declared blocks: outcomes of one block share a storm.",
    "when made": "The figure on the rows the model was validated on.",
    "loss": "What an answer costs on average, scaled so that 0 is faultless and 1 the worst there can be. The level is "
    "the most that the validation allows.",
    "gap": "Mean of predicted minus actual: above 0 the model expects too much.",
    "evidence": "How far it is to an alarm: the logarithm of the evidence that the loss is above its level, over that "
    "of its bound. It is carried from week to week; after an alarm it starts anew.",
    "worse": "A slice whose loss is above the model's level by more than chance, however many slices were looked at.",
}


def performance_page(record: Mapping[str, Any], plots: Mapping[str, bytes]) -> bytes:
    """One standalone HTML file, UTF-8; the same arguments give the same bytes.

    `record` is `PerformanceReport.to_json()` with, where known, `use_case` and `partition`; of a week without a model
    to judge, `state` and `sentence` alone. `plots` are SVGs by name ("history_plot", "calibration_plot", others after
    them).

    >>> page = performance_page({"state": "ok", "sentence": "ok: 7.4 % of <1,000> answers were wrong."}, {})
    >>> b"of &lt;1,000&gt; answers" in page, b"<script" in page
    (True, False)
    """
    state = record["state"]
    subject = " · ".join(str(record[key]) for key in ("use_case", "partition") if record.get(key))
    metrics = [figure for figure in (*record.get("metrics", ()), record.get("loss"), record.get("gap")) if figure]
    slices = sorted(record.get("slices", ()), key=lambda one: not one["worse"])
    return document(
        f"{state}: realised performance{f', {subject}' if subject else ''}",
        header(
            f"Realised performance{f' · {subject}' if subject else ''}",
            pill(state, *_STATES[state]),
            record["sentence"].removeprefix(f"{state}: "),
            _facts(record),
        ),
        section("What to do", bullets([joined(sentence) for sentence in _TO_DO[state]])),
        _evidence(record) if "evidence" in record else NOTHING,
        section("Figures", _metrics(metrics)) if metrics else NOTHING,
        section("Slices, the worse first", _slices(slices)) if slices else NOTHING,
        pictures(plots, _CAPTIONS),
        definitions(_WORDS),
    )


def _facts(record: Mapping[str, Any]) -> str:
    if "rows" not in record:
        return ""
    said = [
        f"model {record['model']}",
        f"{record['rows']:,} requests",
        f"outcome known of {record['settled']:,}",
        f"{record['labelled']:,} with a label",
    ]
    return " · ".join([*said, *([f"{record['unanswered']:,} without an answer"] if record["unanswered"] else [])])


def _evidence(record: Mapping[str, Any]) -> Html:
    most, now = record["evidence"], percent(record["evidence"])
    told = f"At most {now} of the way to an alarm this week." if most < 1 else "The bound of an alarm was reached."
    bar = el(
        "svg",
        el("rect", x=0, y="25%", width="100%", height="50%", class_="track"),
        el(
            "rect",
            x=0,
            y="25%",
            width=f"{80 * min(max(most, 0.0), 1.25):.2f}%",
            height="50%",
            class_=_STATES[record["state"]][1],
        ),
        el("rect", x="80%", y=0, width=2, height="100%", class_="bound"),
        class_="ratio",
        role="img",
        aria_label=told,
    )
    alarms = [joined(f"Alarm after {alarm['labels']:,} labels of this week, by a request of {alarm['as_of']}.")
              for alarm in record["alarms"]]  # fmt: skip
    return section("Evidence of concept drift", bar, el("p", told), bullets(alarms) if alarms else NOTHING)


def _metrics(figures: Sequence[Figure]) -> Html:
    rows = [
        (
            figure["name"].replace("_", " "),
            number(figure["value"], ".4g"),
            _bounds(figure),
            number(figure["reference"], ".4g"),
        )
        for figure in figures
    ]
    return table(("figure", "now", "bounds", "when made"), rows)


def _slices(slices: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        (
            joined(
                named(one["label"]), el("span", "worse, beyond chance", class_="pill drift") if one["worse"] else ""
            ),
            f"{one['rows']:,}",
            number(one["loss"]["value"], ".4g"),
            _bounds(one["loss"]),
            number(one["metric"]["value"], ".4g"),
        )
        for one in slices
    ]
    metric = slices[0]["metric"]["name"].replace("_", " ")
    return table(("slice", "rows", "loss", "bounds", metric), rows)


def _bounds(figure: Figure) -> str:
    if figure["low"] is None or figure["high"] is None:
        return "–"
    return f"{number(figure['low'], '.4g')} … {number(figure['high'], '.4g')}"
