"""`mlops backfill`: one job over a range of weeks, in order, in this process."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out, progress, refuse
from mlops_assets.cli.use_case import use_case_named, week
from mlops_assets.declare.errors import MlopsError

JOBS = ("data", "train", "rollout", "monitor", "lifecycle")


def backfill(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    first: Annotated[str, typer.Option("--from", help="first week, a Monday: 2012-12-31")],
    last: Annotated[str, typer.Option("--to", help="last week, inclusive")],
    job: Annotated[str, typer.Option(help="data | train | rollout | monitor | lifecycle")] = "data",
    anew: Annotated[bool, typer.Option(help="do all work again, also what is known and would be reused")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Run a job for every week of a range, oldest first; stops at the first that fails (exit code 1)."""
    declared = use_case_named(use_case)
    if job not in JOBS:
        raise typer.BadParameter(f"job {job!r} does not exist, must be one of {list(JOBS)}.")
    begin, end = week(declared, first), week(declared, last)
    keys = [key for key in declared.partitions.keys(datetime.now(UTC)) if begin <= key <= end]
    if not keys:
        raise typer.BadParameter(f"--from {begin} lies after --to {end}: swap them.")
    from mlops_assets.cli.stages import run_plan

    with progress() as bar:
        task = bar.add_task(f"{use_case} {job}", total=len(keys))
        outcomes = run_plan(use_case, [(job, key) for key in keys], bar, task, silent=json, anew=anew)
    if json:
        as_json([asdict(o) for o in outcomes])
    if not outcomes[-1].success:
        done = len(outcomes) - 1
        refuse(MlopsError(f"{outcomes[-1].partition} failed after {done} of {len(keys)} weeks: {outcomes[-1].error}"))
        if not json:
            out.print(f"Mend it, then go on with --from {outcomes[-1].partition}.")
        raise typer.Exit(1)
