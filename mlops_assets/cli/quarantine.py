"""`mlops quarantine`: the rows the gate refused, and why."""

import os
from contextlib import closing
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import use_case_named, week
from mlops_assets.declare import DataError, UseCase


def quarantine(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    partition: Annotated[str, typer.Argument(help="the week, a Monday: 2013-02-11; none: single events")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Print every row of a week, or every single event, that the gate refused, with all its reasons."""
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    declared = use_case_named(use_case)
    if not partition:
        _events(declared, json)
        return
    store = AssetStore(settings(os.environ).store)
    key = week(declared, partition)
    if store.latest(f"{declared.name}/quarantine", key) is None:
        raise DataError(
            f"{declared.name}: the week {key} was not validated yet: "
            f"`mlops backfill {declared.name} --from {key} --to {key}`."
        )
    tables = store.load(f"{declared.name}/quarantine", key).tables
    rows = [{"table": name, **row} for name, table in sorted(tables.items()) for row in table.to_pylist()]
    if json:
        as_json(rows)
        return
    for row in rows:
        out.print(f"{row['table']} row {row['row']}: {row['reasons']}", markup=False)
    out.print(f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'} quarantined in {partition}.")


def _events(use_case: UseCase, json: bool) -> None:
    from mlops_assets.core.online.ordered import moment
    from mlops_assets.stores.feature_store import open_journal
    from mlops_assets.stores.settings import settings

    with closing(open_journal(settings(os.environ).journal, use_case)) as journal:
        rows = [row._asdict() | {"arrived": moment(row.arrived).isoformat()} for row in journal.refused()]
    if json:
        as_json(rows)
        return
    for row in rows:
        often = f" ({row['times']} times)" if row["times"] > 1 else ""
        out.print(f"{row['table']} event of {row['arrived']}{often}: {row['reasons']}: {row['given']}", markup=False)
    out.print(f"{len(rows):,} {'event' if len(rows) == 1 else 'events'} quarantined.")
