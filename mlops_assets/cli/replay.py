"""`mlops replay`: a year of a model's life in event time, under one policy or several."""

import json as jsons
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import use_case_named

if TYPE_CHECKING:
    from mlops_assets.core.account import Account, Policy
    from mlops_assets.replay.scenario import Scenario

USE_CASE = Annotated[str, typer.Argument(help="e.g. flight_delays")]
BEGIN = Annotated[str, typer.Option("--from", help="first week of requests (default: the first a model can answer)")]
END = Annotated[str, typer.Option("--to", help="last week of requests (default: the last that has landed)")]
POLICY = Annotated[list[Path] | None, typer.Option(help="a TOML file that changes the declared policy; repeatable")]
SABOTAGE = Annotated[list[str] | None, typer.Option(help="WEEK:KIND, e.g. 2013-06-03:broken_feed; repeatable")]
SEED = Annotated[int, typer.Option(help="of the requests' ids, and of which are drawn")]
ROWS = Annotated[int | None, typer.Option(min=1, help="requests drawn of each week (default: all)")]
_TOLD_EVERY_S = 0.2


def replay(
    use_case: USE_CASE,
    begin: BEGIN = "",
    end: END = "",
    policy: POLICY = None,
    sabotage: SABOTAGE = None,
    seed: SEED = 1,
    rows: ROWS = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="its folder (default: data/replay/USE_CASE)")] = None,
    against: Annotated[
        int, typer.Option(min=0, help="hold it against a model trained every so many weeks (0: the first model alone)")
    ] = 4,
    anew: Annotated[bool, typer.Option(help="from the beginning, also where a replay could go on")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """Play history again as it became known: requests, outcomes, files, sensors, trainings, rollouts, in event time.

    The declared policy is played, and beside it each of a --policy file, in a world of its own below --out: an
    MLOPS_DATA on which every other command works, and the Dagster UI. Killed, it goes on where it was. The same seed
    and data give the same ledger, byte for byte. Nothing of the project's own data is touched.
    """
    from mlops_assets.replay import together
    from mlops_assets.stores.settings import settings

    began = time.monotonic()
    folder = (out_folder or settings(os.environ).replays / use_case).absolute()
    scenarios = _scenarios(use_case, begin, end, policy, sabotage, seed, rows)
    again = [sys.executable, "-m", "mlops_assets.cli.main", "replay-one", use_case, "--out", str(folder),
             "--from", scenarios[0].begin, "--to", scenarios[0].end, "--seed", str(seed)]  # fmt: skip
    again += ["--rows", str(rows)] if rows else []
    again += [part for deed in sabotage or () for part in ("--sabotage", deed)]
    commands = [[*again, *(["--policy", str(path)] if path else [])] for path in (None, *(policy or ()))]
    with progress() as bar:
        task = bar.add_task("history", total=len(scenarios[0].weeks))
        together.prepare(
            scenarios[0], folder / together.HISTORY,
            lambda doing, done, of: bar.update(task, description=f"history {doing}", completed=done, total=of),
            lender=settings(os.environ).store,
        )  # fmt: skip
        if anew:
            together.discard(scenarios, folder)
        tasks = {s.name: bar.add_task(s.name, total=len(s.played)) for s in scenarios}
        policies = together.play_all(
            scenarios, folder, commands,
            lambda name, told: bar.update(tasks[name], description=_doing(name, told), completed=told["played"]),
        )  # fmt: skip
        account = together.account(
            scenarios, policies, folder, every=against,
            told=lambda doing: bar.update(task, description=doing),
        )  # fmt: skip
    page = together.write(account, folder)
    if json:
        as_json(account.to_json())
    else:
        _print(account, folder, page, time.monotonic() - began)


def replay_one(
    use_case: USE_CASE,
    begin: BEGIN,
    end: END,
    out_folder: Annotated[Path, typer.Option("--out")],
    policy: Annotated[Path | None, typer.Option()] = None,
    sabotage: SABOTAGE = None,
    seed: SEED = 1,
    rows: ROWS = None,
) -> None:
    """One policy of `mlops replay`, which calls this: tells how far it is, a JSON object a line."""
    from mlops_assets.replay import together

    *_, scenario = _scenarios(use_case, begin, end, [policy] if policy else None, sabotage, seed, rows)
    together.play_one(scenario, out_folder, _every(_TOLD_EVERY_S))


def _scenarios(
    use_case: str, begin: str, end: str, paths: Sequence[Path] | None, sabotage: Sequence[str] | None, seed: int,
    rows: int | None,
) -> "list[Scenario]":  # fmt: skip
    from mlops_assets.replay.policies import policies
    from mlops_assets.replay.sabotage import deeds
    from mlops_assets.replay.scenario import Scenario, span
    from mlops_assets.stores.settings import settings

    declared, landing = use_case_named(use_case), settings(os.environ).landing
    first, last = span(declared, landing, begin, end)
    done = deeds(declared, sabotage or (), first, last)
    return [
        Scenario(
            use_case=one.use_case, name=one.name, changes=one.changes, landing=landing, begin=first, end=last,
            seed=seed, most=rows, sabotage=done,
        )
        for one in policies(declared, paths or ())
    ]  # fmt: skip


def _every(seconds: float) -> Callable[[dict[str, Any]], None]:
    """Prints what it is told, no more often than that."""
    last = -seconds

    def told(what: dict[str, Any]) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= seconds:
            last = now
            sys.stdout.write(jsons.dumps(what) + "\n")
            sys.stdout.flush()

    return told


def _doing(name: str, told: dict[str, Any]) -> str:
    return f"{name} {datetime.fromisoformat(told['at']):%Y-%m-%d %H:%M} {told['doing']}"


def _print(account: "Account", folder: Path, page: Path, seconds: float) -> None:
    from mlops_assets.core.gain import share_of_gain

    names = list(dict.fromkeys(name for policy in account.policies for name in policy.metrics))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy", no_wrap=True)
    for name in (
        *names,
        "gain",
        "trainings",
        "rollouts",
        "final",
        "rolled back",
        "exposed",
        "harmed",
        "failed",
        "runs",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for policy in account.policies:
        costs, share = policy.costs, share_of_gain(account, policy)
        told = (costs.trainings, costs.rollouts, costs.finalized, costs.rolled_back, costs.exposed, costs.harmed,
                costs.failed, costs.runs)  # fmt: skip
        table.add_row(
            policy.name, *(_number(policy.metrics.get(name)) for name in names),
            "-" if share is None else f"{share:.0%}", *(f"{n:,}" for n in told),
        )  # fmt: skip
    for line in account.against:
        table.add_row(line.name, *(_number(line.metrics.get(name)) for name in names), "", f"{line.trainings}")
    for policy in account.policies:
        out.print(f"\n[bold]{policy.name}[/]" + "".join(f"  {at} = {value}" for at, value in policy.changes.items()))
        for at, text in sorted(_story(policy)):
            out.print(f"  {at[:16].replace('T', ' ')}  {text}", markup=False)
    out.print()
    out.print(table)
    asked = sum(week.asked for week in account.policies[0].weeks)
    out.print(
        f"\n{len(account.policies[0].weeks)} weeks, {asked:,} requests under {len(account.policies)} "
        f"polic{'y' if len(account.policies) == 1 else 'ies'} in {seconds:.0f} s. Open next:"
    )
    world = folder / account.policies[0].name
    out.print(f"  the whole story        {page}")
    out.print(f"  its ledger             MLOPS_DATA={world} mlops history {account.use_case}")
    out.print(f"  its runs               MLOPS_DATA={world} DAGSTER_HOME={world}/dagster dagster-webserver")


def _story(policy: "Policy") -> "Iterator[tuple[str, str]]":
    """What happened, in order of time: versions, the stages of their rollouts, weeks that asked for something."""
    for version in policy.versions:
        yield version.registered_at, f"v{version.version} trained on the weeks to {version.week}: {version.why}"
    for stage in policy.stages:
        share = f" {stage.share:.0%}" if 0 < stage.share < 1 else ""
        yield stage.since, f"v{stage.version} {stage.stage}{share}: {stage.why}"
    for done in policy.sabotage:
        yield done.week, f"sabotage, {done.kind}: {done.done}; {done.met}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
