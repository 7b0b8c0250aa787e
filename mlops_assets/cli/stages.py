"""Lines about runs: what was made, how long it took, and the command that does the same."""

from mlops_assets.cli.printing import out
from mlops_assets.cli.running import Made, RunOutcome, execute_line


def print_run(outcome: RunOutcome) -> None:
    """One line per asset, and below them the `dagster job execute` line of the run."""
    for made in outcome.made:
        out.print(_line(made))
    out.print(f"  [dim]$ {execute_line(outcome.job, outcome.partition)}[/]")


def _line(made: Made) -> str:
    rows = "" if made.rows is None else f"{made.rows:,} rows"
    refused = "" if made.quarantined is None else f"{made.quarantined:,} quarantined"
    return (
        f"{made.asset:<34}{made.partition:<12}{rows:>12}  {refused:<15} "
        f"[cyan]{made.data_version[:12]:<12}[/] {made.seconds:6.1f} s  {made.verdict}".rstrip()
    )
