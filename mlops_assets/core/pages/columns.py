"""The table of a drift report: every watched column, the worst first, with the figures behind its verdict."""

import math
from collections.abc import Mapping, Sequence

from mlops_assets.core.pages.document import number, percent, pill
from mlops_assets.core.pages.flags import Row, fault_of, is_flagged
from mlops_assets.core.pages.markup import NOTHING, Html, el, named

_HEADS = ("column", "verdict", "PSI / threshold", "KS", "JS", "shift, sd", "missing, then → now", "unseen",
          "out of range", "importance")  # fmt: skip
_LEFT = _HEADS[:3]
_LOUD = 0.05  # a twentieth of the rows gone missing, unseen or out of range is what to look at first
_RIGHT = 25.0  # times its threshold: nothing beyond is told apart


def ranked(rows: Sequence[Row], running: Mapping[str, int]) -> Html:
    """The table. `running`: column -> for how many weeks in a row it has been flagged, this one included."""
    right = min(max([1.6, *(row["ratio"] for row in rows if row["ratio"] is not None)]), _RIGHT)
    head = el("tr", *(el("th", head, scope="col", class_="left" if head in _LEFT else None) for head in _HEADS))
    body = [line for row in rows for line in _lines(row, right, running.get(row["name"], 0))]
    return el("table", el("thead", head), el("tbody", *body))


def kind_of(row: Row) -> tuple[str, str, str]:
    """(word, sign, class of its colour): what a column's verdict is called on the page."""
    if fault := fault_of(row):
        return f"feed fault: {fault}", "✕", "quality"
    if row["verdict"] == "DRIFT":
        return "drifted", "✕", "drift"
    if row["watch"]:
        return "past watch level", "▲", "watch"
    return ("stable", "✓", "stable") if row["verdict"] == "STABLE" else ("cannot be told", "…", "open")


def _lines(row: Row, right: float, weeks: int) -> list[Html]:
    roles = [role for role, holds in (
        ("the model's score", row["prediction"]), ("critical", row["critical"]), ("declared stable", row["stable"]),
    ) if holds]  # fmt: skip
    unit = f" [{row['unit']}]" if row["unit"] else ""
    role = el("span", f" {', '.join(roles)}", class_="role") if roles else NOTHING
    since = el("span", f"{weeks} weeks running", class_="role since") if weeks > 1 else NOTHING
    gone = row["missing_live"]
    surge = gone is not None and abs(gone - row["missing_reference"]) > _LOUD
    outside = None if row["below_min"] is None else row["below_min"] + (row["above_max"] or 0.0)
    line = el(
        "tr",
        el("td", named(row["name"]), unit, role, class_="name"),
        el("td", pill(*kind_of(row)), since, class_="plain"),
        el("td", *_ratio(row, right), class_="bar"),
        _cell(_HEADS[3], number(row["ks"])),
        _cell(_HEADS[4], number(row["js"])),
        _cell(_HEADS[5], number(row["shift_sd"], "+.2f")),
        _cell(
            "missing",
            f"{percent(row['missing_reference'])}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{percent(gone)}",
            loud=surge,
        ),
        _cell(_HEADS[7], percent(row["unseen"]), loud=(row["unseen"] or 0.0) > _LOUD),
        _cell(_HEADS[8], percent(outside), loud=(outside or 0.0) > _LOUD),
        _cell(_HEADS[9], number(row["importance"])),
    )
    if not is_flagged(row):
        return [line]
    return [line, el("tr", el("td", row["sentence"], colspan=len(_HEADS)), class_="said")]


def _cell(head: str, said: str, *, loud: bool = False) -> Html:
    return el("td", said, data_head=head, class_="loud" if loud else "none" if said == "–" else None)


def _ratio(row: Row, right: float) -> tuple[Html, ...]:
    """PSI as a bar on a square-root scale; the long upright is the column's threshold, the short its watch level."""
    if row["ratio"] is None:
        return (el("span", "no rows"),)
    told = f"{row['psi']:.2f} / {row['threshold']:.2f}"
    level = _at(row["watch_level"] / row["threshold"], right)
    bar = el(
        "svg",
        el("rect", x=0, y="25%", width="100%", height="50%", class_="track"),
        el("rect", x=0, y="25%", width=f"{_at(row['ratio'], right):.2f}%", height="50%", class_=kind_of(row)[2]),
        el("rect", x=f"{level:.2f}%", y="25%", width=1, height="50%", class_="level"),
        el("rect", x=f"{_at(1.0, right):.2f}%", y=0, width=2, height="100%", class_="bound"),
        class_="ratio",
        role="img",
        aria_label=f"PSI {told}",
    )
    return el("span", f"PSI {told}"), bar


def _at(ratio: float, right: float) -> float:
    """Where a ratio stands, in percent of the bar's width."""
    return 100 * math.sqrt(min(max(ratio, 0.0), right) / right)
