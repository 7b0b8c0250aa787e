"""What the pictures of a replay are drawn on: one axis of weeks, lanes below each other, their names beside them.

The names stand in a picture of their own, so that they stay in sight while the weeks are scrolled. It is SVG that is
part of a page (`pages/`), coloured by its style sheet, with a sentence on every mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_assets.core.pages.markup import Html, el
from mlops_assets.declare.errors import DataError

_WEEK = timedelta(weeks=1)
_NAMES, _WIDE = 184, 950  # pixels: the column of names, the weeks beside it where they fit
_LEAST, _MOST = 14, 64  # of a week
_RULER = 22
LETTER = 7.0  # pixels: as wide as a letter gets
_ROOM = 40  # pixels: a label of the ruler needs so much
_LETTERS = 24  # of a name that fit beside its lane; a lane with figures there has room for fewer
_FIGURE = 7  # letters that a figure takes


@dataclass(frozen=True, kw_only=True)
class Axis:
    """So many whole weeks from `first`, each `step` pixels wide."""

    first: datetime
    weeks: int
    step: int

    @property
    def width(self) -> int:
        """Of all weeks, in pixels."""
        return self.weeks * self.step

    def at(self, instant: str) -> float:
        """Where an ISO instant or date stands, in pixels, 0 .. `width`: what lies outside stands at the edge.

        Raises DataError for what is none.

        >>> axis_of(["2013-03-04", "2013-03-11"]).at("2013-03-07T12:00:00Z")
        32.0
        """
        return round(min(max((moment(instant) - self.first) / _WEEK * self.step, 0.0), float(self.width)), 1)


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A strip of `height` pixels. `drawn` in it, 0 at its top; `ticks` are (y, text) beside it; `told` explains it."""

    name: str
    height: int
    drawn: tuple[Html, ...]
    ticks: tuple[tuple[float, str], ...] = ()
    told: str = ""


def moment(instant: str) -> datetime:
    """An ISO instant or date as UTC. Raises DataError for what is none."""
    try:
        found = datetime.fromisoformat(instant)
    except ValueError:
        raise DataError(f"the account names {instant!r}, which must be an ISO 8601 date or instant.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def axis_of(weeks: Sequence[str]) -> Axis:
    """The axis from the first of these weeks to the end of the last. Raises DataError for what is no date."""
    found = [moment(week) for week in weeks]
    first = min(found)
    first -= timedelta(days=first.weekday())
    many = int((max(found) - first) / _WEEK) + 1
    return Axis(first=first, weeks=many, step=min(max(_WIDE // many, _LEAST), _MOST))


def chart(axis: Axis, lanes: Sequence[Lane], told: str, gap: int = 4) -> Html:
    """The lanes, `gap` pixels apart, under the ruler of their weeks; `told` says what there is to see."""
    names, drawn, top = list[Html](), list[Html](), _RULER
    for lane in lanes:
        names.append(_name(lane, top))
        drawn.append(el("g", *lane.drawn, transform=f"translate(0 {top})"))
        top += lane.height + gap
    ruler, lines = _ruler(axis, top)
    return el(
        "div",
        el("svg", *names, class_="names", width=_NAMES, height=top, aria_hidden="true"),
        el("svg", *lines, *ruler, *drawn, width=axis.width + 8, height=top, role="img", aria_label=told),
        class_="time",
        tabindex=0,
        role="group",
        aria_label=told,
    )


def day(instant: str) -> str:
    """An instant as it is shown: to the minute, in UTC.

    >>> day("2013-03-04T06:00:00Z")
    '2013-03-04 06:00'
    """
    return instant[:16].replace("T", " ")


def short(text: str, letters: int) -> str:
    """The text, cut where it is too long for its place.

    >>> short("carrier_late_share_of_7_days", 12)
    'carrier_lat…'
    """
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _name(lane: Lane, top: int) -> Html:
    middle = top + min(lane.height / 2, 12)
    letters = _LETTERS - (_FIGURE if lane.ticks else 0)
    name = el("text", short(lane.name, letters), el("title", lane.told or lane.name), x=0, y=middle + 4)
    ticks = [el("text", said, x=_NAMES - 8, y=round(top + y + 4, 1), class_="tick") for y, said in lane.ticks]
    return el("g", name, *ticks)


def _ruler(axis: Axis, height: int) -> tuple[list[Html], list[Html]]:
    """(labels, upright lines): months, or each week where there is room for its date."""
    labels, path = [], ""
    if axis.step >= _ROOM:
        marks = [(float(at * axis.step), f"{axis.first + at * _WEEK:%-d %b}") for at in range(axis.weeks)]
    else:
        marks = _months(axis)
    free = 0.0
    for x, said in marks:
        path += f"M{x} {_RULER - 6}V{height}"
        if free <= x <= axis.width + 8 - LETTER * len(said):
            labels.append(el("text", said, x=x, y=11, class_="month"))
            free = x + LETTER * (len(said) + 1)
    return labels, [el("path", d=path, class_="grid")]


def _months(axis: Axis) -> list[tuple[float, str]]:
    """Where months begin, and the first week; years where they do."""
    marks = [(0.0, f"{axis.first:%b %Y}")]
    begin = axis.first.replace(day=1)
    while (begin := (begin + timedelta(days=32)).replace(day=1)) < axis.first + axis.weeks * _WEEK:
        marks.append((axis.at(begin.isoformat()), f"{begin:%b %Y}" if begin.month == 1 else f"{begin:%b}"))
    return marks
