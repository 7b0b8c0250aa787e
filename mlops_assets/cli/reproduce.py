"""`mlops reproduce`: is a registered model made by what its records say?"""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Grid

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import use_case_named
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    from mlops_assets.core.reproduction import Reproduction
    from mlops_assets.stores.records.tracing import Question

MOST = 12  # reasons that are shown; --json has all
_SAME = {True: "yes", False: "[red]no[/]", None: ""}


def reproduce(
    model: Annotated[str, typer.Argument(help="flight_delays@3, flight_delays@champion or @challenger")],
    threads: Annotated[
        int | None, typer.Option(min=1, help="threads for the fits instead of the declared number: the same model")
    ] = None,
    at_commit: Annotated[
        bool, typer.Option("--at-commit", help="by the code and declaration of the recorded commit, whatever is here")
    ] = False,
    here: Annotated[bool, typer.Option("--here", hidden=True, help="by this code alone, and record nothing")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a page")] = False,
) -> None:
    """Train a registered version again from its recorded bytes, seed and code, and compare (exit code 1 on FAIL).

    Code that differs here is taken from the recorded commit. The ledger keeps the verdict; nothing is published.
    """
    from mlops_assets.graph.reproduction import Code, write_down
    from mlops_assets.graph.reproduction import reproduce as train_again
    from mlops_assets.stores.recorded_model import registered
    from mlops_assets.stores.records import Records
    from mlops_assets.stores.settings import settings

    asked, places = _asked(model), settings(os.environ)
    declared = use_case_named(asked.use_case)
    found = registered(asked, places)
    code = Code.HERE if here else Code.RECORDED if at_commit else Code.AUTO
    with progress() as bar:
        task = bar.add_task(found.name, total=None)
        made = train_again(
            declared, found, places, threads=threads, code=code,
            tell=lambda what, done, of: bar.update(
                task, description=f"{found.name} {what}", completed=done, total=of
            ),
        )  # fmt: skip
    if json:
        as_json(made.to_json())
    else:
        _print(made)
    if not here:
        with Records(places.records) as records:
            today = datetime.now(UTC).date().isoformat()
            write_down(records, made, declared.name, who="mlops reproduce", when=today)
    if not made.passed:
        raise typer.Exit(1)


def _asked(model: str) -> "Question":
    from mlops_assets.stores.records.tracing import question

    try:
        asked = question(model)
    except DataError as malformed:
        raise typer.BadParameter(str(malformed)) from malformed
    if not asked.use_case:
        raise typer.BadParameter(f"{model!r} names no model: write use_case@version, or @champion or @challenger.")
    return asked


def _print(made: "Reproduction") -> None:
    by = "the code here" if made.code == "here" else f"the code of {made.code[:19]}, checked out aside"
    out.print(f"{made.name}, week {made.partition}, trained again by {by}", markup=False)
    out.print()
    grid = Grid("ingredient", "recorded", "here", "same?", box=None, pad_edge=False)
    for one in made.ingredients:
        grid.add_row(one.name, one.recorded, one.here, _SAME[one.same])
    out.print(grid)
    out.print()
    nothing = "nothing could be trained"
    for what, recorded, here in (
        ("model digest", made.digest_recorded, made.digest_here),
        ("predictions", made.predictions_recorded, made.predictions_here),
    ):
        out.print(f"{what:<14}{recorded} recorded", markup=False)
        out.print(f"{'':<14}{here or nothing}{' here' if here else ''}", markup=False)
    out.print()
    out.print(f"[bold {'green' if made.passed else 'red'}]{made.verdict}[/]", end=" ")
    out.print(made.sentence, markup=False)
    for lines in (made.reasons, made.notes):
        for line in lines[:MOST]:
            out.print(f"     {line}", markup=False)
        if len(lines) > MOST:
            out.print(f"     and {len(lines) - MOST} more: --json lists them all")
