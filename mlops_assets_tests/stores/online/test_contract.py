"""What every online store promises, and that all of them answer alike: in memory, in a file, on a server."""

import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.core.online import Ask, MemoryStore, OnlineStore, PrunedError
from mlops_assets.core.online.ordered import EVER
from mlops_assets.core.online.totals import Applied, Change, Entry, Total
from mlops_assets.declare import DataError
from mlops_assets.stores.online import open_online
from mlops_assets_tests.stores.online.conftest import Places
from mlops_assets_tests.stores.online.world import KEYS, LATE, added, entry, row

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS = ("memory", "sqlite", "redis")
WHERE = ("late", KEYS[0])


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, new_place: Places) -> Iterator[OnlineStore]:
    opened = MemoryStore() if request.param == "memory" else open_online(new_place(request.param))
    yield opened
    opened.close()


def kept(store: OnlineStore) -> list[Total]:
    return store.totals(*WHERE, EVER, LATE)


def test_the_last_total_at_or_before_the_instant_is_found(store):
    store.apply(added(entry(10, 1, v=5), entry(20, 2, v=7), entry(20, 3, v=-1)))

    asks = [Ask(*WHERE, t) for t in (9, 10, 19, 20, LATE)]
    assert store.look_up(LATE, asks) == [
        None,
        Total(10, row(1), 1, 5, None),
        Total(10, row(1), 1, 5, None),
        Total(20, row(3), 3, 11, None),
        Total(20, row(3), 3, 11, None),
    ]


def test_nothing_is_known_of_another_key_or_series(store):
    store.apply(added(entry(10, 1)))

    assert store.look_up(LATE, [Ask("late", KEYS[1], LATE), Ask("other", KEYS[0], LATE)]) == [None, None]
    assert store.look_up(LATE, []) == []
    assert store.totals("other", KEYS[0], EVER, LATE) == []
    assert (store.note("absent"), store.kept_since, store.entries()) == (None, None, 1)


def test_a_request_may_ask_more_than_fits_one_statement(store):
    store.apply(
        {("late", key): Change(added=(entry(t, t, v=number),)) for number, key in enumerate(KEYS) for t in (1,)}
    )

    asks = [Ask("late", key, t) for t in range(5) for key in KEYS]
    assert [total and total.s for total in store.look_up(LATE, asks)] == [None] * 100 + list(range(100)) * 4


VALUES = [0, -1, 2**63 - 1, -(2**63), True, False, 0.1, -0.0, 5e-324, 1.0, "", "é", "1", None]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_the_very_same(store, value):
    store.apply(added(entry(10, 1, value=value)))

    (total,) = store.look_up(LATE, [Ask(*WHERE, LATE)])
    assert type(total.value) is type(value)
    assert total.value == value
    if isinstance(value, float):
        assert struct.pack("d", total.value) == struct.pack("d", value)


def test_sums_wrap_around_at_64_bits(store):
    store.apply(added(entry(1, 1, v=2**63 - 1), entry(2, 2, v=6), entry(3, 3, v=-9)))

    assert [total.s for total in kept(store)] == [2**63 - 1, -(2**63) + 5, 2**63 - 4]


def test_facts_of_always_are_found_by_every_question(store):
    store.apply(added(entry(EVER, 1, value=7)))

    assert store.look_up(0, [Ask(*WHERE, EVER), Ask(*WHERE, 0)]) == [Total(EVER, row(1), 1, 1, 7)] * 2


def test_applying_twice_is_applying_once(store):
    change = added(entry(10, 1, v=5, value=1.5), entry(20, 2, v=7, value=2.5))
    store.apply(change)
    once = kept(store)

    assert store.apply(change) == Applied(known=2)
    assert (kept(store), store.entries()) == (once, 2)


def test_a_late_entry_moves_the_totals_behind_it(store):
    store.apply(added(entry(10, 1, v=1), entry(30, 3, v=4)))
    store.apply(added(entry(20, 2, v=2)))

    assert [(total.t, total.n, total.s) for total in kept(store)] == [(10, 1, 1), (20, 2, 3), (30, 3, 7)]


def test_a_removed_entry_is_gone_from_the_totals_behind_it(store):
    store.apply(added(entry(10, 1, v=1), entry(20, 2, v=2), entry(30, 3, v=4)))
    gone = store.apply({WHERE: Change(removed=((20, row(2)), (25, row(9))))})

    assert gone == Applied(removed=1)
    assert [(total.t, total.n, total.s) for total in kept(store)] == [(10, 1, 1), (30, 2, 5)]


def test_a_corrected_value_takes_the_place_of_the_old(store):
    store.apply(added(entry(10, 1, v=1, value=1), entry(20, 2, v=2, value=2)))
    store.apply({WHERE: Change(added=(entry(10, 1, v=100, value=100),), removed=((10, row(1)),))})

    assert [(total.s, total.value) for total in kept(store)] == [(100, 100), (102, 2)]


def test_a_key_whose_entries_are_all_removed_is_as_if_never_seen(store):
    store.apply(added(entry(10, 1)))
    store.apply({WHERE: Change(removed=((10, row(1)),))})

    assert (kept(store), store.entries(), store.look_up(LATE, [Ask(*WHERE, LATE)])) == ([], 0, [None])
    assert store.apply(added(entry(11, 1))) == Applied(added=1)


def test_one_conflict_changes_nothing_at_all(store):
    store.apply(added(entry(10, 1, v=1)), {"week": "1"})
    with pytest.raises(DataError, match="one event has one value"):
        store.apply(
            {("aside", KEYS[0]): Change(added=(entry(5, 5),)), WHERE: Change(added=(entry(10, 1, v=2),))},
            {"week": "2"},
        )

    assert [total.s for total in kept(store)] == [1]
    assert (store.entries(), store.note("week")) == (1, "1")
    assert store.totals("aside", KEYS[0], EVER, LATE) == []
    assert store.apply({("aside", KEYS[0]): Change(added=(entry(5, 5),))}) == Applied(added=1)


def test_notes_come_with_the_change_and_the_newest_stays(store):
    store.apply(added(entry(10, 1)), {"week": "1", "é": "ü"})
    store.apply({}, {"week": "2"})

    assert (store.note("week"), store.note("é"), store.note("absent")) == ("2", "ü", None)


def test_totals_are_those_after_one_instant_until_another(store):
    store.apply(added(*(entry(t, t) for t in (1, 2, 3, 4))))

    assert [total.t for total in store.totals(*WHERE, 1, 3)] == [2, 3]


def test_a_question_older_than_what_is_kept_is_refused(store):
    store.apply(added(entry(10, 1), entry(20, 2)))
    store.prune(100, {"late": 50})

    assert store.kept_since == 100
    assert store.look_up(100, []) == []
    with pytest.raises(PrunedError, match=r"00\.000099\+00:00 lies before 1970-01-01T00:00:00\.000100"):
        store.look_up(99, [Ask(*WHERE, 99)])


def test_pruning_for_an_older_question_changes_nothing(store):
    store.apply(added(*(entry(t, t) for t in range(60))))
    store.prune(100, {"late": 50})
    once = kept(store)

    assert (once[0].t, once[0].n) == (50, 51)
    assert store.prune(99, {"late": 1}) == 0
    assert (kept(store), store.kept_since) == (once, 100)


def test_a_series_without_a_reach_is_kept_whole(store):
    store.apply({("fact", KEYS[0]): Change(added=(entry(1, 1), entry(2, 2)))} | added(entry(1, 1), entry(2, 2)))

    assert store.prune(100, {"late": 50, "never seen": 1}) == 2
    assert (len(store.totals("fact", KEYS[0], EVER, LATE)), store.entries()) == (2, 2)


# --- random histories ----------------------------------------------------------------------------------------------

SERIES = {"whole": st.integers(-(2**63), 2**63 - 1), "share": st.floats(allow_nan=False), "late": st.booleans(),
          "word": st.text(st.characters(codec="utf-8", exclude_characters="\0")), "sum": st.none()}  # fmt: skip
PLACES = st.tuples(st.integers(-5, 30), st.integers(-2, 4).map(row))
ADDS = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)])


@st.composite
def a_change(draw: st.DrawFn, series: str) -> Change:
    entries = {place: Entry(*place, draw(ADDS), draw(SERIES[series])) for place in draw(st.sets(PLACES, max_size=6))}
    removed = draw(st.sets(PLACES, max_size=3, min_size=0 if entries else 1))
    return Change(added=tuple(entries[place] for place in sorted(entries)), removed=tuple(sorted(removed)))


@st.composite
def some_changes(draw: st.DrawFn) -> dict[tuple[str, bytes], Change]:
    wheres = st.tuples(st.sampled_from(sorted(SERIES)), st.sampled_from(KEYS[:3]))
    return {where: draw(a_change(where[0])) for where in sorted(draw(st.sets(wheres, max_size=4)))}


STEPS = st.lists(some_changes() | st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=6)


def done(store: OnlineStore, step: dict[tuple[str, bytes], Change] | tuple[int, int]) -> object:
    """What a step says: of a change what was applied, or that it was refused; of a prune how many went."""
    if isinstance(step, tuple):
        return store.prune(step[0], dict.fromkeys(SERIES, step[1]))
    try:
        return store.apply(step, {"step": repr(step)})
    except DataError as refused:
        return str(refused)


def state(store: OnlineStore) -> str:
    """All that can be asked, as text, in which 1, 1.0 and True differ."""
    asks = [Ask(series, key, t) for series in SERIES for key in KEYS[:3] for t in range(-7, 33, 3)]
    everything = [store.totals(series, key, EVER, LATE) for series in SERIES for key in KEYS[:3]]
    return repr((store.look_up(LATE, asks), everything, store.entries(), store.kept_since, store.note("step")))


@MANY
@given(steps=STEPS)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_every_store_answers_like_the_one_in_memory_and_so_it_does_reopened(kind, new_place, steps):
    model, place = MemoryStore(), new_place(kind)
    store = open_online(place)
    for step in steps:
        assert done(store, step) == done(model, step)
        assert state(store) == state(model)
    store.close()

    again = open_online(place)
    assert state(again) == state(model)
    again.close()


def window(store: OnlineStore, as_of: int, reach: int) -> list[tuple[int, int, Total | None]]:
    """What features read at `as_of`: counts and sums within the reach, and the last event when it is that young."""
    read = []
    for key in KEYS[:3]:
        now, before = store.look_up(as_of, [Ask("whole", key, as_of), Ask("whole", key, as_of - reach)])
        n0, s0 = (before.n, before.s) if before else (0, 0)
        last = now if now and now.t > as_of - reach else None
        read.append(
            ((now.n if now else 0) - n0, ((now.s if now else 0) - s0) % 2**64, last and last._replace(n=0, s=0))
        )
    return read


@MANY
@given(
    batches=st.lists(st.dictionaries(st.sampled_from(KEYS[:3]), a_change("whole"), min_size=1), max_size=4),
    prunes=st.lists(st.integers(0, 40), min_size=1, max_size=3),
    reach=st.integers(1, 20),
)
@pytest.mark.parametrize("kind", KINDS)
def test_pruning_keeps_every_answer_that_can_still_be_asked(kind, new_place, batches, prunes, reach):
    whole, pruned = MemoryStore(), MemoryStore() if kind == "memory" else open_online(new_place(kind))
    for changes in ({("whole", key): change for key, change in batch.items()} for batch in batches):
        done(whole, changes)
        done(pruned, changes)
    for as_of in prunes:
        pruned.prune(as_of, {"whole": reach})

    assert pruned.kept_since == max(prunes)
    for as_of in range(max(prunes), 45):
        assert window(pruned, as_of, reach) == window(whole, as_of, reach)
    for key in KEYS[:3]:
        ts = [total.t for total in pruned.totals("whole", key, EVER, LATE)]
        assert all(later > max(prunes) - reach for _, later in pairwise(ts)), "an entry was kept that nobody needs"
    pruned.close()
