"""The records of the prediction log: an answer, the other arm's answer, a request without one, the truth.

Here belong their fields and what each must satisfy before it is written. They are made for every row that is served,
so they are plain structs, checked once, where they are handed in. Instants are us since 1970, UTC.
"""

import math
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from mlops_assets.core.rollout.words import Arm
from mlops_assets.declare.errors import DataError

ID_LONGEST, TEXT_LONGEST = 128, 1_000
BESIDE = "beside"  # in the place of rates: another row of the same call stands for it
_ARMS = tuple(arm.value for arm in Arm)
# an instant has a calendar day in every time zone
_EARLIEST_US, _LATEST_US = -(10**16), 10**17  # the years 1653 and 5138


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answer: who gave it and why that model, of which features, what it said, how long the scoring took.

    `id` is the request's id, or `<request>:<row>` where a request has several rows. `version` answered; `assigned` is
    the arm the unit belongs to ("champion", "challenger"), `share` the challenger's share then. `status` is "ok",
    "fallback" (the champion answered since the challenger failed) or "error" (`score` is None); `bad` and
    `challenger_bad` list the rates the answer, and the challenger's failure before it, count for: "slow,invalid";
    all but one of the rows that were scored in one call say `BESIDE`. `features` is JSON of the values as given or
    looked up. `content` tells a request that is sent again from another of the same id; where it is empty, features
    and as_of do.
    """

    id: str
    request: str
    row: int
    unit: str
    rollout: str
    epoch: int
    stage: str
    share: float
    assigned: str
    version: int
    champion: int
    challenger: int | None
    as_of_us: int
    received_us: int
    answered_us: int
    score: float | None
    status: str
    reason: str
    latency_us: int
    challenger_bad: str
    bad: str
    content: str = ""
    features: str

    @property
    def arm(self) -> str:
        """Which arm answered."""
        return "challenger" if self.version == self.challenger else "champion"


class Mirrored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the other arm says to an answered row, after the answer: nobody waited for it."""

    id: str
    version: int
    arm: str
    score: float | None
    bad: str
    latency_us: int
    at_us: int


class Labelled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What turned out to be true of an answered row, since when that could be known, and when it was told."""

    id: str
    label: float
    known_us: int
    arrived_us: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request that got no prediction, and the status code it was told."""

    request: str
    status_code: int
    reason: str
    at_us: int


Record = Answered | Mirrored | Labelled | Failed


class Told(Enum):
    """What became of a record that was handed in.

    WRITTEN: it is there now. WAITING: so is the label, but no answer of its id yet. REPEATED: the same was there before
    and stands. CONFLICT: something else of that id was there before and stands.
    """

    WRITTEN = "written"
    WAITING = "waiting"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class Outcome(NamedTuple):
    """What became of a record; `stored` is what stands in its place, for REPEATED and CONFLICT."""

    told: Told
    stored: Record | None = None


WRITTEN, WAITING = Outcome(Told.WRITTEN), Outcome(Told.WAITING)


def checked(records: Sequence[Record]) -> list[Record]:
    """The records as they are written, with plain texts.

    Raises DataError for one that may not be written: an id that is none, a number that is none.
    """
    return [_checked(record) for record in records]


def _checked(record: Record) -> Record:
    if isinstance(record, Answered):
        check_id("id", record.id)
        _check_number("score", record.id, record.score)
        if not _EARLIEST_US < record.as_of_us < _LATEST_US:
            raise DataError(f"prediction {record.id!r}: as_of_us == {record.as_of_us}, must be us since 1970.")
        _check_arm("assigned", record.id, record.assigned)
        request, unit, reason = plain(record.request), plain(record.unit), plain(record.reason)
        if request is not record.request or unit is not record.unit or reason is not record.reason:
            return msgspec.structs.replace(record, request=request, unit=unit, reason=reason)
    elif isinstance(record, Failed):
        return msgspec.structs.replace(record, request=plain(record.request), reason=plain(record.reason))
    elif isinstance(record, Mirrored):
        check_id("id", record.id)
        _check_number("score", record.id, record.score)
        _check_arm("arm", record.id, record.arm)
    else:
        check_id("id", record.id)
        _check_number("label", record.id, record.label)
    return record


def plain(text: str) -> str:
    """A text that every database and page can hold: one line, at most 1000 characters.

    >>> plain("it broke:\\n\\tnobody knows why"), len(plain("x" * 5_000))
    ('it broke:??nobody knows why', 1000)
    """
    if len(text) <= TEXT_LONGEST and text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text[:TEXT_LONGEST])


def check_id(name: str, given: str) -> str:
    """The id itself; DataError unless it is 1 to 128 printable characters, which a store and a page can hold."""
    if not (0 < len(given) <= ID_LONGEST and given.isprintable()):
        raise DataError(f"{name} == {given[:ID_LONGEST]!r}, must be 1 to {ID_LONGEST} printable characters.")
    return given


def _check_number(name: str, id: str, value: float | None) -> None:
    if value is not None and not math.isfinite(value):
        raise DataError(f"prediction {id!r}: {name} == {value}, must be finite: an answer that is none is None.")


def _check_arm(name: str, id: str, value: str) -> None:
    if value not in _ARMS:
        raise DataError(f"prediction {id!r}: {name} == {value!r}, must be one of {_ARMS}.")


def same_request(one: Answered, other: Answered) -> bool:
    """Do two answers of one id answer the same question?"""
    if one.content or other.content:
        return one.content == other.content
    return (one.features, one.as_of_us) == (other.features, other.as_of_us)
