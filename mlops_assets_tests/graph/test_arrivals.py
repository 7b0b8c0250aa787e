"""Files arrive, their week flows: whole weeks only, oldest first, one at a time, each once."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.graph.arrivals import ARRIVED
from mlops_assets_tests.graph.ticking import tick, weeks, why
from mlops_assets_tests.graph.world import SHIPPED, WEEKS, World, reason, small_world

NAME = "thin_delays"
SENSOR = f"{NAME}_arrivals"
NEXT, AFTER = "2013-02-04", "2013-02-11"  # the weeks after those that landed


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with small_world(tmp_path) as made:
        yield made


def arrive(world: World, week: str, tables: tuple[str, ...] = ("flights", "weather"), age_s: float = 60.0) -> None:
    """The shipped files of a week, written so long ago."""
    for table in tables:
        target = world.landed(table, week)
        shutil.copyfile(SHIPPED / table / f"{week}.parquet", target)
        written = target.stat().st_mtime - age_s
        os.utime(target, (written, written))


def stock(world: World) -> str:
    """The cursor after the first look."""
    first = tick(world, SENSOR)
    assert not first.run_requests and "5 weeks of files lay there before" in why(first)
    return str(first.cursor)


def test_a_landing_zone_that_is_not_there_yet_is_waited_for(world: World) -> None:
    folder = world.landed("flights", NEXT).parents[1]
    aside = folder.rename(folder.with_name("unmounted"))
    first = tick(world, SENSOR)
    assert "there is no folder" in why(first) and first.cursor is None
    aside.rename(folder)
    assert "lay there before" in why(tick(world, SENSOR))


@pytest.mark.parametrize("cursor", ["", "x", "[]", '{"weeks": 1}'])
def test_a_cursor_that_cannot_be_read_is_a_first_look(world: World, cursor: str) -> None:
    assert "5 weeks of files lay there before" in why(tick(world, SENSOR, cursor))


def test_what_lay_there_before_the_first_look_is_left_to_a_backfill(world: World) -> None:
    assert "5 weeks are there" in why(tick(world, SENSOR, stock(world)))


def test_a_week_whose_files_have_come_is_run_once(world: World) -> None:
    cursor = stock(world)
    arrive(world, NEXT)
    asked = tick(world, SENSOR, cursor)
    assert weeks(asked) == [NEXT] and asked.run_requests[0].tags[ARRIVED] == NAME  # type: ignore[index]
    again = tick(world, SENSOR, cursor)  # a daemon that was killed before its cursor was kept asks by the same key
    assert [r.run_key for r in again.run_requests or []] == [r.run_key for r in asked.run_requests or []]
    assert "no file came or changed" in why(tick(world, SENSOR, str(asked.cursor)))


def test_weeks_of_an_axis_that_goes_on_are_run_like_others(world: World) -> None:
    axis = world.use_case.partitions
    world = world.declaring(replace(world.use_case, partitions=replace(axis, end=None)))
    cursor = stock(world)
    arrive(world, NEXT)

    assert weeks(tick(world, SENSOR, cursor)) == [NEXT]


def test_a_week_waits_for_all_of_its_files(world: World) -> None:
    cursor = stock(world)
    arrive(world, NEXT, tables=("flights",))
    assert why(tick(world, SENSOR, cursor)) == f"{NEXT} waits for weather"
    arrive(world, NEXT, tables=("weather",))
    assert weeks(tick(world, SENSOR, cursor)) == [NEXT]


def test_a_file_that_may_still_be_written_is_left_for_the_next_look(world: World) -> None:
    cursor = stock(world)
    arrive(world, NEXT, age_s=0.0)
    assert why(tick(world, SENSOR, cursor)) == f"{NEXT} is being written"


def test_weeks_run_oldest_first_one_at_a_time(world: World) -> None:
    cursor = stock(world)
    arrive(world, AFTER)
    arrive(world, NEXT)
    first = tick(world, SENSOR, cursor)
    assert weeks(first) == [NEXT]
    job = world.defs.resolve_job_def(f"{NAME}_arrived")
    tags = {ARRIVED: NAME, "dagster/partition": NEXT}
    run = world.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert (
        why(tick(world, SENSOR, str(first.cursor))) == f"1 weeks wait, the oldest {AFTER}: that of {NEXT} is being run"
    )
    world.instance.report_run_canceled(run)
    assert weeks(tick(world, SENSOR, str(first.cursor))) == [AFTER]


def test_a_week_waits_for_the_one_before_it_once_weeks_are_made(world: World) -> None:
    cursor = stock(world)
    arrive(world, AFTER)
    assert weeks(tick(world, SENSOR, cursor)) == [AFTER]  # nothing is made yet: any week may be the first
    for week in WEEKS:
        assert reason(world.run("data", week)) == ""
    assert why(tick(world, SENSOR, cursor)) == f"{AFTER} waits for {NEXT}, which it looks back at"
    arrive(world, NEXT)
    first = tick(world, SENSOR, cursor)
    assert weeks(first) == [NEXT]
    assert reason(world.run("data", NEXT)) == ""
    assert weeks(tick(world, SENSOR, str(first.cursor))) == [AFTER]


def test_a_week_that_failed_is_run_again_when_a_snapshot_changes(world: World) -> None:
    """Its run had failed for a file that belongs to no week."""
    cursor = stock(world)
    arrive(world, NEXT)
    first = tick(world, SENSOR, cursor)
    (request,) = first.run_requests or []
    tags = dict(request.tags) | {"dagster/partition": NEXT, "dagster/run_key": str(request.run_key)}
    run = world.instance.create_run_for_job(world.defs.resolve_job_def(f"{NAME}_arrived"), tags=tags)
    world.instance.report_run_failed(run)
    assert "no file came or changed" in why(tick(world, SENSOR, str(first.cursor)))
    planes = world.landed("planes", "")
    os.utime(planes, (1, 1))
    again = tick(world, SENSOR, str(first.cursor))
    assert weeks(again) == [NEXT] and (again.run_requests or [])[0].run_key != request.run_key
    assert "no file came or changed" in why(tick(world, SENSOR, str(again.cursor)))


def test_a_file_that_changed_runs_its_week_again(world: World) -> None:
    cursor = stock(world)
    arrive(world, NEXT)
    first = tick(world, SENSOR, cursor)
    arrive(world, NEXT, tables=("flights",), age_s=30.0)
    second = tick(world, SENSOR, str(first.cursor))
    assert weeks(second) == [NEXT]
    assert second.run_requests[0].run_key != first.run_requests[0].run_key  # type: ignore[index]


def test_a_file_from_a_clock_that_is_ahead_is_not_waited_for(world: World) -> None:
    cursor = stock(world)
    arrive(world, NEXT, age_s=-7200.0)
    assert weeks(tick(world, SENSOR, cursor)) == [NEXT]


def test_a_link_that_leads_out_is_told_and_holds_up_no_other_week(world: World, tmp_path: Path) -> None:
    cursor = stock(world)
    secret = tmp_path / "elsewhere.parquet"
    secret.write_bytes(b"?")
    world.landed("flights", AFTER).symlink_to(secret)
    assert "outside of" in why(tick(world, SENSOR, cursor))
    arrive(world, NEXT)
    assert weeks(tick(world, SENSOR, cursor)) == [NEXT]


def test_files_that_are_no_week_are_not_asked_for(world: World) -> None:
    cursor = stock(world)
    for name in ("2013-02-05", "notes", "2031-01-06"):
        (world.landed("flights", NEXT).parent / f"{name}.parquet").write_bytes(b"?")
    assert "no file came or changed" in why(tick(world, SENSOR, cursor))
