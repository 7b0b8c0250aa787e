"""`mlops demo`: the first weeks of the shipped year through the real jobs, and four proofs on what it did."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from mlops_assets.cli.printing import as_json, out, progress, refuse

if TYPE_CHECKING:
    from mlops_assets.cli.proofs import Proof

USE_CASE = "flight_delays"
DATA_WEEKS = 10  # the first model needs eight; two more have not been seen by it
TRAIN_WEEK = 8
PROOF_WEEKS = DATA_WEEKS + 1  # the shadow takes two whole weeks: the first canary is in the one after them
ENVIRONMENT = 'export DAGSTER_HOME="$PWD/data/dagster" PATH="$PWD/.venv/bin:$PATH"'


def demo(json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False) -> None:
    """Ten weeks of flights from landed files to features, a model on the first eight, drift on the two after it.

    Then four proofs: what it was trained on, that it can be made again, a bad file, a canary that is rolled back.
    """
    with progress() as bar:
        task = bar.add_task("loading the asset graph", total=None)
        from mlops_assets.cli.stages import run_plan
        from mlops_assets.cli.use_case import use_case_named

        weeks = use_case_named(USE_CASE).partitions.keys()
        keys = weeks[:DATA_WEEKS]
        plan = [("data", key) for key in keys] + [("train", keys[TRAIN_WEEK - 1])]
        plan += [("monitor", key) for key in keys[TRAIN_WEEK:]]
        started = time.monotonic()
        if not json:
            out.print(f"[dim]# each $ line does the same, after: {ENVIRONMENT}[/]")
        outcomes = run_plan(USE_CASE, plan, bar, task, silent=json)
        ran = time.monotonic() - started
        held = list(_proofs(weeks, bar, task, silent=json)) if outcomes[-1].success else []
    if json:
        as_json({"runs": [asdict(outcome) for outcome in outcomes], "proofs": [asdict(proof) for proof in held]})
    if not outcomes[-1].success:
        refuse(outcomes[-1].error)
        raise typer.Exit(1)
    if not json:
        _what_next(len(outcomes), ran, sum(proof.seconds for proof in held), keys[TRAIN_WEEK - 1])
    if not all(proof.passed for proof in held):
        raise typer.Exit(1)


def _proofs(weeks: Sequence[str], bar: Progress, task: TaskID, *, silent: bool) -> "Iterator[Proof]":
    """The proofs on the model that was trained, printed as they are made."""
    from mlops_assets.cli.proofs import FOLDER, Subject, proofs
    from mlops_assets.cli.use_case import use_case_named
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import PROJECT, settings

    places, trained = settings(os.environ), weeks[TRAIN_WEEK - 1]
    entry = AssetStore(places.store).load(f"{USE_CASE}/registry_entry", trained, parts=("entry",)).records["entry"]
    subject = Subject(
        use_case=use_case_named(USE_CASE), name=entry["candidate"], trained=trained,
        after=weeks[TRAIN_WEEK:PROOF_WEEKS], places=places,
    )  # fmt: skip
    aside = Path(os.environ.get("MLOPS_DATA") or PROJECT / "data").absolute() / FOLDER
    bar.update(task, total=None)
    for number, proof in enumerate(proofs(subject, aside, lambda what: bar.update(task, description=what)), 1):
        if not silent:
            _print_proof(number, proof)
        yield proof


def _print_proof(number: int, proof: "Proof") -> None:
    verdict = "[green]PASS[/]" if proof.passed else "[red]FAIL[/]"
    out.print(
        f"{'' if number > 1 else chr(10)}[bold]proof {number}[/]  {proof.claim:<70} {proof.seconds:6.1f} s  {verdict}"
    )
    for line in proof.told:
        out.print(f"         {line}", markup=False)
    out.print(f"  [dim]$ {proof.command}[/]")


def _what_next(runs: int, ran: float, proved: float, trained: str) -> None:
    out.print(f"\n[bold]{runs} runs in {ran:.0f} s, four proofs in {proved:.0f} s.[/] Open next:")
    out.print(
        '  the asset graph        DAGSTER_HOME="$PWD/data/dagster" .venv/bin/dagster dev     then http://127.0.0.1:3000'
    )
    out.print(f"  the rows refused       .venv/bin/mlops quarantine {USE_CASE} 2013-02-11")
    out.print("  every stored byte      .venv/bin/mlops fsck")
    out.print(f"  the model's page       asset {USE_CASE}/trained_model, partition {trained}")
