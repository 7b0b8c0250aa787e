"""`mlops rollout`: where a rollout stands, how long it will take, and the operator's brake.

Nothing here lets more users see a challenger: that takes evidence, which no command can give.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table as Grid

from mlops_assets.cli.operating import Json, Name, Url, Why, ask, now_us, rollouts_of, who
from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.rollback import name
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.rollout import RATES
from mlops_assets.stores.settings import settings

if TYPE_CHECKING:
    from mlops_assets.core.rollout.state import Row
    from mlops_assets.gateway.status.record import Status

app = typer.Typer(no_args_is_help=True, help="The rollout of a use case: where it stands, and the operator's brake.")
_WIDTH = 40  # characters of the bar that shows who answers
_SPANS = {60: "minute", 3600: "hour", 86_400: "day", 604_800: "week"}
_ENOUGH = 500  # answers that say how many are asked
_PATIENCE_S = 2.5  # a controller gives a sign of life at least every second


@app.command()
def status(use_case: Name, url: Url = "", json: Json = False) -> None:
    """Who answers what share, where the challenger stands, what was decided and why. Exit code 1 when a fault stands.

    Asked without a gateway it looks for up to 2.5 s whether a controller is alive.
    """
    from mlops_assets.gateway.status.record import status_of

    found = status_of(ask(url, "GET", "/status.json")) if url else _seen(use_case)
    if json:
        as_json(found.to_json())
    else:
        _print(found)
    if found.faults:
        raise typer.Exit(1)


@app.command()
def pause(use_case: Name, why: Why = "paused by hand", url: Url = "", json: Json = False) -> None:
    """Freeze the share until `resume`. It still falls by itself when the evidence says so."""
    _do("pause", use_case, why, url, json)


@app.command()
def resume(use_case: Name, why: Why = "resumed by hand", url: Url = "", json: Json = False) -> None:
    """Let a paused or held rollout go on: by evidence, as before."""
    _do("resume", use_case, why, url, json)


@app.command()
def abort(use_case: Name, why: Why = "aborted by hand", url: Url = "", json: Json = False) -> None:
    """Take out the challenger that is on its way; the champion answers everything at the next request."""
    _do("abort", use_case, why, url, json)


@app.command()
def plan(
    use_case: Name,
    per_second: Annotated[float | None, typer.Option(min=1e-6, help="requests (default: as of late)")] = None,
    error_rate: Annotated[float | None, typer.Option(min=0.0, max=0.99, help="bad answers, 0..1 (as of late)")] = None,
    labels_per_day: Annotated[float | None, typer.Option(min=1e-6, help="outcomes told (default: all)")] = None,
    noise: Annotated[float | None, typer.Option(min=1e-12, help="sd of the loss difference of equal models")] = None,
    json: Json = False,
) -> None:
    """How long each stage will need, for a challenger that is as good as the champion; a worse one never gets there.

    Traffic and bad answers are those of the prediction log, unless they are given.
    """
    from mlops_assets.cli.use_case import declared_named
    from mlops_assets.core.rollout.planner import plan_ahead

    declared = declared_named(use_case)
    source = "as given"
    if per_second is None or error_rate is None:
        seen, bad, source = _of_late(use_case)
        per_second, error_rate = per_second or seen, bad if error_rate is None else error_rate
    ahead = plan_ahead(declared.rollout, per_second=per_second, error_rate=error_rate, labels_per_day=labels_per_day,
                       noise=noise)  # fmt: skip
    if json:
        as_json({"per_second": per_second, "error_rate": error_rate, "source": source,
                 "stages": [_finite(asdict(one) | {"stage": one.stage.value}) for one in ahead]})  # fmt: skip
        return
    out.print(f"{use_case} at {per_second:,.4g} requests/s, {100 * error_rate:.3g} % of them bad ({source}), "
              "for a challenger as good as the champion:", markup=False)  # fmt: skip
    for one in ahead:
        stage = f"{one.stage.value.lower()} {100 * one.share:g} %" if one.share else one.stage.value.lower()
        out.print(f"{stage:<12} {_long(one.seconds)}, in 9 of 10 cases {_long(one.seconds_90)}; users get "
                  f"{one.answers:,.0f} of its answers", markup=False)  # fmt: skip
        out.print(f"{'':<12} {one.needs}", style="dim", markup=False)
    together, answers = sum(one.seconds for one in ahead), sum(one.answers for one in ahead)
    out.print(f"{'together':<12} {_long(together)}; users get {answers:,.0f}", markup=False)


def _of_late(use_case: str) -> tuple[float, float, str]:
    """(requests a second, share of bad answers of the worst rate, which span) by the log. Raises DataError."""
    from mlops_assets.stores.serving.log_places import place
    from mlops_assets.stores.serving.log_reader import MOST_RECENT, Reader

    remedy = "give --per-second and --error-rate"
    log = Reader(place(settings(os.environ).serving, use_case, create=False), "UTC")
    try:
        for seconds, span in _SPANS.items():
            answered = [one for one in log.recent(now_us() - seconds * 1_000_000) if not one.mirrored]
            calls = sum(one.calls for one in answered)
            if _ENOUGH <= calls < MOST_RECENT or (calls and seconds == max(_SPANS)):
                worst = max(sum(one.bad.get(rate, 0) for one in answered) for rate in RATES)
                return calls / seconds, min(worst / calls, 0.99), f"{calls:,} answers of the last {span}"
    except DataError as unread:
        raise DataError(f"nobody knows what {use_case} is asked: {unread} Or {remedy}.") from unread
    finally:
        log.close()
    raise DataError(f"nobody knows what {use_case} is asked: too few or too many asked of late to tell: {remedy}.")


def _long(seconds: float) -> str:
    from mlops_assets.gateway.status.record import span

    return span(seconds) if math.isfinite(seconds) else "never"


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def _do(command: str, use_case: str, why: str, url: str, json: bool) -> None:
    if url:
        row: dict[str, Any] = ask(url, "POST", f"/rollout/{command}", {"why": why})
    else:
        with rollouts_of(use_case) as rollouts:
            ordered: Callable[..., Row] = getattr(rollouts, command)
            row = ordered(who=who(), why=why, at_us=now_us()).to_json()
    if json:
        as_json(row)
        return
    share, challenger = float(row["share"]), row["challenger"]
    on_its_way = "" if challenger is None else f", {name(challenger)} {100 * share:g} %"
    held = f". The share is frozen: {row['held']}" if row["held"] else ""
    out.print(f"{use_case}: {row['stage']} at epoch {row['epoch']}: {name(row['champion'])} answers "
              f"{100 * (1 - share):g} %{on_its_way}{held}.", markup=False)  # fmt: skip


def _seen(use_case: str) -> "Status":
    """The status by the databases alone."""
    from mlops_assets.gateway.status.gathering import Gathering
    from mlops_assets.stores.serving.log_places import SqlitePlace, place
    from mlops_assets.stores.serving.log_reader import Reader
    from mlops_assets.stores.serving.watch import Watch

    with rollouts_of(use_case) as rollouts:
        where = place(settings(os.environ).serving, use_case, create=False)
        log = Reader(where, "UTC")
        nothing_yet = isinstance(where, SqlitePlace) and not where.path.exists()
        gathering = Gathering(rollouts, (lambda _: ()) if nothing_yet else log.recent, now_us, time.monotonic)
        watch = Watch(rollouts, time.monotonic)
        until = time.monotonic() + _PATIENCE_S
        found = gathering.status(watch.current())
        while not (watch.current().alive and all(peer.heard for peer in found.peers)) and time.monotonic() < until:
            time.sleep(0.1)
            found = gathering.status(watch.current())
        log.close()
    return found


def _print(found: "Status") -> None:
    from mlops_assets.gateway.status.record import LIVE_S, percent, span, version_name

    for fault in found.faults:
        out.print("[bold red]! [/]", end="")
        out.print(fault, style="red", markup=False)
    out.print(found.use_case, style="bold", end="  ", markup=False)
    out.print(found.standing, markup=False)
    filled = round(_WIDTH * sum(a.share for a in found.answerers if a.arm == "champion"))
    shares = ", ".join(f"{version_name(a.version)} ({a.arm}) {percent(a.share)}" for a in found.answerers)
    out.print(f"[blue]{'█' * filled}[/][yellow]{'▒' * (_WIDTH - filled)}[/]  {shares}")
    signs = {"done": "[green]✓[/] ", "now": "[bold]▶ ", "ahead": "[dim]· "}
    if found.ladder:
        out.print("   ".join(f"{signs[r.place]}{r.name}{f' {percent(r.share)}' if r.name == 'canary' else ''}"
                             f"{'' if r.place == 'done' else '[/]'}" for r in found.ladder))  # fmt: skip
    out.print(found.waits_for, markup=False)
    for bar in found.bars:
        out.print()
        ways = f"to go on {_bar(bar.toward_pass)}   to roll back {_bar(bar.toward_fail)}"
        out.print(f"{bar.name:<9} {bar.verdict:<13} {ways}", markup=False)
        out.print(f"          {bar.sentence}", style="dim", markup=False)
    if found.live:
        out.print()
        out.print(_grid(("arm", "version", "calls", "bad", "p50", "p99"), [
            (f"{one.arm}{', in shadow' if one.mirrored else ''}", str(one.version),
             f"{one.calls:,} in {span(LIVE_S)}", percent(one.bad_share), f"{one.p50_ms:.3g} ms",
             f"{one.p99_ms:.3g} ms") for one in found.live]))  # fmt: skip
    out.print()
    for event in found.decisions:
        ago = span((found.at_us - event.at_us) / 1e6)
        out.print(f"{event.epoch:>4}  {event.kind:<12}", end="", markup=False)
        out.print(f"{event.why}  ({event.who}, {ago} ago)", markup=False)
    out.print()
    peers = [(peer.name, str(peer.epoch), peer.sign,
              "; ".join(f"{version_name(version)} {slot}" for version, slot in sorted(peer.slots.items())))
             for peer in found.peers]  # fmt: skip
    out.print(_grid(("gateway", "epoch", "heard", "models"), peers) if peers else "No gateway has been heard of.")


def _bar(way: float) -> str:
    """Ten characters toward the bound.

    >>> _bar(0.25), _bar(7.0)
    ('██░░░░░░░░  25 %', '██████████ 700 %')
    """
    filled = min(int(10 * max(way, 0.0)), 10)
    return f"{'█' * filled}{'░' * (10 - filled)} {100 * max(way, 0.0):3.0f} %"


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    from rich.text import Text

    grid = Grid(*heads, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))  # not markup: a gateway's word is nobody's style
    return grid
