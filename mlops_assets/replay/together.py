"""Policies played side by side, each by a process of its own; and what they told, in one account.

A process tells how far it is on its standard output, a JSON object a line, and leaves its `Policy` in a file. What a
kill leaves is played on by the next call with the same scenarios.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import msgspec

from mlops_assets.core.account import Policy
from mlops_assets.declare import MlopsError
from mlops_assets.replay.driver import play
from mlops_assets.replay.history import prepare, weeks_of
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.world import World

Hears = Callable[[str, dict[str, Any]], None]  # which policy, what it told
HISTORY = "history"  # the folder of what all policies share: no policy is called so
_TOLD = "policy.json"


class Interrupted(MlopsError):
    """A policy's process ended before its replay did."""


def play_one(scenario: Scenario, root: Path, told: Callable[[dict[str, Any]], None]) -> None:
    """Play a scenario below `root`, where its history is; its `Policy` is in `told_by` afterwards.

    Raises DataError where the world there is another scenario's, or is being played.
    """
    world, history = World(root / scenario.name, lender=_store(root)), World(root / HISTORY)
    if not world.exists():
        world = World.fresh(root / scenario.name, scenario.to_json(), lender=_store(root))
    world.fits(scenario.to_json())
    with world.held():
        weeks = weeks_of(scenario, history, world.folder / "spoiled")
        played = play(scenario, world, weeks, lambda at, doing: told({"at": at.isoformat(), "doing": doing}))
    path = told_by(root, scenario.name)
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(asdict(played), allow_nan=False))
    aside.replace(path)


def told_by(root: Path, policy: str) -> Path:
    """Where a policy's process leaves what it has to tell."""
    return root / f"{policy}.{_TOLD}"


def play_all(
    scenarios: Sequence[Scenario], root: Path, commands: Sequence[Sequence[str]], hears: Hears
) -> list[Policy]:
    """Have every scenario played by its command (which calls `play_one`), all at once.

    Raises Interrupted when one failed, after the others have ended: what they did is kept.
    """
    failed = []
    with ExitStack() as stack:
        children = []
        for scenario, command in zip(scenarios, commands, strict=True):
            told_by(root, scenario.name).unlink(missing_ok=True)
            child = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            listener = threading.Thread(target=_listen, args=(child.stdout, scenario.name, hears), daemon=True)
            listener.start()
            children.append((scenario, child, listener))
        try:
            for scenario, child, listener in children:
                if child.wait() != 0:
                    failed.append(f"{scenario.name} ended with {child.returncode}")
                listener.join()
        except BaseException:
            for _, child, _ in children:
                child.terminate()
            raise
    if failed:
        raise Interrupted(f"{'; '.join(failed)}: the same command goes on from the last checkpoint.")
    return [msgspec.json.decode(told_by(root, s.name).read_bytes(), type=Policy) for s in scenarios]


def _listen(lines: IO[str] | None, policy: str, hears: Hears) -> None:
    for line in lines or ():
        try:
            hears(policy, json.loads(line))
        except ValueError:
            sys.stderr.write(line)  # a library that prints


def _store(root: Path) -> str:
    return World(root / HISTORY).places.store


__all__ = ["HISTORY", "Interrupted", "play_all", "play_one", "prepare", "told_by"]
