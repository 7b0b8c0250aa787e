"""`mlops training-set`: which data was this model trained on, by name, and the same bytes again."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import use_case_named, week
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.core.training_set import Reference


def training_set(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    partition: Annotated[str | None, typer.Argument(help="the week of the model, a Monday: 2013-02-18")] = None,
    name: Annotated[str | None, typer.Option(help="instead of the week: ts-...")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="write its rows to this Parquet file")] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Print the training set of a week's model, or the one of a name: versions, rows, as_of rule.

    Its rows are read from the versions it names and compared with its data version, so what is printed can be had:
    `--out` writes them, the same bytes every time, also when a week was made anew since.
    """
    from mlops_assets.stores import training_sets
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    declared = use_case_named(use_case)
    if (partition is None) == (name is None):
        raise typer.BadParameter("give either the week of a model or --name, not both.")
    if to is not None and to.suffix != ".parquet":
        raise typer.BadParameter(f"--out {to} must end with .parquet: it is a Parquet file.")
    store = AssetStore(settings(os.environ).store)
    if partition is not None:
        found = training_sets.of_model(store, declared.name, week(declared, partition))
    else:
        found = training_sets.named(store, declared.name, name or "")
    rows = training_sets.table(store, found)
    if to is not None:
        _write(rows, to)
    if json:
        as_json(_document(found, rows) | {"out": None if to is None else str(to)})
    else:
        _print(found, rows)
        if to is not None:
            out.print(f"written to    {to}", markup=False)


def _write(rows: "pa.Table", to: Path) -> None:
    from mlops_assets.stores.parquet import parquet_bytes
    from mlops_assets.stores.places import place

    try:
        place(to.parent).write(to.name, parquet_bytes(rows), "out")
    except OSError as failed:
        raise DataError(f"--out {to}: {failed.strerror}.") from failed


def _document(found: "Reference", rows: "pa.Table") -> dict[str, Any]:
    words = {"as_of_rule": found.training_set.as_of_rule, "left_side": found.training_set.left_side}
    record = found.to_json()
    return record | record.pop("set") | words | {"weeks": _weeks(found, rows)}


def _weeks(found: "Reference", rows: "pa.Table") -> list[dict[str, Any]]:
    """A line for each week it names: role, the version of its feature table, how many of its rows are in."""
    from mlops_assets.core.training_set import rows_by_week

    named, counted = found.training_set, rows_by_week(rows)
    roles = named.selection.roles(named.weeks)
    return [
        {"week": week, "role": roles[week], "feature_table": version, "rows": counted.get(week, 0)}
        for week, version in named.weeks.items()
    ]


def _print(found: "Reference", rows: "pa.Table") -> None:
    named = found.training_set
    lines = {
        "training set": found.name,
        "data version": found.data_version,
        "rows": f"{found.train_rows:,} train, {found.validation_rows:,} judge",
        "left side": named.left_side,
        "as of": named.as_of_rule,
        "features": f"{len(named.selection.features)}, declared as {named.features_digest[:12]}",
    }
    for title, text in lines.items():
        out.print(f"{title:<14}{text}", markup=False)
    for line in _weeks(found, rows):
        out.print(f"{line['week']}    {line['role']:<12}{line['rows']:>7,} rows    {line['feature_table'][:12]}")
