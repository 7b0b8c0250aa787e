"""The four proofs that end `mlops demo`: on what it just did, each with the command that shows it again.

Two only look and stand here. The other two (`breaking.py`) break something on purpose, in a world of their own below
the data folder, which is made anew each time and can be looked at afterwards by any command.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.cli.breaking import Subject, Told, made_anew, refused, rolled_back
from mlops_assets.declare.errors import MlopsError
from mlops_assets.graph.reproduction import reproduce
from mlops_assets.replay.world import World
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.recorded_model import registered
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.tracing import question, trace
from mlops_assets.stores.settings import PROJECT

__all__ = ["FOLDER", "Proof", "Subject", "proofs"]

FOLDER = "proofs"  # below the data folder: where things are broken on purpose


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One proof: what it claims, whether that held, what was seen, the command that shows it, how long it took (s)."""

    claim: str
    passed: bool
    told: Told
    command: str
    seconds: float


def proofs(subject: Subject, aside: Path, tell: Callable[[str], None] = lambda what: None) -> Iterator[Proof]:
    """The four, one after the other; what must not touch the subject happens in the folder `aside`, made anew."""
    name, use_case = subject.name, subject.use_case.name
    elsewhere = f"MLOPS_DATA={_shown(aside)} mlops"
    world = World(aside)
    steps: tuple[tuple[str, str, Callable[[], tuple[bool, Told]]], ...] = (
        (
            "the data a model was trained on is one look-up away",
            f"mlops trace {name}",
            lambda: traced(subject),
        ),
        ("trained again, it is the same model", f"mlops reproduce {name}", lambda: made_again(subject)),
        (
            "a bad file publishes nothing bad",
            f"{elsewhere} quarantine {use_case} {subject.trained}",
            lambda: refused(subject, made_anew(world, subject)),
        ),
        (
            "a model that breaks in its canary is rolled back by itself",
            f"{elsewhere} rollout status {use_case}",
            lambda: rolled_back(subject, world.places),
        ),
    )
    for claim, command, prove in steps:
        tell(claim)
        began = time.monotonic()
        try:
            passed, told = prove()
        except MlopsError as error:
            passed, told = False, (str(error),)
        yield Proof(claim=claim, passed=passed, told=told, command=command, seconds=time.monotonic() - began)


def traced(subject: Subject) -> tuple[bool, Told]:
    """From the model to its weeks and files in one statement; each file has the recorded hash."""
    with Records(subject.places.records, create=False) as records:
        model = trace(records.database, subject.name)[0].model
    if model is None:
        return False, (f"{subject.name} has no lineage",)
    zone = Landing(f"{subject.places.landing.rstrip('/')}/{subject.use_case.name}")
    files = {file["path"]: file for file in model.files}
    other = [path for path, file in files.items() if zone.fetch(path, file["partition"]).sha256 != file["sha256"]]
    weeks = [week["partition"] for week in model.weeks if week["feature_table"]]
    same = f"{other[0]} is another by now" if other else f"all {len(files)} have the recorded sha256"
    return not other, (
        f"{model.name}: training set {model.training_set}, {len(weeks)} weeks {weeks[0]} .. {weeks[-1]}, commit "
        f"{model.commit[:12]}",
        f"made from {len(files)} landed files: {same}",
    )


def made_again(subject: Subject) -> tuple[bool, Told]:
    """All trials and the fit once more, from recorded bytes, code and seed; nothing is published."""
    found = registered(question(subject.name), subject.places)
    made = reproduce(subject.use_case, found, subject.places)
    digests = f"model digest {made.digest_recorded[:16]} recorded, {(made.digest_here or 'none')[:16]} here"
    return made.passed, (f"{made.verdict}: {made.sentence}", digests, *made.reasons[:1])


def _shown(folder: Path) -> str:
    """The folder as one would write it in the project's folder."""
    return f'"$PWD/{folder.relative_to(PROJECT)}"' if folder.is_relative_to(PROJECT) else str(folder)
