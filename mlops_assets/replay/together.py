"""Policies played side by side, each by a process of its own; and what they told, in one account.

A process tells how far it is on its standard output, a JSON object a line, and leaves its `Policy` in a file. What a
kill leaves is played on by the next call with the same scenarios.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import msgspec

from mlops_assets.core.account import Account, Against, Policy
from mlops_assets.core.declared import config, entries_of
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.pages.replay import replay_page
from mlops_assets.core.versions import JSON, record_version
from mlops_assets.declare import MlopsError
from mlops_assets.replay.against import against
from mlops_assets.replay.backtest import Span, history
from mlops_assets.replay.driver import SITTING_WEEKS, play
from mlops_assets.replay.history import prepare, weeks_of
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.telling import labelled
from mlops_assets.replay.world import World
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.code import libraries, package_code
from mlops_assets.stores.transactions import unsynced

Hears = Callable[[str, dict[str, Any]], None]  # which policy, what it told
Commands = Mapping[str, Sequence[str]]  # by what each is about
HISTORY, MODELS = "history", "models"  # the folders of what all policies share: no policy is called so
_TOLD = "policy.json"


class Interrupted(MlopsError):
    """A policy's process ended before its replay did."""


def play_one(
    scenario: Scenario, root: Path, told: Callable[[dict[str, Any]], None], *, sitting_weeks: int = SITTING_WEEKS
) -> None:
    """Play a scenario below `root`, where its history is; its `Policy` is in `told_by` afterwards.

    Raises DataError where the world there is another scenario's, or is being played.
    """
    world, history = World(root / scenario.name, lender=_store(root)), World(root / HISTORY)
    what = {**scenario.to_json(), **_made_by(scenario)}
    if not world.exists():
        world = World.fresh(root / scenario.name, what, lender=_store(root))
    world.fits(what)
    with world.held(), unsynced():  # what a kill leaves goes back to a checkpoint
        weeks = weeks_of(scenario, history, root / f"{scenario.name}.spoiled")
        played = play(
            scenario,
            world,
            weeks,
            lambda at, doing: told({"at": at.isoformat(), "doing": doing, "played": scenario.over(at)}),
            sitting_weeks=sitting_weeks,
        )
    _put(told_by(root, scenario.name), json.dumps(asdict(played), allow_nan=False))


def _made_by(scenario: Scenario) -> dict[str, JSON]:
    """What a replay depends on beside what it is of: the code it reaches, the libraries that uses, the declaration."""
    roots = [f"{made.__module__}.{made.__qualname__}" for made in (play_one, prepare)]
    entries = [*roots, *entries_of(scenario.use_case)]
    reached = package_code(*sorted({entry.partition(".")[0] for entry in entries})).reached(entries)
    made = {"code": reached.definitions, "libraries": libraries(reached.libraries),
            "declaration": config(scenario.use_case)}  # fmt: skip
    return {name: record_version(dict(told))[:16] for name, told in made.items()}


def told_by(root: Path, policy: str) -> Path:
    """Where a policy's process leaves what it has to tell."""
    return root / f"{policy}.{_TOLD}"


def play_all(scenarios: Sequence[Scenario], root: Path, commands: Commands, hears: Hears) -> list[Policy]:
    """Have every scenario played by the command of its name (which calls `play_one`), all at once; `commands` may have

    others beside. Raises Interrupted when one failed, after the others have ended: what they did is kept.
    """
    failed = []
    with ExitStack() as stack:
        children = []
        for name, command in commands.items():
            told_by(root, name).unlink(missing_ok=True)
            # in a session of its own: Ctrl-C is the caller's; it ends when what it reads from does (`end_with_parent`)
            child = stack.enter_context(
                subprocess.Popen(  # noqa: S603  our own command
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
                )
            )
            listener = threading.Thread(target=_listen, args=(child.stdout, name, hears), daemon=True)
            listener.start()
            children.append((name, child, listener))
        try:
            for name, child, listener in children:
                if child.wait() != 0:
                    failed.append(f"{name} ended with {child.returncode}")
                listener.join()
        except BaseException:
            for _, child, _ in children:
                child.kill()  # a checkpoint is all it would leave in order
            raise
    if failed:
        raise Interrupted(f"{'; '.join(failed)}: the same command goes on from the last checkpoint.")
    return [msgspec.json.decode(told_by(root, s.name).read_bytes(), type=Policy) for s in scenarios]


def account(
    scenarios: Sequence[Scenario],
    policies: Sequence[Policy],
    root: Path,
    *,
    every: Sequence[int],
    told: Callable[[str], None],
) -> Account:
    """The account of played scenarios, held against the first model never trained again (0) and models trained every

    so many weeks.
    """
    one = scenarios[0]
    metric = METRIC[one.use_case.promotion.metric]
    counted = labelled(one.use_case, World(root / one.name).places, one.played)
    return Account(
        use_case=one.use_case.name, metric=metric.name, higher=metric.gain(1.0, 0.0) > 0, first=one.first,
        begin=one.begin, end=one.end, seed=one.seed, most=one.most, policies=tuple(policies),
        against=tuple(unproven(one, root, every, counted, told)),
    )  # fmt: skip


def unproven(
    scenario: Scenario, root: Path, every: Sequence[int], counted: Mapping[str, Collection[str]],
    told: Callable[[str], None],
) -> Iterator[Against]:  # fmt: skip
    """What policies are held against; the models stay below `root`, so that they may be made beforehand."""
    store = AssetStore(World(root / HISTORY).places.store)
    frames = history(scenario.use_case, store, scenario.end)
    first = store.load(
        f"{scenario.use_case.name}/trained_model", scenario.first, parts=("model", "encoder", "evidence")
    )
    span = Span(first=scenario.first, begin=scenario.begin, end=scenario.end)
    for weeks in sorted({0, *every}):
        yield against(
            scenario.use_case, frames, span, every=weeks, counted=counted, seed=scenario.seed, cache=root / MODELS,
            told=told, first=first,
        )  # fmt: skip


def write(account: Account, root: Path) -> Path:
    """The account as JSON and as a page, which is returned."""
    _put(root / "account.json", json.dumps(account.to_json(), allow_nan=False))
    page = root / "replay.html"
    _put(page, replay_page(account))
    return page


def discard(scenarios: Sequence[Scenario], root: Path) -> None:
    """Forget the worlds of these scenarios; their history stays.

    Raises DataError for a folder that is no world, and for a world that is being played.
    """
    for scenario in scenarios:
        if (world := World(root / scenario.name)).exists():
            with world.held():
                world.discard()


def _put(path: Path, text: str) -> None:
    """The whole file, or the one that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def end_with_parent() -> None:
    """End this process at once, as by a kill, when whoever started it is gone."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _listen(lines: IO[str] | None, policy: str, hears: Hears) -> None:
    for line in lines or ():
        try:
            hears(policy, json.loads(line))
        except ValueError:
            sys.stderr.write(line)  # a library that prints


def _store(root: Path) -> str:
    return World(root / HISTORY).places.store


__all__ = [
    "HISTORY", "MODELS", "Interrupted", "account", "discard", "end_with_parent", "play_all", "play_one", "prepare",
    "told_by", "unproven", "write",
]  # fmt: skip
