"""What a person sees on an asset's page: column lists, tables, plots. Presentation only, no rule lives here."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.declare import ALWAYS, Column, Table, UseCase


def column_schema(columns: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """Definition metadata that fills the page's "Columns" section: (name, type, description)."""
    schema = dg.TableSchema([dg.TableColumn(name, type=kind, description=text) for name, kind, text in columns])
    return {"dagster/column_schema": schema}


def table_columns(table: Table) -> list[tuple[str, str, str]]:
    """A declared table's columns: unit, bounds, when known, in words."""
    shown = []
    for column in table.columns:
        parts = [
            column.doc,
            column.unit,
            f"wall clock of {column.zone}" if column.zone else "",
            _bounds(column),
            _known(column.known_at),
            "" if column.nullable else "never null",
        ]
        shown.append((column.name, column.kind.value, " · ".join(p for p in parts if p)))
    for derived in table.derived:
        parts = [derived.doc, str(derived.rule), _known(derived.known_at)]
        shown.append((derived.name, derived.kind.value, " · ".join(p for p in parts if p)))
    return shown


def _bounds(column: Column) -> str:
    """In words: the page reads a leading ">=" as a quotation."""
    least = "" if column.ge is None else f"at least {column.ge:g}"
    greatest = "" if column.le is None else f"at most {column.le:g}"
    return ", ".join(part for part in (least, greatest) if part)


def _known(at: str) -> str:
    return "known always" if at == ALWAYS else f"known at {at}"


def plot(svg: bytes, alt: str) -> dg.MetadataValue:
    """An SVG as markdown that the page can show without fetching anything."""
    return dg.MetadataValue.md(f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})")


def records(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    """Rows as a table on the page; numpy and missing values become plain ones."""
    plain = [dg.TableRecord({k: _plain(v) for k, v in row.items()}) for row in rows]
    return dg.MetadataValue.table(plain) if plain else dg.MetadataValue.text("none")


def number(value: float) -> float:
    """Six digits: more are noise to the eye, and the exact figure is in the store."""
    return float(f"{value:.6g}")


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or value is pd.NA or value != value:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, str | int | bool) else str(value)


def owned(use_case: UseCase) -> dict[str, Any]:
    """Arguments every asset of a use case shares."""
    return {"owners": list(use_case.owners), "tags": {"use_case": use_case.name}}
