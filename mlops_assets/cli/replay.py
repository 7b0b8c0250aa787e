"""`mlops replay`: a year of a model's life in event time, under one policy or several."""

import json as jsons
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, progress
from mlops_assets.cli.replayed import print_account
from mlops_assets.cli.use_case import use_case_named
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mlops_assets.replay.scenario import Scenario

USE_CASE = Annotated[str, typer.Argument(help="e.g. flight_delays")]
BEGIN = Annotated[str, typer.Option("--from", help="first week of requests (default: the first a model can answer)")]
END = Annotated[str, typer.Option("--to", help="last week of requests (default: the last that has landed)")]
POLICY = Annotated[list[Path] | None, typer.Option(help="a TOML file that changes the declared policy; repeatable")]
SABOTAGE = Annotated[list[str] | None, typer.Option(help="WEEK:KIND, e.g. 2013-06-03:broken_feed; repeatable")]
SEED = Annotated[int, typer.Option(help="of the requests' ids, and of which are drawn")]
ROWS = Annotated[int | None, typer.Option(min=1, help="requests drawn of each week (default: all)")]
AGAINST = Annotated[
    list[int] | None,
    typer.Option(min=0, help="hold it against a model trained every so many weeks; 0: the first alone; repeatable"),
]
_AGAINST = (4,)  # every week takes some 45 trainings of a year
_COMPARED = "against"
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
    against: AGAINST = None,
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
    _make(folder)
    scenarios = _scenarios(use_case, begin, end, policy, sabotage, seed, rows)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the policies' processes end with this one
    commands = _commands(scenarios, policy or (), sabotage or (), folder, every := against or _AGAINST)
    with progress() as bar:
        task = bar.add_task("history", total=len(scenarios[0].weeks))
        together.prepare(
            scenarios[0], folder / together.HISTORY,
            lambda doing, done, of: bar.update(task, description=f"history {doing}", completed=done, total=of),
            lender=settings(os.environ).store,
        )  # fmt: skip
        if anew:
            together.discard(scenarios, folder)
        bars = {name: bar.add_task(name, total=len(scenarios[0].played)) for name in commands}
        policies = together.play_all(scenarios, folder, commands, lambda name, told: _show(bar, bars[name], name, told))
        account = together.account(
            scenarios, policies, folder, every=every,
            told=lambda doing: bar.update(bars[_COMPARED], description=f"{_COMPARED} {doing}"),
        )  # fmt: skip
    page = together.write(account, folder)
    if json:
        as_json(account.to_json())
    else:
        print_account(account, folder, page, time.monotonic() - began)


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

    together.end_with_parent()
    *_, scenario = _scenarios(use_case, begin, end, [policy] if policy else None, sabotage, seed, rows)
    together.play_one(scenario, out_folder, _every(_TOLD_EVERY_S))


def replay_against(
    use_case: USE_CASE, begin: BEGIN, end: END, out_folder: Annotated[Path, typer.Option("--out")],
    against: AGAINST = None, seed: SEED = 1,
) -> None:  # fmt: skip
    """The models `mlops replay` holds its policies against, made while those are played."""
    from mlops_assets.replay import together

    together.end_with_parent()
    (scenario,) = _scenarios(use_case, begin, end, None, None, seed, None)
    told = _every(_TOLD_EVERY_S)
    for _ in together.unproven(scenario, out_folder, against or _AGAINST, {}, lambda doing: told({"doing": doing})):
        pass


def _commands(
    scenarios: "Sequence[Scenario]", paths: Sequence[Path], sabotage: Sequence[str], folder: Path, every: Sequence[int]
) -> dict[str, list[str]]:
    """The command that plays each policy, by its name, and the one that makes what they are held against."""
    one = scenarios[0]
    program = [sys.executable, "-m", "mlops_assets.cli.main"]
    what = [one.use_case.name, "--out", str(folder), "--from", one.begin, "--to", one.end, "--seed", str(one.seed)]
    more = [part for deed in sabotage for part in ("--sabotage", deed)]
    more += ["--rows", str(one.most)] if one.most else []
    commands = {
        scenario.name: [*program, "replay-one", *what, *more, *(["--policy", str(path)] if path else [])]
        for scenario, path in zip(scenarios, (None, *paths), strict=True)
    }
    weeks = [part for number in every for part in ("--against", str(number))]
    return commands | {_COMPARED: [*program, "replay-against", *what, *weeks]}


def _scenarios(
    use_case: str, begin: str, end: str, paths: Sequence[Path] | None, sabotage: Sequence[str] | None, seed: int,
    rows: int | None,
) -> "list[Scenario]":  # fmt: skip
    from mlops_assets.replay.policies import policies
    from mlops_assets.replay.sabotage import deeds
    from mlops_assets.replay.scenario import Scenario, span
    from mlops_assets.replay.together import HISTORY, MODELS
    from mlops_assets.stores.settings import settings

    declared, landing = use_case_named(use_case), settings(os.environ).landing
    first, last = span(declared, landing, begin, end)
    shared = (HISTORY, MODELS, _COMPARED)  # folders of the replay's own; its files have a dot in their names
    done = deeds(declared, sabotage or (), first, last)
    found = policies(declared, paths or ())
    if taken := [one.name for one in found if one.name in shared or "." in one.name]:
        raise DataError(
            f"--policy: name == {taken[0]!r}, must have no dot and not be one of {shared}, as a replay's own files are "
            "called: give it another `name`."
        )
    return [
        Scenario(
            use_case=one.use_case, name=one.name, changes=one.changes, landing=landing, begin=first, end=last,
            seed=seed, most=rows, sabotage=done,
        )
        for one in found
    ]  # fmt: skip


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise DataError(f"--out {folder}: no folder can be made there ({refused.strerror}): name another.") from refused


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


def _show(bar: "Progress", task: "TaskID", name: str, told: dict[str, Any]) -> None:
    at = f"{datetime.fromisoformat(told['at']):%Y-%m-%d %H:%M} " if "at" in told else ""
    bar.update(task, description=f"{name} {at}{told['doing']}", completed=told.get("played"))
