"""`mlops report`: a week's drift or performance report, as the page that was stored with it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import declared_named, week
from mlops_assets.declare.errors import DataError

_PAGE, _RECORD = "page", "verdict"  # parts of both reports


def report(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    partition: Annotated[str, typer.Argument(help="the week, a Monday: 2013-06-24")],
    performance: Annotated[
        bool, typer.Option("--performance", help="how the model's answers turned out, instead of how its inputs moved")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--out", help="the file to write, instead of one named by the week")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="also over a file that is no report")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the record; a file is written for --out alone")] = False,
) -> None:
    """Write the page of a week's report to a file: one HTML file that needs nothing else, as it was when it was made.

    The page comes from the store, every byte verified; nothing is judged anew.
    """
    from mlops_assets.core.pages.visible import visible
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    declared = declared_named(use_case)
    key, artifact = week(declared, partition), "performance_report" if performance else "drift_report"
    store = AssetStore(settings(os.environ).store)
    ref = store.latest(f"{use_case}/{artifact}", key)
    if ref is None or not {_PAGE, _RECORD} <= set(ref.parts):
        there = "there is no" if ref is None else "there is no page in the"
        raise typer.BadParameter(
            f"{there} {artifact} of {use_case} for the week {key}: "
            f"`mlops backfill {use_case} --from {key} --to {key} --job monitor` makes it."
        )
    found = store.load_ref(ref, parts=(_PAGE, _RECORD))
    if to is None and not json:
        to = Path(f"{use_case}-{artifact}-{key}.html")
    if to is not None:
        _write(found.blobs[_PAGE].data, to, force=force)
    if json:
        as_json(found.records[_RECORD])
    else:
        out.print(str(to), markup=False)
        out.print(visible(found.records[_RECORD]["sentence"]), markup=False)


def _write(page: bytes, to: Path, *, force: bool) -> None:
    """Writes the page whole or not at all. Only a report is written over, unless it is forced."""
    from mlops_assets.core.pages.document import is_report
    from mlops_assets.stores.places import place

    try:
        if to.exists() and not force and not (to.is_file() and is_report(to.read_bytes())):
            raise typer.BadParameter(f"{to} is there and is no report: name another with --out, or add --force.")
        place(to.parent).write(to.name, page, "out")
    except OSError as failed:
        raise DataError(f"{to}: {failed.strerror or failed}.") from failed
