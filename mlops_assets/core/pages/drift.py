"""The page of a drift report: what was found, what to do, every column, the pictures, the words.

Pure: the stored record and pictures in, one HTML file out; nothing is judged anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_assets.core.pages.columns import ranked
from mlops_assets.core.pages.document import bullets, definitions, document, header, percent, pictures, pill, section
from mlops_assets.core.pages.flags import is_flagged
from mlops_assets.core.pages.markup import NOTHING, Html, el, joined, named

_VERDICTS = {
    "ACT": ("ACT", "✕", "drift"),
    "WATCH": ("WATCH", "▲", "watch"),
    "QUIET": ("QUIET", "✓", "stable"),
    "INCONCLUSIVE": ("INCONCLUSIVE", "…", "open"),
}
_TO_DO = {
    "ACT": (
        "Look whether the model still answers well: the performance report of the newest weeks whose labels are in. "
        "While its realised answers are as good as they were, it is watched and not retrained.",
        "Where outcomes are worse, or nothing is known of them, a retrain is requested; the use case's policy says "
        "whether it may begin now.",
    ),
    "WATCH": (
        "Nothing needs to be done today: less has moved than what asks for a retrain. Look at the columns below, and "
        "whether they are still flagged next week.",
    ),
    "QUIET": ("Nothing: the inputs are as they were when the model was made.",),
    "INCONCLUSIVE": (
        "Conclude nothing from this week. See that its files have arrived and that the feed runs, or judge a longer "
        "window; nothing is retrained on it.",
    ),
}
_MEND = (
    "Mend the feed first, land the week again and make this report anew. A model trained on a fault, or judged by it, "
    "would learn the fault: nothing is retrained while it stands."
)
_CAPTIONS = {
    "ranked_plot": "Every column by its PSI over its own threshold",
    "columns_plot": "Reference against this week, the most drifted columns",
    "history_plot": "The weeks before: verdicts, and PSI of the columns most drifted now",
}
_WORDS = {
    "PSI": "Population stability index, in nats: how differently the rows fall into the reference's bins, less what "
    "sampling alone adds. 0 is no change; a normal moved by half a standard deviation scores 0.24.",
    "threshold": "The PSI at which a column has drifted: its own restlessness, one and a half times the most that a "
    "window of the reference differed from the others, and never below a floor. The watch level is the restlessness "
    "itself. The bar is drawn on a square-root scale; the long mark is the threshold, the short one the watch level.",
    "drifted, stable, cannot be told": "Proven beyond the threshold, proven within it, or too few rows for so near a "
    "figure. All columns are judged together, at one false discovery rate.",
    "declared stable": "A schedule or a fact that does not change. When it moves, its feed is broken, not the world.",
    "feed fault": "What no change of the world does: values gone missing or stuck, another unit or clock, a join that "
    "misses, a stable column that moved. Columns in a fault count for nothing else.",
    "KS": "Kolmogorov-Smirnov distance, 0 to 1: the largest gap between both cumulative distributions, missing values "
    "left out. Numbers only.",
    "JS": "Jensen-Shannon distance, base 2, 0 to 1: a second opinion on PSI's bins that is bounded.",
    "shift, sd": "How far the mean moved, in robust standard deviations of the reference, extremes clipped. It "
    "explains and never judges.",
    "missing": "Share of rows without a value: in the reference, then now.",
    "unseen": "Share of rows with a category, or one of few numbers, that the reference never had.",
    "out of range": "Share of rows below the reference's smallest number or above its largest.",
    "importance": "How much the model leans on the column; all columns together are 1.",
    "ACT": "The drifted columns carry enough of the importance, or a critical column or the model's score drifted.",
    "WATCH, QUIET, INCONCLUSIVE": "Something moved, less than that; nothing did; or there was too little to tell.",
}  # fmt: skip


def drift_page(
    record: Mapping[str, Any],
    plots: Mapping[str, bytes],
    history: Sequence[tuple[str, Mapping[str, Any]]],
) -> bytes:
    """One standalone HTML file, UTF-8; the same arguments give the same bytes.

    `record` is `DriftReport.to_json()` with, where known, `use_case`, `partition`, `leader` (the judged model),
    `source` (where the inputs come from, in words) and `faults` (each with `columns`, `kind`, `sentence`); of a week
    without a model to compare with, `verdict` and `sentence` alone. `plots` are SVGs by name ("ranked_plot",
    "columns_plot", "history_plot", others after them). `history` is (week, report) oldest first, this week's last: for
    how long a column has been flagged.

    >>> page = drift_page({"verdict": "QUIET", "sentence": "QUIET: nothing <moved>."}, {}, [])
    >>> b"nothing &lt;moved&gt;" in page, b"<script" in page
    (True, False)
    """
    verdict = record["verdict"]
    columns, faults = record.get("columns", ()), record.get("faults", ())
    subject = " · ".join(str(record[key]) for key in ("use_case", "partition") if record.get(key))
    return document(
        f"{'⚠ feed fault, ' if faults else ''}{verdict}: data drift{f', {subject}' if subject else ''}",
        header(
            f"Data drift{f' · {subject}' if subject else ''}",
            joined(pill("FEED FAULT", "✕", "fault") if faults else "", pill(*_VERDICTS[verdict])),
            record["sentence"].removeprefix(f"{verdict}: "),
            _facts(record),
        ),
        _faults(faults),
        section("What to do", _to_do(record, faults)),
        section("Columns, the most drifted first", ranked(columns, running(history))) if columns else NOTHING,
        pictures(plots, _CAPTIONS),
        definitions(_WORDS),
    )


def running(history: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
    """For how many weeks in a row, up to the newest, each column has been flagged.

    >>> week = {"columns": [{"name": "a", "verdict": "DRIFT", "watch": True, "stable": False}]}
    >>> running([("W1", week), ("W2", {"columns": []}), ("W3", week), ("W4", week)])
    {'a': 2}
    """
    weeks: dict[str, int] = {}
    still: set[str] | None = None
    for _, report in reversed(history):
        now = {row["name"] for row in report.get("columns", ()) if is_flagged(row)}
        still = now if still is None else still & now
        for name in sorted(still):
            weeks[name] = weeks.get(name, 0) + 1
    return weeks


def _facts(record: Mapping[str, Any]) -> str:
    said = []
    if "rows" in record:
        whole = record["completeness"]
        said = [
            f"{record['rows']:,} rows on {whole['days_with_rows']} of {whole['days']} days",
            f"{record['reference_rows']:,} rows of reference in {record['reference_windows']} windows",
            f"drifted columns carry {percent(record['score'])} of the importance",
        ]
    named_ = [f"{word} {record[key]}" for key, word in (("leader", "model"), ("source", "inputs:")) if record.get(key)]
    return " · ".join([*named_, *said])


def _faults(faults: Sequence[Mapping[str, Any]]) -> Html:
    if not faults:
        return NOTHING
    items = []
    for fault in faults:
        names = [part for name in fault.get("columns", ()) for part in (named(name), ", ")][:-1]
        items.append(
            joined(el("b", fault["kind"]), ": " if names else " ", *names, ". " if names else "", fault["sentence"])
        )
    return section("⚠ A feed is broken", bullets(items), class_="faults")


def _to_do(record: Mapping[str, Any], faults: Sequence[Mapping[str, Any]]) -> Html:
    said = []
    if faults:
        said.append(_MEND)
    else:
        said += _TO_DO[record["verdict"]]
    if record.get("calibrated") is False:
        said.append("Take the verdict with care: the reference has too few windows to know how restless columns are.")
    return bullets([joined(sentence) for sentence in said])
