"""A replay's account for people: the story of each policy, a table of all."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlops_assets.cli.printing import out
from mlops_assets.core.account import Account, Policy
from mlops_assets.core.gain import share_of_gain, standing_figure, standing_since

_WIDTH = 150  # columns of text, where the terminal does not say that it has more
_COSTS = ("gain", "trainings", "rollouts", "final", "rolled back", "exposed", "harmed", "failed", "runs")


def print_account(account: Account, folder: Path, page: Path, seconds: float) -> None:
    """What happened under each policy, the policies side by side, and where to look on."""
    names = list(dict.fromkeys(name for policy in account.policies for name in policy.metrics))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy", no_wrap=True)
    for name in (*names, *_COSTS):
        table.add_column(name, justify="right", no_wrap=True)
    for policy in account.policies:
        costs, share = policy.costs, share_of_gain(account, policy)
        told = (costs.trainings, costs.rollouts, costs.finalized, costs.rolled_back, costs.exposed, costs.harmed,
                costs.failed)  # fmt: skip
        table.add_row(
            policy.name, *(_number(policy.metrics.get(name)) for name in names),
            "-" if share is None else f"{share:.0%}", *(f"{n:,}" for n in told),
            f"{costs.runs}" + (f" ({costs.failed_runs} failed)" if costs.failed_runs else ""),
        )  # fmt: skip
    for line in account.against:
        table.add_row(line.name, *(_number(line.metrics.get(name)) for name in names), "", f"{line.trainings}")
    for policy in account.policies:
        out.print(f"\n[bold]{policy.name}[/]" + "".join(f"  {at} = {value}" for at, value in policy.changes.items()))
        for at, text in sorted(_story(policy), key=lambda told: told[0][:16]):
            out.print(f"  {at[:16].replace('T', ' ')}  {text}", markup=False)
    out.print()
    Console(width=max(out.width, _WIDTH), highlight=False).print(table)
    if since := standing_since(account):
        told = ((one.name, standing_figure(account, one)) for one in (*account.policies, *account.against))
        out.print(
            f"\n{account.metric} from {since} on, when every policy had a champion of its own (gain is counted from "
            "there): " + ", ".join(f"{_number(value)} {name}" for name, value in told) + "."
        )
    sample = f" (at most {account.most:,} a week, drawn)" if account.most else ""
    asked = sum(week.asked for week in account.policies[0].weeks)
    out.print(
        f"\n{len(account.policies[0].weeks)} weeks, {asked:,} requests{sample} under {len(account.policies)} "
        f"polic{'y' if len(account.policies) == 1 else 'ies'} in {seconds:.0f} s. Open next:"
    )
    world = folder / account.policies[0].name
    out.print(f"  the whole story        {page}")
    out.print(f"  its ledger             MLOPS_DATA={world} mlops history {account.use_case}")
    out.print(f"  its runs               MLOPS_DATA={world} DAGSTER_HOME={world}/dagster dagster-webserver")


def _story(policy: Policy) -> Iterator[tuple[str, str]]:
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
