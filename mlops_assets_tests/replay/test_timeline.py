"""What a week tells, in which order: of the shipped weeks, by their declarations alone."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.online import MemoryStore
from mlops_assets.declare import UseCase
from mlops_assets.replay.timeline import Asked, Matured, Moment, Told, asked, in_order, request_id, told, week_by_week
from mlops_assets.replay.weeks import Weeks
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.journal import Journal
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.settings import PROJECT
from mlops_assets.stores.write_path import WritePath
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING

WEEKS = {FLIGHT_DELAYS.name: "2013-02-25", PARKING.name: "2016-11-07"}
BOTH = pytest.mark.parametrize("use_case", [FLIGHT_DELAYS, PARKING], ids=lambda use_case: use_case.name)


def weeks(use_case: UseCase) -> Weeks:
    landing = Landing(PROJECT / "data" / "landing" / use_case.name)
    return Weeks(use_case, AssetStore(f"memory://no-week-of-{use_case.name}"), landing)


@pytest.fixture(scope="module")
def tables() -> Mapping[str, Mapping[str, pa.Table]]:
    return {use_case.name: weeks(use_case).tables(WEEKS[use_case.name]) for use_case in (FLIGHT_DELAYS, PARKING)}


def requests(use_case: UseCase, tables: Mapping[str, pa.Table], **options: Any) -> list[Asked | Matured]:
    rows = tables[use_case.requests.table]
    return list(asked(use_case, rows, rows, [use_case.requests.as_of], **{"seed": 1, **options}))


@BOTH
def test_every_row_is_told_whole_and_nothing_twice(
    use_case: UseCase, tables: Mapping[str, Mapping[str, pa.Table]]
) -> None:
    rows = tables[use_case.name]
    values: dict[str, Counter[str]] = {}
    for event in told(use_case, rows):
        table = use_case.table(event.table)
        values.setdefault(event.table, Counter()).update(n for n in event.values if n not in table.key)

    for name, counts in values.items():
        landed = {c.name for c in use_case.table(name).columns} - set(use_case.table(name).key)
        assert counts == dict.fromkeys(landed, rows[name].num_rows)


@BOTH
def test_the_gate_takes_every_event_when_it_becomes_known(
    use_case: UseCase, tables: Mapping[str, Mapping[str, pa.Table]], tmp_path: Path
) -> None:
    rows = tables[use_case.name]
    day = in_order(told(use_case, rows))[:900]
    lookups = {name: rows[name] for table in use_case.tables for name in table.looks_up}
    outcomes: Counter[str] = Counter()
    with closing(Journal(tmp_path / "journal.db")) as journal:
        way = WritePath(use_case, journal, MemoryStore(), lambda: lookups)
        for n in range(0, len(day), 100):
            for name in {event.table for event in day[n : n + 100]}:
                batch = [event for event in day[n : n + 100] if event.table == name]
                found = way.accept(name, [event.values for event in batch], batch[-1].at_us)
                outcomes.update(outcome.reason or outcome.status for outcome in found)

    assert outcomes == {"accepted": 900}


def test_a_departure_is_told_before_its_landing_and_a_cancelled_flight_at_once(
    tables: Mapping[str, Mapping[str, pa.Table]],
) -> None:
    by_flight: dict[tuple[object, ...], list[Told]] = {}
    for event in told(FLIGHT_DELAYS, {**tables["flight_delays"]}):
        if event.table == "flights":
            key = tuple(event.values[name] for name in FLIGHT_DELAYS.request_table.key)
            by_flight.setdefault(key, []).append(event)

    flown = next(told for told in by_flight.values() if len(told) == 2)
    assert "dep_delay" in flown[0].values
    assert "arr_delay" not in flown[0].values
    assert "arr_delay" in flown[1].values
    assert flown[0].at_us < flown[1].at_us
    cancelled = next(told for told in by_flight.values() if len(told) == 1)
    assert cancelled[0].values["dep_time"] is None


@BOTH
def test_what_is_known_by_then_comes_before_who_asks_then(
    use_case: UseCase, tables: Mapping[str, Mapping[str, pa.Table]]
) -> None:
    moments = in_order([*requests(use_case, tables[use_case.name]), *told(use_case, tables[use_case.name])])

    order = [(moment.at_us, isinstance(moment, Asked)) for moment in moments]
    assert order == sorted(order)


@BOTH
def test_an_outcome_matures_after_its_request(use_case: UseCase, tables: Mapping[str, Mapping[str, pa.Table]]) -> None:
    moments = requests(use_case, tables[use_case.name])
    asked_at = {moment.id: moment.at_us for moment in moments if isinstance(moment, Asked)}

    matured = [moment for moment in moments if isinstance(moment, Matured)]
    assert len(asked_at) == tables[use_case.name][use_case.requests.table].num_rows
    assert matured
    assert all(moment.at_us > asked_at[moment.id] for moment in matured)


def test_outcomes_at_once_follow_their_requests_and_keep_when_they_were_known(
    tables: Mapping[str, Mapping[str, pa.Table]],
) -> None:
    real, told_at_once = (
        {one.id: one for one in requests(FLIGHT_DELAYS, tables["flight_delays"], at_once=at_once)
         if isinstance(one, Matured)}
        for at_once in (False, True)
    )  # fmt: skip

    moments = in_order(requests(FLIGHT_DELAYS, tables["flight_delays"], at_once=True))
    asked_at = {one.id: one.at_us for one in moments if isinstance(one, Asked)}
    assert {id_: one.known_us for id_, one in told_at_once.items()} == {id_: one.at_us for id_, one in real.items()}
    assert all(one.at_us == asked_at[id_] + 1 for id_, one in told_at_once.items())


def test_the_seed_draws_the_same_requests_again_and_another_seed_others(
    tables: Mapping[str, Mapping[str, pa.Table]],
) -> None:
    def drawn(seed: int) -> list[str]:
        found = requests(PARKING, tables["parking"], seed=seed, most=50)
        return [moment.id for moment in found if isinstance(moment, Asked)]

    assert drawn(1) == drawn(1)
    assert len(drawn(1)) == 50
    assert not set(drawn(1)) & set(drawn(2))


def test_an_id_is_of_the_use_case_the_seed_and_the_key() -> None:
    assert request_id(PARKING, 1, ["a", 2]) == request_id(PARKING, 1, ["a", 2])
    ids = [request_id(u, s, k) for u in (PARKING, FLIGHT_DELAYS) for s in (1, 2) for k in (["a"], ["b"], ["a", "b"])]
    assert len(set(ids)) == 12


@BOTH
@pytest.mark.parametrize("features", [True, False])
def test_sent_rows_are_those_of_the_requests(use_case: UseCase, features: bool) -> None:
    asked_rows, rows, columns = weeks(use_case).sent(WEEKS[use_case.name], features=features)

    assert rows.num_rows == asked_rows.num_rows
    assert set(use_case.rollout.unit) <= set(columns)
    for name in set(use_case.request_table.key) & set(rows.column_names):
        assert rows[name].to_pylist() == asked_rows[name].to_pylist()


@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=5))
def test_weeks_that_overlap_are_one_series_in_order(weeks: list[list[int]]) -> None:
    starts = [10 * n for n in range(len(weeks))]
    each: list[list[Moment]] = [
        [Matured(start + at, f"{start}", True, 0) for at in sorted(week)]
        for start, week in zip(starts, weeks, strict=True)
    ]
    played = list(week_by_week(each))

    assert Counter(played) == Counter(moment for week in each for moment in week)
    if all(week and week[0] == 0 for week in map(sorted, weeks)):  # each week begins with its first moment
        assert [moment.at_us for moment in played] == sorted(moment.at_us for moment in played)
