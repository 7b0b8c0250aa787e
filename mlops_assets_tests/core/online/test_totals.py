"""Running totals: a change rewrites them to what adding everything up anew would give."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.online.totals import Applied, Change, Entry, Place, Total, rewritten, wrapped
from mlops_assets.declare import DataError

CALM = settings(deadline=None)
PLACES = st.tuples(st.integers(-3, 6), st.sampled_from([b"\x01a", b"\x01b", b"\x01c"]))
ADDS = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)])
ENTRIES = st.dictionaries(PLACES, ADDS, max_size=8)


def entries(added: dict[Place, int]) -> list[Entry]:
    return [Entry(*place, v, v % 2 == 0) for place, v in sorted(added.items())]


def anew(added: dict[Place, int]) -> list[Total]:
    """All totals from the first, in the simplest way."""
    rows = entries(added)
    sums = accumulate(entry.v for entry in rows)
    return [
        Total(e.t, e.row, n, (s + 2**63) % 2**64 - 2**63, e.value)
        for n, (e, s) in enumerate(zip(rows, sums, strict=True), 1)
    ]


def made(kept: list[Total], change: Change) -> tuple[list[Total], Applied]:
    """A change of these totals, cut where a store would cut them."""
    place = sum(total[:2] < change.first for total in kept)
    new = rewritten(kept[place - 1] if place else None, kept[place:], change)
    return [*kept[:place], *new.totals], new.applied


@CALM
@given(ENTRIES, ENTRIES, st.sets(PLACES, max_size=4))
def test_a_change_gives_what_adding_up_anew_gives(
    old: dict[Place, int], new: dict[Place, int], gone: set[Place]
) -> None:
    added = {place: v for place, v in new.items() if place not in old or place in gone}
    change = Change(added=tuple(entries(added)), removed=tuple(sorted(gone)))
    if not added and not gone:
        return
    standing = {place: v for place, v in old.items() if place not in gone}

    kept, applied = made(anew(old), change)

    assert kept == anew(standing | added)
    assert (applied.added, applied.removed, applied.known) == (len(added), len(gone & old.keys()), 0)


@CALM
@given(ENTRIES, ENTRIES.filter(bool))
def test_twice_is_once(old: dict[Place, int], new: dict[Place, int]) -> None:
    change = Change(added=tuple(entries({place: old.get(place, v) for place, v in new.items()})))
    once, _ = made(anew(old), change)

    assert made(once, change) == (once, Applied(known=len(new)))


@CALM
@given(st.integers(), st.integers())
def test_a_difference_of_totals_is_right_whatever_they_have_grown_to(before: int, added: int) -> None:
    assert wrapped(wrapped(before + added) - wrapped(before)) == wrapped(added)
    assert -(2**63) <= wrapped(before) < 2**63


def test_what_lies_at_or_before_the_base_of_a_pruned_key_is_left_alone() -> None:
    base, behind = Total(10, b"\x01b", 5, 50, None), Total(20, b"\x01a", 6, 57, None)
    old = Entry(9, b"\x01z", 1, None), Entry(10, b"\x01b", 99, None)
    new = rewritten(None, [base, behind], Change(added=(*old, Entry(15, b"\x01c", 3, None)), removed=((10, b"\x01b"),)))

    assert new.totals == (base, Total(15, b"\x01c", 6, 53, None), Total(20, b"\x01a", 7, 60, None))
    assert (new.deleted, new.applied) == ((), Applied(added=1, known=2))


@pytest.mark.parametrize("other", [Entry(10, b"\x01a", 2, 1), Entry(10, b"\x01a", 1, 2)], ids=["adds", "shows"])
def test_an_event_with_another_value_is_refused(other: Entry) -> None:
    with pytest.raises(DataError, match=r"one event has one value\. Correct the week's file"):
        rewritten(None, [Total(10, b"\x01a", 1, 1, 1)], Change(added=(other,)))


def test_an_event_with_another_value_replaces_the_one_that_is_removed() -> None:
    change = Change(added=(Entry(10, b"\x01a", 2, 2),), removed=((10, b"\x01a"),))
    new = rewritten(None, [Total(10, b"\x01a", 1, 1, 1), Total(11, b"\x01a", 2, 5, 4)], change)

    assert new.totals == (Total(10, b"\x01a", 1, 2, 2), Total(11, b"\x01a", 2, 6, 4))
    assert (new.deleted, new.applied) == ((), Applied(added=1, removed=1))
