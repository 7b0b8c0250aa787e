"""What time it is for the graph: the wall clock's, or the instant at which a history is played again.

Every instant that is written down or compared with comes from here, so that a replay tells its own time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_INSTANT: ContextVar[datetime | None] = ContextVar("instant", default=None)


def now() -> str:
    """The instant, ISO 8601 in UTC, to the second."""
    return (_INSTANT.get() or datetime.now(UTC)).isoformat(timespec="seconds")


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Let it be `instant` (with a zone) for this thread within the block.

    >>> with at(datetime(2013, 3, 6, 5, tzinfo=UTC)):
    ...     now()
    '2013-03-06T05:00:00+00:00'
    """
    before = _INSTANT.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _INSTANT.reset(before)
