"""What the commands print alike: tables and lines for people, JSON for programs."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mlops_assets.declare.errors import MlopsError

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def refuse(error: MlopsError | str) -> None:
    """One line that says what is wrong, on stderr."""
    err.print("[bold red]refused:[/]", end=" ")
    err.print(str(error), markup=False)


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, allow_nan=False, default=str) + "\n")


def progress() -> Progress:
    """A bar on stderr; where that is no terminal it prints nothing, so logs stay readable."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
