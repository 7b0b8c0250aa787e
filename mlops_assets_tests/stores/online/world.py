"""The little world of the online stores' tests, and a process that writes into it and can be killed.

A *round* is one change of every key: one entry more for each. Run as a program it applies rounds to a store:
`python -m mlops_assets_tests.stores.online.world <url> <writer> <first round> <end>`, one line on stdout for each.
"""

import sys

from mlops_assets.core.online import Ask, OnlineStore
from mlops_assets.core.online.ordered import ordered
from mlops_assets.core.online.totals import Change, Entry
from mlops_assets.declare import Kind
from mlops_assets.stores.online import open_online

KEYS = [ordered((f"key {number}",), (Kind.STRING,)) for number in range(100)]
LATE = 10**9  # after every round


def row(*numbers: int) -> bytes:
    """A row key of whole numbers."""
    return ordered(numbers, [Kind.INT] * len(numbers))


def entry(t: int, number: int, v: int = 1, value: int | float | str | bool | None = None) -> Entry:
    return Entry(t, row(number), v, value)


def added(*entries: Entry) -> dict[tuple[str, bytes], Change]:
    """A change of one key that adds these."""
    return {("late", KEYS[0]): Change(added=entries)}


def turn(number: int, writer: int = 0) -> dict[tuple[str, bytes], Change]:
    """One round: an entry more for every key."""
    return {("late", key): Change(added=(Entry(number, row(writer, number), number, number),)) for key in KEYS}


def counted(store: OnlineStore) -> set[tuple[int, int]]:
    """How many entries the keys have and what they add up to, all of one moment: one pair when changes come whole."""
    found = store.look_up(LATE, [Ask("late", key, LATE) for key in KEYS])
    return {(total.n, total.s) if total else (0, 0) for total in found}


def _write(url: str, writer: str, first: str, end: str) -> None:
    store = open_online(url)
    for number in range(int(first), int(end)):
        store.apply(turn(number, int(writer)), {f"writer {writer}": str(number)})
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _write(*sys.argv[1:])
