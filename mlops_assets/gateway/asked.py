"""A request under way: its rows, their answers so far, and the lanes they wait on.

Here belong the records of `batching.py`; they decide nothing. Rows of a request that go the same way stay
together: what they have in common is there once.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mlops_assets.core.rollout.words import Arm
from mlops_assets.gateway.columns import ColumnEncoder
from mlops_assets.gateway.requests import Question
from mlops_assets.stores.serving.watch import Routing

Array = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True, eq=False)
class Part:
    """Rows of a request that one call of `version` settled: their scores (None: it has none), and what went wrong.

    `bad` and `challenger_bad` list the rates the call, and a challenger's failed call before it, count for; the first
    row stands for the call, and for the failed one, where `lead` and `challenger_lead` say so.
    """

    rows: Sequence[int]
    scores: Sequence[float | None]
    version: int
    arm: Arm
    took_us: int
    routing: Routing
    assigned: Arm
    bad: str
    challenger_bad: str
    reason: str
    fell_back: bool
    lead: bool
    challenger_lead: bool


@dataclass(slots=True, kw_only=True)
class Answer:
    """What a request is told: a score for each row; the versions that gave them, and their arms."""

    scores: list[float]
    versions: list[int]
    arms: list[str]


@dataclass(slots=True, kw_only=True, eq=False)
class Asked:
    """An admitted request: what it asks, when (us), by when it must be answered (s), and the answers so far."""

    id: str
    question: Question
    content: str
    received_us: int
    due: float
    done: "asyncio.Future[Answer]"
    left: int
    parts: list[Part] = field(default_factory=list)
    _encoded: dict[str, Array] = field(default_factory=dict)

    def id_of(self, row: int) -> str:
        """The id of a row's prediction: the request's, with the row's number where there are several."""
        return self.id if self.question.rows == 1 else f"{self.id}:{row}"

    @property
    def over(self) -> bool:
        """True when nobody waits for it any more."""
        return self.done.done()

    def array(self, encoder: ColumnEncoder) -> Array:
        """All rows as a model takes them. Raises DataError."""
        found = self._encoded.get(encoder.version)
        if found is None:
            found = self._encoded[encoder.version] = encoder.encode(self.question.columns, self.question.rows)
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class Piece:
    """Rows of one request on their way to one arm.

    `alone`: it is called for itself, since a call it was in failed; `tries`: how many processes died under it.
    """

    asked: Asked
    rows: Sequence[int]
    routing: Routing
    assigned: Arm
    tries: int = 0
    alone: bool = False
    challenger_bad: str = ""
    challenger_lead: bool = False
    reason: str = ""
    fell_back: bool = False

    def array(self, encoder: ColumnEncoder) -> Array:
        """Its rows as a model takes them. Raises DataError."""
        whole = self.asked.array(encoder)
        return whole if len(self.rows) == len(whole) else whole[list(self.rows)]


@dataclass(slots=True, eq=False)
class Lane:
    """What waits for one arm: rows of users, and mirrored ones, which come after them."""

    arm: Arm
    waiting: deque[Piece] = field(default_factory=deque)
    mirrored: deque[Piece] = field(default_factory=deque)
    mirrored_rows: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)  # something waits
    quiet: asyncio.Event = field(default_factory=asyncio.Event)  # nothing waits, and nothing is called

    def __post_init__(self) -> None:
        self.quiet.set()

    def add(self, piece: Piece) -> None:
        """Let a piece wait."""
        self.waiting.append(piece)
        self._rouse()

    def back(self, pieces: Sequence[Piece]) -> None:
        """Let pieces wait before all others."""
        self.waiting.extendleft(reversed(pieces))
        self._rouse()

    def mirror(self, piece: Piece, most: int) -> bool:
        """Let a piece be mirrored; False when more than `most` rows would wait for it."""
        if self.mirrored_rows + len(piece.rows) > most:
            return False
        self.mirrored.append(piece)
        self.mirrored_rows += len(piece.rows)
        self._rouse()
        return True

    def taken(self, together: int) -> list[Piece]:
        """The pieces of the next call: one that is alone, or as many as begin within `together` rows."""
        pieces: list[Piece] = []
        rows = 0
        while self.waiting and rows < together and not (pieces and self.waiting[0].alone):
            piece = self.waiting.popleft()
            if piece.asked.over:
                continue
            pieces.append(piece)
            rows += together if piece.alone else len(piece.rows)
        return pieces

    def taken_mirrored(self, together: int) -> list[Piece]:
        """The pieces of the next call that nobody waits for."""
        pieces: list[Piece] = []
        rows = 0
        while self.mirrored and (not pieces or rows + len(self.mirrored[0].rows) <= together):
            pieces.append(self.mirrored.popleft())
            rows += len(pieces[-1].rows)
        self.mirrored_rows -= rows
        return pieces

    def rest(self) -> None:
        """Nothing waits: until something does."""
        self.wake.clear()
        self.quiet.set()

    def _rouse(self) -> None:
        self.wake.set()
        self.quiet.clear()
