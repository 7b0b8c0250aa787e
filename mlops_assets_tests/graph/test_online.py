"""The online store through the real graph: what is served is what was trained on, and it says so when it is not."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.online import OnlineFeatures
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare import DataError
from mlops_assets.graph.online import FeatureStore
from mlops_assets.stores.online.sqlite import SqliteStore
from mlops_assets_tests.graph.world import WEEKS, World, reason, small_world

FIRST, SECOND, THIRD = WEEKS[:3]


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of which two weeks are online."""
    with small_world(tmp_path_factory.mktemp("online")) as world:
        for week in (FIRST, SECOND):
            checked(world.run("data", week))
        yield world


def checked(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    """The skew check's evaluation of a run in which nothing else failed."""
    assert reason(result) == ""
    return next(e for e in result.get_asset_check_evaluations() if e.check_name == "served_equals_trained")


def store_of(world: World) -> FeatureStore:
    return FeatureStore(online=world.places.online, journals=world.places.journal)


def database(world: World) -> Path:
    return Path(world.places.online) / f"{world.use_case.name}.db"


def requests(world: World, week: str) -> pa.Table:
    return world.store.load(f"{world.use_case.name}/validated_dataset", week).tables["flights"]


def served(world: World, asked: pa.Table) -> pa.Table:
    with store_of(world).store(world.use_case) as store:
        return OnlineFeatures(world.use_case, store).table(asked)


def features(world: World, week: str) -> list[dict[str, Any]]:
    rows = world.store.load(f"{world.use_case.name}/feature_table", week).tables["features"].to_pylist()
    return sorted(rows, key=lambda row: tuple(row[name] for name in world.use_case.request_table.key))


def flight_events(world: World, week: str, number: int, landed: datetime) -> dict[str, Any]:
    """A flight that no file tells of, told to its end: one of the week's with another number."""
    table = world.use_case.table("flights")
    flown = next(row for row in requests(world, week).to_pylist() if row["arr_utc"] and row["arr_utc"] < landed)
    return {c.name: flown[c.name] for c in table.columns} | {"flight": number, "arr_delay": 500, "dep_delay": 500}


def test_what_is_served_is_what_was_trained_on_week_by_week(online: World) -> None:
    said = checked(online.run("data", THIRD))

    assert said.passed
    assert str(said.description).endswith("requests compared, none differs.")
    assert said.metadata["values that differ"].value == 0
    assert int(str(said.metadata["values compared"].value)) >= 700 * len(online.use_case.features)


def test_an_entry_withheld_from_the_online_store_fails_the_check_which_names_it(online: World) -> None:
    with closing(sqlite3.connect(database(online))) as db:
        begin = instant_us(online.use_case.partitions.bounds(THIRD)[0])
        where = "series = (SELECT id FROM series WHERE name LIKE 'weather(%).temp%') AND t > ? "
        kept = db.execute(f"SELECT * FROM totals WHERE {where}", (begin + 2 * 86_400_000_000,)).fetchall()  # noqa: S608  # ours
        db.execute(f"DELETE FROM totals WHERE {where}", (begin + 2 * 86_400_000_000,))  # noqa: S608  # ours
        db.commit()
        check = dg.AssetCheckKey(dg.AssetKey(["thin_delays", "feature_table"]), "served_equals_trained")
        job = online.defs.resolve_job_def("thin_delays_data").get_subset(
            asset_selection=set(), asset_check_selection={check}
        )
        result = job.execute_in_process(partition_key=THIRD, instance=online.instance, raise_on_error=False)
        db.executemany(f"INSERT INTO totals VALUES ({','.join('?' * len(kept[0]))})", kept)  # noqa: S608  # a count
        db.commit()
    said = checked(result)

    assert not said.passed
    assert "request {'year': 2013" in str(said.description)
    assert "temp is" in str(said.description)
    assert "Likely cause" in str(said.description)


def test_an_old_week_made_anew_is_judged_by_a_projection_and_says_so(online: World) -> None:
    said = checked(online.run("data", FIRST))

    assert said.passed
    assert str(said.description).startswith(
        f"Projected from the validated history, since the online store keeps history since {THIRD}T"
    )


def test_a_late_event_changes_no_request_asked_before_it_arrived(online: World) -> None:
    before = features(online, THIRD)
    arrived = online.use_case.partitions.bounds(THIRD)[0] + timedelta(days=4)
    late = flight_events(online, THIRD, 9998, arrived)
    with store_of(online).write_path(online.use_case, online.store) as (way, _):
        (outcome,) = way.accept("flights", [late], instant_us(arrived))
        assert (outcome.status, outcome.reason) == ("accepted", "")
    said = checked(online.run("data", THIRD))
    after = {tuple(row[n] for n in online.use_case.request_table.key): row for row in features(online, THIRD)}

    assert said.passed
    assert len(after) == len(before) + 1
    early = [row for row in before if row["asked_utc"] < arrived]
    assert len(early) > 100
    for row in early:
        assert repr(after[tuple(row[n] for n in online.use_case.request_table.key)]) == repr(row)
    assert any(after[tuple(row[n] for n in online.use_case.request_table.key)] != row for row in before)


def test_a_run_killed_half_way_leaves_lookups_answering_and_the_next_completes_it(
    online: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = SqliteStore.apply, []
    monkeypatch.setattr("mlops_assets.stores.write_path.CHUNK", 200)

    def killed(self: SqliteStore, *given: Any) -> Any:
        calls.append(given)
        if len(calls) == 3:
            raise DataError("the process is gone")
        return whole(self, *given)

    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "apply", killed)
        assert "the process is gone" in reason(online.run("data", WEEKS[3]))
    with store_of(online).store(online.use_case) as store:
        assert store.note(f"week {WEEKS[3]}") is None
    assert served(online, requests(online, THIRD)).num_rows > 0

    assert checked(online.run("data", WEEKS[3])).passed


def test_look_ups_go_on_while_the_asset_is_made(online: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.stores.write_path.CHUNK", 500)
    asked, answers, done = requests(online, WEEKS[3]).slice(0, 20), [], threading.Event()
    expected = served(online, asked)

    def ask() -> None:
        while not done.is_set():
            answers.append(served(online, asked))

    reader = threading.Thread(target=ask)
    reader.start()
    try:
        said = checked(online.run("data", WEEKS[3]))
    finally:
        done.set()
        reader.join()

    assert said.passed
    assert len(answers) > 1
    assert all(answer.equals(expected) for answer in answers)


def test_a_week_that_came_by_events_alone_needs_no_file(online: World) -> None:
    week = WEEKS[4]
    rows = pq.read_table(online.landed("flights", week)).to_pylist()
    hours = pq.read_table(online.landed("weather", week)).to_pylist()
    for name in ("flights", "weather"):
        online.landed(name, week).unlink()
    arrived = instant_us(online.use_case.partitions.bounds(week)[1])
    with store_of(online).write_path(online.use_case, online.store) as (way, _):
        told = [o.status for o in way.accept("flights", rows, arrived)]
        told += [o.status for o in way.accept("weather", hours, arrived)]
    said = checked(online.run("data", week))

    assert said.passed
    assert told.count("accepted") >= online.use_case.table("flights").min_rows
    assert requests(online, week).num_rows == told[: len(rows)].count("accepted")
