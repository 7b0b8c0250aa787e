"""What is asked and told when: every request within its week, every outcome once it is known, wherever one begins."""

from itertools import pairwise

import pytest

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.replay.stretches import Stretch, stretches
from mlops_assets.replay.timeline import Asked, Matured
from mlops_assets.replay.timeline import asked as as_one_by_one
from mlops_assets_tests.core import tiny
from mlops_assets_tests.replay import parcels

WEEKS = tiny.WEEKS[:3]
USE_CASE = parcels.use_case()


def played(keys: tuple[str, ...] = WEEKS, rows: int = 300, **options: object) -> list[Stretch]:
    return list(stretches(USE_CASE, parcels.weeks(rows), keys, seed=1, **options))  # type: ignore[arg-type]


def begin_of(week: str) -> int:
    return instant_us(USE_CASE.partitions.bounds(week)[0])


def one_by_one(week: str) -> list[Asked | Matured]:
    requests, rows, columns = parcels.weeks(300).sent(week, features=True)
    return list(as_one_by_one(USE_CASE, requests, rows, columns, seed=1))


def test_every_request_is_asked_once_with_the_id_and_the_values_it_has_one_by_one() -> None:
    due = {one.id: one for week in WEEKS for one in one_by_one(week) if isinstance(one, Asked)}
    met = {
        id_: ({name: values[n] for name, values in stretch.asked.columns.items()}, stretch)
        for stretch in played()
        for n, id_ in enumerate(stretch.asked.ids)
    }

    assert {id_: row for id_, (row, _) in met.items()} == {id_: dict(one.row) for id_, one in due.items()}
    assert all(stretch.at_us <= due[id_].at_us < stretch.until_us for id_, (_, stretch) in met.items())
    assert sum(len(stretch.asked.ids) for stretch in played()) == len(due) == 900


def test_every_outcome_is_told_in_the_first_stretch_after_it_is_known() -> None:
    due = {one.id: one for week in WEEKS for one in one_by_one(week) if isinstance(one, Matured)}
    told = {one.id: (one, stretch.at_us) for stretch in played() for one in stretch.matured}

    assert {id_: one for id_, (one, _) in told.items()} == due
    assert all(one.known_us <= at < one.known_us + 600_000_000 for one, at in told.values())


def test_stretches_follow_each_other_and_something_happens_in_each() -> None:
    all_of_them = played()

    assert all(before.until_us <= after.at_us for before, after in pairwise(all_of_them))
    assert all(stretch.until_us == stretch.at_us + 600_000_000 for stretch in all_of_them)
    assert all(stretch.asked.ids or stretch.matured for stretch in all_of_them)


def test_outcomes_are_carried_over_the_end_of_a_week_and_after_the_last_one() -> None:
    ids = {id_ for stretch in played((WEEKS[0],)) for id_ in stretch.asked.ids}
    both = [stretch for stretch in played() if stretch.at_us >= begin_of(WEEKS[1])]
    alone = [stretch for stretch in played((WEEKS[0],)) if stretch.at_us >= begin_of(WEEKS[1])]

    carried = [one for stretch in both for one in stretch.matured if one.id in ids]
    assert carried and carried == [one for stretch in alone for one in stretch.matured]


@pytest.mark.parametrize("since", WEEKS)
@pytest.mark.parametrize("delay", [0, 9 * 86_400_000_000])
def test_who_begins_between_two_weeks_plays_what_the_others_play_from_there_on(since: str, delay: int) -> None:
    options = {"delayed_us": {WEEKS[0]: delay}}
    rest = [stretch for stretch in played(**options) if stretch.at_us >= begin_of(since)]

    assert played(since=since, **options) == rest


def test_outcomes_that_are_delayed_are_told_later_and_were_known_when_they_were() -> None:
    delay = 21 * 86_400_000_000
    due = {one.id: one for one in one_by_one(WEEKS[0]) if isinstance(one, Matured)}
    told = [one for stretch in played(delayed_us={WEEKS[0]: delay}) for one in stretch.matured if one.id in due]

    assert len(told) == len(due)
    assert all(one.at_us == one.known_us + delay and one.known_us == due[one.id].known_us for one in told)


def test_a_request_as_of_an_instant_before_its_week_is_asked_as_the_week_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, weeks = WEEKS[1], parcels.Parcels(300)
    table, sunday = weeks.tables(key)["parcels"], weeks.tables(WEEKS[0])["parcels"]["asked"][-1:]
    early = table.set_column(table.column_names.index("asked"), "asked", sunday.take([0] * 300))
    monkeypatch.setattr(weeks, "tables", lambda _: {"parcels": early})
    (first, *_) = stretches(USE_CASE, weeks, (key,), seed=1)  # type: ignore[arg-type]

    assert (first.at_us, len(first.asked.ids)) == (begin_of(key), 300)


def test_of_more_than_may_be_asked_so_many_are_drawn_by_the_seed_with_their_outcomes() -> None:
    some = played(most=50)
    ids = [id_ for stretch in some for id_ in stretch.asked.ids]

    assert len(ids) == 150
    assert {one.id for stretch in some for one in stretch.matured} <= set(ids)


def test_one_week_is_read_at_a_time() -> None:
    weeks = parcels.Parcels(300)
    coming = stretches(USE_CASE, weeks, WEEKS, seed=1)  # type: ignore[arg-type]
    next(coming)

    assert set(weeks.read) == {WEEKS[0]}
