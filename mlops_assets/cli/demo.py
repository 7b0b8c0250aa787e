"""`mlops demo`: the first weeks of the shipped year through the real jobs, on the embedded defaults."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out, progress, refuse

USE_CASE = "flight_delays"
DATA_WEEKS = 10  # the first model needs eight; two more have not been seen by it
TRAIN_WEEK = 8
ENVIRONMENT = 'export DAGSTER_HOME="$PWD/data/dagster" PATH="$PWD/.venv/bin:$PATH"'


def demo(json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False) -> None:
    """Ten weeks of flights from landed files to features, a model on the first eight, drift on the two after it."""
    with progress() as bar:
        task = bar.add_task("loading the asset graph", total=None)
        from mlops_assets.cli.stages import run_plan
        from mlops_assets.cli.use_case import use_case_named

        keys = use_case_named(USE_CASE).partitions.keys()[:DATA_WEEKS]
        plan = [("data", key) for key in keys] + [("train", keys[TRAIN_WEEK - 1])]
        plan += [("monitor", key) for key in keys[TRAIN_WEEK:]]
        started = time.monotonic()
        if not json:
            out.print(f"[dim]# each $ line does the same, after: {ENVIRONMENT}[/]")
        outcomes = run_plan(USE_CASE, plan, bar, task, silent=json)
    if json:
        as_json([asdict(outcome) for outcome in outcomes])
    if not outcomes[-1].success:
        refuse(outcomes[-1].error)
        raise typer.Exit(1)
    if not json:
        _what_next(len(outcomes), time.monotonic() - started, keys[TRAIN_WEEK - 1])


def _what_next(runs: int, seconds: float, trained: str) -> None:
    out.print(f"\n[bold]{runs} runs in {seconds:.0f} s.[/] Open next:")
    out.print(
        '  the asset graph        DAGSTER_HOME="$PWD/data/dagster" .venv/bin/dagster dev     then http://127.0.0.1:3000'
    )
    out.print(f"  the rows refused       .venv/bin/mlops quarantine {USE_CASE} 2013-02-11")
    out.print("  every stored byte      .venv/bin/mlops fsck")
    out.print(f"  the model's page       asset {USE_CASE}/trained_model, partition {trained}")
