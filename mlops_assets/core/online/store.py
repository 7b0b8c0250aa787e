"""What an online store must do: the interface that the embedded one and the one on a server share."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from mlops_assets.core.online.ordered import moment
from mlops_assets.core.online.totals import Applied, Change, Total
from mlops_assets.declare import DataError


class Ask(NamedTuple):
    """What was known of `key` in `series` at `t` (us since 1970)?"""

    series: str
    key: bytes
    t: int


class PrunedError(DataError):
    """The question is older than the history that is kept. The message says what is kept."""


class OnlineStore(Protocol):
    """Running totals by (series, key). A change is seen whole or not at all, also by a reader in another process.

    `kept_since` is the oldest as_of (us since 1970) that can be answered, None before anything was pruned.
    """

    def look_up(self, as_of: int, asks: Sequence[Ask]) -> list[Total | None]:
        """For every ask the last total with `total.t <= ask.t`, None where nothing was known; all of one moment.

        Raises PrunedError when `as_of` lies before `kept_since`.
        """
        ...

    def apply(self, changes: Mapping[tuple[str, bytes], Change], notes: Mapping[str, str] | None = None) -> Applied:
        """Make the changes of each (series, key), and write the notes, in one piece. Twice is once.

        Raises DataError when an event is there with another value; then nothing is changed.
        """
        ...

    def totals(self, series: str, key: bytes, after: int, until: int) -> list[Total]:
        """The totals of one key with `after < t <= until`, in order: for finding out why two answers differ."""
        ...

    def prune(self, as_of: int, reach: Mapping[str, int]) -> int:
        """Forget what no question asked at `as_of` or later can need; returns how many entries went.

        `reach` says for each series how far back (us) a question looks; series that are not named are kept whole. An
        `as_of` before `kept_since` changes nothing.
        """
        ...

    @property
    def kept_since(self) -> int | None: ...

    def note(self, name: str) -> str | None:
        """What was written down under a name by `apply`."""
        ...

    def entries(self) -> int:
        """How many entries are kept."""
        ...

    def close(self) -> None: ...


def refuse_pruned(as_of: int, kept_since: int | None) -> None:
    """Raises PrunedError when a question is older than what is kept."""
    if kept_since is not None and as_of < kept_since:
        raise PrunedError(
            f"as_of == {moment(as_of).isoformat()} lies before {moment(kept_since).isoformat()}, the oldest question "
            "whose history the online store still keeps: ask the feature table of that week."
        )
