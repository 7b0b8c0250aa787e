"""`mlops traffic`: a week that has been, asked again of a running gateway."""

import asyncio
import os
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import declared_named
from mlops_assets.cli.use_case import week as checked
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mlops_assets.replay.driving import Played
    from mlops_assets.replay.timeline import Asked, Moment

_RECENT = 2000  # answers whose latency the progress line tells


class Features(StrEnum):
    """Whose features a request is answered by: sent along, or looked up by the gateway in its online store."""

    GIVEN = "given"
    ONLINE = "online"


class Delay(StrEnum):
    """When outcomes are told: as they matured, or right after the answer."""

    REAL = "real"
    NONE = "none"


def traffic(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    week: Annotated[str, typer.Option(help="the week that is played, by its Monday")],
    until_week: Annotated[str, typer.Option(help="the last week (default: that week alone)")] = "",
    url: Annotated[str, typer.Option(help="the gateway")] = "http://127.0.0.1:8080",
    speed: Annotated[float, typer.Option(min=0.0, help="event seconds a second; 0: as fast as it goes")] = 3600.0,
    seed: Annotated[int, typer.Option(help="of the requests' ids, and of which are drawn")] = 1,
    rows: Annotated[int | None, typer.Option(min=1, help="requests drawn of each week (default: all)")] = None,
    features: Annotated[Features, typer.Option(help="sent along, or looked up by the gateway")] = Features.GIVEN,
    events: Annotated[
        bool | None, typer.Option(help="tell what became known (/events); by default where features are looked up")
    ] = None,
    labels: Annotated[bool, typer.Option(help="tell outcomes (/outcomes)")] = True,
    label_delay: Annotated[Delay, typer.Option(help="as they matured, or right after the answer")] = Delay.REAL,
    concurrency: Annotated[int, typer.Option(min=1, max=500, help="connections that ask")] = 8,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of words")] = False,
) -> None:
    """Send the requests of a week when they were asked, events as they became known, outcomes as they matured.

    Rows are those the store has validated, else the landed files. Ids follow from seed and key: played again, every
    request is answered from the log. Events are told every ten minutes of event time and count from then on. A request
    that finds the gateway busy or gone is sent again. Exit code 1 when one was not answered all the same.
    """
    from mlops_assets.gateway.tokens import Role, token
    from mlops_assets.replay.driving import Course, Played
    from mlops_assets.stores.settings import settings

    declared = declared_named(use_case)
    events = features is Features.ONLINE if events is None else events
    weeks, last = [checked(declared, week)], checked(declared, until_week or week)
    if weeks[0] > last:
        raise typer.BadParameter(f"--week {week} lies after --until-week {last}: swap them.")
    while weeks[-1] < last:
        weeks.append(declared.partitions.shift(weeks[-1], 1))
    feeds = token(os.environ, settings(os.environ).serving, Role.FEED) if events or labels else ""
    course = Course(
        url=url,
        body=_body,
        feeder=f"Authorization: Bearer {feeds}\r\n" if feeds else "",
        speed=speed,
        concurrency=concurrency,
        looked_up=features is Features.ONLINE,
    )
    asyncio.run(_check(url))
    played = Played()
    with progress() as bar:
        task = bar.add_task(weeks[0], total=None)
        moments = _moments(declared, weeks, seed=seed, most=rows, given=features is Features.GIVEN, events=events,
                           labels=labels, at_once=label_delay is Delay.NONE, bar=bar, task=task)  # fmt: skip
        asyncio.run(_drive(moments, course, played, bar, task))
    _tell(played, json=json)
    if played.failed:
        raise typer.Exit(1)


def _body(asked: "Asked") -> bytes:
    import msgspec

    return msgspec.json.encode({"dataframe_records": [asked.row]})


def _moments(
    declared: Any, weeks: list[str], *, seed: int, most: int | None, given: bool, events: bool, labels: bool,
    at_once: bool, bar: "Progress", task: "TaskID",
) -> "Iterator[Moment]":  # fmt: skip
    """Week by week, so that a year needs the memory of two."""
    from mlops_assets.replay.timeline import Asked, Matured, Moment, asked, in_order, told, week_by_week
    from mlops_assets.replay.weeks import Weeks
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.landing import Landing
    from mlops_assets.stores.settings import settings

    places = settings(os.environ)
    landing = Landing(f"{places.landing.rstrip('/')}/{declared.name}")
    found = Weeks(declared, AssetStore(places.store), landing)
    total = 0

    def each() -> Iterator[list[Moment]]:
        nonlocal total
        for key in weeks:
            requests, rows, columns = found.sent(key, features=given)
            of_week: list[Moment] = [
                moment
                for moment in asked(declared, requests, rows, columns, seed=seed, most=most, at_once=at_once)
                if labels or not isinstance(moment, Matured)
            ]
            total += sum(isinstance(moment, Asked) for moment in of_week)
            bar.update(task, total=total)
            yield in_order([*of_week, *(told(declared, found.tables(key)) if events else ())])

    return week_by_week(each())


async def _check(url: str) -> None:
    """Raises DataError unless the gateway says that it would answer."""
    from mlops_assets.replay.client import Connection, LostError

    async with Connection(url, timeout_s=10.0) as connection:
        try:
            answer = await connection.get("/readyz")
        except LostError as lost:
            raise DataError(f"{url}: nobody answers ({lost}): start `mlops serve`, or name its --url.") from lost
    if answer.status != 200:
        said = answer.body[:300].decode("utf-8", "replace")
        raise DataError(f"{url} is not ready ({answer.status} {said}): wait until it is, or look at its status page.")


async def _drive(moments: "Iterator[Moment]", course: Any, played: "Played", bar: "Progress", task: "TaskID") -> None:
    from mlops_assets.replay.driving import drive

    async def show() -> None:
        while True:
            bar.update(task, completed=sum(played.requests.values()), description=_line(played))
            await asyncio.sleep(0.25)

    showing = asyncio.create_task(show())
    try:
        await drive(moments, course, played)
    finally:
        showing.cancel()


def _line(played: "Played") -> str:
    from mlops_assets.core.online.ordered import moment

    clock = f"{moment(played.at_us):%Y-%m-%d %H:%M}" if played.at_us else ""
    failed = f"  [red]{played.failed} failed[/]" if played.failed else ""
    return f"{clock}  {_pace(played, _RECENT)}{failed}"


def _pace(played: "Played", last: int = 0) -> str:
    p50, p99 = played.latency_ms(0.5, last), played.latency_ms(0.99, last)
    if p50 is None or p99 is None:
        return "nothing answered"
    return f"{played.answered / max(played.seconds, 1e-9):,.0f} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _tell(played: "Played", *, json: bool) -> None:
    if json:
        as_json({
            "requests": {str(status): count for status, count in sorted(played.requests.items())},
            "events": dict(sorted(played.events.items())), "outcomes": dict(sorted(played.outcomes.items())),
            "failed": played.failed, "sent_again": played.sent_again, "seconds": round(played.seconds, 3),
            "requests_per_s": round(played.answered / max(played.seconds, 1e-9), 1), "p50_ms": played.latency_ms(0.5),
            "p99_ms": played.latency_ms(0.99), "behind_s": round(played.behind_s, 3), "said": played.said,
        })  # fmt: skip
        return
    out.print(f"{sum(played.requests.values()):,} requests: {played.answered:,} answered in {played.seconds:.1f} s, "
              f"{_pace(played)}; {played.sent_again:,} sent again.")  # fmt: skip
    for what, counts in (("events", played.events), ("outcomes", played.outcomes)):
        if counts:
            out.print(f"{what}: " + ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items())) + ".")
    if played.behind_s > 1:
        out.print(
            f"It fell up to {played.behind_s:.1f} s behind: the gateway, or this machine, is slower than --speed."
        )
    if played.failed:
        out.print(f"{played.failed:,} failed" + (", the rest was not tried" if played.hopeless else ""), style="red")
        out.print(f"the first said: {played.said}", markup=False)
