"""`mlops rollback`: an earlier model answers again, at the next request of every gateway."""

import uuid
from typing import Annotated, Any

import typer

from mlops_assets.cli.operating import Json, Name, Url, Why, ask, now_us, rollouts_of, who
from mlops_assets.cli.printing import as_json, out


def rollback(
    use_case: Name,
    to: Annotated[int | None, typer.Option(min=0, help="a finalized version (default: see above)")] = None,
    why: Why = "rolled back by hand",
    url: Url = "",
    json: Json = False,
) -> None:
    """Take out what is on its way; where nothing is, go back to the version that was final before.

    One row is written. The models one can go back to are loaded, so nothing is waited for.
    """
    once = f"rollback {uuid.uuid4()}"  # sent twice it is done once
    if url:
        row: dict[str, Any] = ask(url, "POST", "/rollback", {"to": to, "why": why, "once": once})
    else:
        with rollouts_of(use_case) as rollouts:
            row = rollouts.restore(to, who=who(), why=why, at_us=now_us(), once=once).to_json()
    if json:
        as_json(row)
    else:
        out.print(f"{use_case}: {name(row['champion'])} answers everything, from epoch {row['epoch']} on.")


def name(version: int) -> str:
    """A version in a sentence."""
    return f"version {version}" if version else "the baseline (version 0)"
