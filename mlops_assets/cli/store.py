"""`mlops fsck`: is every stored byte what was written?"""

import os
from dataclasses import asdict
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out, progress


def fsck(
    repair: Annotated[
        bool, typer.Option(help="move damaged objects aside, so that the next run makes them anew")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Read and re-hash the whole object store; name what is damaged and which assets it belongs to (exit code 1).

    A store that does not exist is no sound store: exit code 1 too.
    """
    from mlops_assets.stores import fsck as checking
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    store = AssetStore(settings(os.environ).store)
    with progress() as bar:
        task = bar.add_task("fsck", total=None)
        report = checking.fsck(store, lambda done, total, path: bar.update(task, completed=done, total=total))
    moved = checking.repair(store, report) if repair else []
    again = report.steps if repair else ()
    if json:
        seen = {"publications": report.refs, "objects": report.objects, "bytes": report.bytes}
        found = [asdict(finding) for finding in report.findings]
        as_json({"sound": report.is_sound, "read": seen, "findings": found, "moved_aside": moved, "run_again": again})
    else:
        for finding in report.findings:
            style = "red" if finding.is_damage else "dim"
            out.print(f"[{style}]{finding.kind:<12}[/] {finding.path}")
            out.print(f"             {finding.message}", markup=False)
            for at in finding.affected:
                out.print(f"             belongs to {at}", markup=False)
        for path in moved:
            out.print(f"moved aside  {path}", markup=False)
        for step in again:
            out.print(f"run again    {step}", markup=False)
        counted = f"{report.refs:,} publications, {report.objects:,} objects, {report.bytes:,} bytes"
        said = "sound" if report.is_sound else f"{len(report.damage)} damaged"
        if again:
            out.print("What was moved aside is not made up for until the steps named above were run again.")
        out.print(f"{said}: {counted} read in {store.objects.place}", markup=False)
    if not report.is_sound:
        raise typer.Exit(1)
