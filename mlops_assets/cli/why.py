"""`mlops why`: reused or made anew, and because of what."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import use_case_named, week

if TYPE_CHECKING:
    from mlops_assets.graph.why import Explanation

MOST = 12  # changes that are shown of a publication; --json has all


def why(
    asset: Annotated[str, typer.Argument(help="e.g. flight_delays/trained_model")],
    partition: Annotated[str, typer.Argument(help="the week, a Monday: 2013-02-18")],
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Say for each publication of a week what made it differ from the one before, and what a run would do now.

    Named are changed functions, constants and classes, values of the declaration, library versions, input partitions.
    """
    from mlops_assets.graph.why import explain, steps
    from mlops_assets.stores.settings import settings

    name, slash, artifact = asset.partition("/")
    if not slash:
        raise typer.BadParameter(f"asset {asset!r} must be 'use_case/artifact', e.g. 'flight_delays/trained_model'.")
    declared = use_case_named(name)
    if artifact not in (known := steps(declared)):
        raise typer.BadParameter(f"{name} has no asset {artifact!r}, must be one of {list(known)}.")
    found = explain(declared, artifact, week(declared, partition), settings(os.environ))
    if json:
        as_json(_document(found))
    else:
        _print(found)


def _document(found: "Explanation") -> dict[str, Any]:
    from mlops_assets.core.actions import sentence

    def told(changes: Any) -> list[dict[str, Any]]:
        return [asdict(change) | {"in words": sentence(change)} for change in changes]

    published = [
        {"generation": one.ref.generation, "data_version": one.ref.data_version, "action_key": one.ref.action_key,
         "run": one.ref.run, "created_at": one.ref.created_at, "commit": one.ref.code.get("commit"),
         "changes": None if one.changes is None else told(one.changes)}
        for one in found.publications
    ]  # fmt: skip
    now = {"verdict": found.verdict, "reason": found.reason, "against": found.against, "changes": told(found.changes)}
    return {"asset": found.asset, "partition": found.partition, "publications": published, "now": now}


def _print(found: "Explanation") -> None:
    for place, one in enumerate(found.publications):
        ref = one.ref
        commit = str(ref.code.get("commit", "unknown"))[:10]
        out.print(
            f"{ref.at}  {ref.data_version[:12]}  {ref.created_at}  run {ref.run[:8]}  commit {commit}", markup=False
        )
        if one.changes is None:
            out.print("    made for the first time" if place == 0 else "    what differs from before is not recorded")
        elif not one.changes:
            out.print("    the same action again: an earlier result became the newest, or the work was asked for anew")
        else:
            _print_changes(one.changes)
    out.print(f"now: [bold]{found.verdict}[/]: ", end="")
    out.print(found.reason, markup=False)
    _print_changes(found.changes)


def _print_changes(changes: Any) -> None:
    from mlops_assets.core.actions import sentence

    for change in changes[:MOST]:
        out.print(f"    {sentence(change)}", markup=False)
    if len(changes) > MOST:
        out.print(f"    and {len(changes) - MOST} more: --json lists them all")
