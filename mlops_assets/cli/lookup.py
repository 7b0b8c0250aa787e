"""`mlops lookup`: what a request would be answered from, as of any instant."""

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import use_case_named
from mlops_assets.declare import Column, DataError, Kind, Table


def lookup(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    keys: Annotated[list[str], typer.Argument(help="what is looked up by: origin=JFK tailnum=N836UA ...")],
    as_of: Annotated[str, typer.Option("--as-of", help="an instant with its zone: 2013-01-28T10:05:00Z")],
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False,
) -> None:
    """Print the looked-up features of one request from the online store, with the age of what each was made from."""
    from mlops_assets.core.online import OnlineFeatures
    from mlops_assets.stores.feature_store import online_url
    from mlops_assets.stores.online import open_online
    from mlops_assets.stores.settings import settings

    declared = use_case_named(use_case)
    given = _given(declared.request_table, keys)
    at, url = instant(as_of), online_url(settings(os.environ).online, declared)
    if "://" not in url and not Path(url).exists():
        raise DataError(
            f"{declared.name}: nothing is online yet: materialize online_features of the week asked about and the "
            f"{declared.lookback_weeks} before it: `mlops backfill {declared.name} --from WEEK --to WEEK`."
        )
    with closing(open_online(url)) as store:
        values, ages = OnlineFeatures(declared, store).look_up(given, at)
    if json:
        seconds = {name: None if age is None else age.total_seconds() for name, age in ages.items()}
        as_json({"as_of": as_of, "values": values, "age_seconds": seconds})
        return
    units = {feature.name: feature.unit for feature in declared.features}
    grid = Grid("feature", "value", "unit", "age", box=None, pad_edge=False)
    for name, value in values.items():
        shown = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        grid.add_row(name, shown, units[name], "" if ages[name] is None else str(ages[name]))
    out.print(grid)


def _given(table: Table, pairs: list[str]) -> dict[str, Any]:
    """`name=value` pairs as values of the columns' kinds; an empty value is null."""
    columns = {column.name: column for column in table.columns}
    given = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in columns:
            raise typer.BadParameter(f"{pair!r}: write name=value, with a name of {sorted(columns)}.")
        given[name] = None if text == "" else _value(columns[name], text)
    return given


def _value(column: Column, text: str) -> Any:
    try:
        if column.kind in (Kind.INT, Kind.CLOCK):
            return int(text)
        if column.kind is Kind.FLOAT:
            return float(text)
        if column.kind is Kind.BOOL:
            return {"true": True, "false": False}[text]
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{column.name}={text!r} is no {column.kind.value}.") from None
    return instant(text) if column.kind is Kind.INSTANT else text


def instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"{text!r} is no instant with its zone: write it like 2013-01-28T10:05:00Z.")
