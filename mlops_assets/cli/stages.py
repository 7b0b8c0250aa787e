"""A plan of runs, one after the other, and the lines about them: what was made, how long it took, the same by hand."""

from collections.abc import Sequence

from rich.progress import Progress, TaskID

from mlops_assets.cli.printing import out
from mlops_assets.cli.running import Made, RunOutcome, execute_line, instance, run_job
from mlops_assets.graph.jobs import job_name


def run_plan(
    use_case: str, plan: Sequence[tuple[str, str]], bar: Progress, task: TaskID, *, silent: bool, anew: bool = False
) -> list[RunOutcome]:
    """Run the (job, week) pairs of a plan in order, with progress, until one fails; `silent` prints no lines.

    `anew`: do all work again, also what is known.
    """
    outcomes: list[RunOutcome] = []
    bar.update(task, total=len(plan))
    with instance() as found:
        for job, week in plan:
            outcome = run_job(
                found,
                job_name(use_case, job),
                week,
                lambda step, week=week: bar.update(task, description=f"{week} {step}"),
                anew=anew,
            )
            outcomes.append(outcome)
            bar.advance(task)
            if not silent:
                print_run(outcome)
            if not outcome.success:
                break
    return outcomes


def print_run(outcome: RunOutcome) -> None:
    """One line per asset, and below them the `dagster job execute` line of the run."""
    for made in outcome.made:
        out.print(_line(made))
    out.print(f"  [dim]$ {execute_line(outcome.job, outcome.partition)}[/]")


def _line(made: Made) -> str:
    rows = "" if made.rows is None else f"{made.rows:,} rows"
    said = [word for word in ("reused" if made.reused else "", made.verdict) if word]
    refused = "" if made.quarantined is None else f"{made.quarantined:,} quarantined"
    return (
        f"{made.asset:<34}{made.partition:<12}{rows:>12}  {refused:<15} "
        f"[cyan]{made.data_version[:12]:<12}[/] {made.seconds:6.1f} s  {'  '.join(said)}".rstrip()
    )
