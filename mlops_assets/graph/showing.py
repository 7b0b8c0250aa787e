"""What a person sees on an asset's page: column lists, tables, plots. Presentation only, no rule lives here."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.declare import ALWAYS, Table, UseCase


def column_schema(columns: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """Definition metadata that fills the page's "Columns" section: (name, type, description)."""
    schema = dg.TableSchema([dg.TableColumn(name, type=kind, description=text) for name, kind, text in columns])
    return {"dagster/column_schema": schema}


def table_columns(table: Table) -> list[tuple[str, str, str]]:
    """A declared table's columns: unit, bounds, when known, in words."""
    shown = []
    for column in table.columns:
        bounds = [
            f">= {column.ge}" if column.ge is not None else "",
            f"<= {column.le}" if column.le is not None else "",
        ]
        parts = [column.doc, column.unit, *bounds, _known(column.known_at), "" if column.nullable else "never null"]
        shown.append((column.name, column.kind.value, " · ".join(p for p in parts if p)))
    for derived in table.derived:
        parts = [derived.doc, str(derived.rule), _known(derived.known_at)]
        shown.append((derived.name, derived.kind.value, " · ".join(p for p in parts if p)))
    return shown


def _known(at: str) -> str:
    return "known always" if at == ALWAYS else f"known at {at}"


def plot(svg: bytes, alt: str) -> dg.MetadataValue:
    """An SVG as markdown that the page can show without fetching anything."""
    return dg.MetadataValue.md(f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})")


def records(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    """Rows as a table on the page; numpy and missing values become plain ones."""
    plain = [dg.TableRecord({k: _plain(v) for k, v in row.items()}) for row in rows]
    return dg.MetadataValue.table(plain) if plain else dg.MetadataValue.text("none")


def frame_records(frame: pd.DataFrame, limit: int | None = None) -> dg.MetadataValue:
    """A frame as a table on the page."""
    return records(dict(row) for row in (frame if limit is None else frame.head(limit)).to_dict("records"))


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, str | int | bool) else str(value)


def owned(use_case: UseCase) -> dict[str, Any]:
    """Arguments every asset of a use case shares."""
    return {"owners": list(use_case.owners), "tags": {"use_case": use_case.name}}
