"""`mlops history`: every decision about the models, and what was live when."""

import os
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.lookup import instant
from mlops_assets.cli.printing import as_json, out
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    from mlops_assets.stores.records import Records
    from mlops_assets.stores.records.entry import Entry


def history(
    use_case: Annotated[str | None, typer.Argument(help="e.g. flight_delays; without it all of them")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="what was live then: 2013-07-01 (at the day's end in UTC) or an instant")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Print the ledger: who decided what about which model, and why; or, with --at, what was live at a date."""
    from mlops_assets.stores.records import Records
    from mlops_assets.stores.settings import settings

    moment = None if at is None else _moment(at)
    with Records(settings(os.environ).records, create=False) as records:
        entries = records.ledger.entries(use_case)
        if use_case is not None and not entries:
            known = sorted({entry.use_case for entry in records.ledger.entries()})
            raise DataError(f"nothing was decided about {use_case!r}, must be one of {known}: ask for one of them.")
        if moment is None:
            _print(entries, json)
        else:
            _print_live(records, sorted({entry.use_case for entry in entries}), moment, json)
        if records.ledger.verify():
            raise DataError("the ledger is not what was written, so this may not be what was decided: `mlops doctor`.")


def _moment(text: str) -> str:
    """The last instant of a day, or the instant itself."""
    try:
        return f"{date.fromisoformat(text).isoformat()}T23:59:59.999999+00:00"
    except ValueError:
        return instant(text).isoformat()


def _print(entries: list["Entry"], json: bool) -> None:
    from mlops_assets.stores.records.entry import ALIAS

    if json:
        as_json([_document(entry) for entry in entries])
        return
    for e in entries:
        kind = f"{e.kind} {e.points[0]}" if e.kind == ALIAS else e.kind
        out.print(f"{e.seq:>5}  {e.at[:19]}Z  {kind:<20}  {e.subject}", markup=False)
        out.print(f"       {e.why} ({e.who})", markup=False)


def _print_live(records: "Records", use_cases: list[str], moment: str, json: bool) -> None:
    then = records.ledger.at(moment)
    if json:
        live = {name: {a: _document(e) for a, e in then.get(name, {}).items()} for name in use_cases}
        as_json({"at": moment, "live": live})
        return
    for name in use_cases:
        aliases = then.get(name, {})
        for alias in ("champion", "challenger"):
            held = aliases.get(alias)
            said = f"{held.subject}, since {held.at[:19]}Z: {held.why} ({held.who})" if held else "none"
            out.print(f"{name}: {alias} at {moment[:19]}Z was {said}", markup=False)


def _document(entry: "Entry") -> dict[str, Any]:
    return asdict(entry) | {"evidence": dict(entry.facts)}
