"""Types of what passes between assets: every table of an artifact is checked as a dagster-pandas frame.

The declaration is the source; a value outside its declared range fails the step before anything is stored.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import dagster as dg

from mlops_assets.core.frames import to_frame
from mlops_assets.declare import Column, Count, Kind, Rate, Table, UseCase
from mlops_assets.graph.storage import Made

DTYPES = {
    Kind.INT: {"Int64"},
    Kind.CLOCK: {"Int64"},
    Kind.FLOAT: {"float64"},
    Kind.STRING: {"string"},
    Kind.BOOL: {"boolean"},
    Kind.INSTANT: {"datetime64[us, UTC]"},
}
Bounds = tuple[str, Kind, bool, float | None, float | None]  # name, kind, nullable, least, greatest


def table_bounds(table: Table) -> tuple[Bounds, ...]:
    """What a validated table promises of each column."""
    landed = {c.name: c for c in table.columns}

    def promise(name: str, kind: Kind) -> Bounds:
        column: Column | None = landed.get(name)
        if column is None:
            return name, kind, True, None, None
        return name, kind, column.nullable and name not in table.key, column.ge, column.le

    return tuple(promise(name, kind) for name, kind in table.kinds.items())


def feature_bounds(use_case: UseCase) -> tuple[Bounds, ...]:
    """What a feature table promises: a request's key and instant are there, a rate lies in 0..1, a count is >= 0."""
    requests = use_case.request_table
    asked = dict.fromkeys((*requests.key, use_case.requests.as_of))
    own = [(name, requests.kinds[name], False, None, None) for name in asked]
    features: list[Bounds] = []
    for feature in use_case.features:
        least = 0.0 if isinstance(feature, Rate | Count) else None
        greatest = 1.0 if isinstance(feature, Rate) else None
        features.append((feature.name, use_case.kind_of(feature), True, least, greatest))
    return (*own, *features)


def artifact_type(name: str, tables: Mapping[str, Iterable[Bounds]], doc: str) -> dg.DagsterType:
    """A type for what a step made, whose named tables keep their promises; other tables are not looked at."""
    promises = {table: tuple(bounds) for table, bounds in tables.items()}

    def check(_: Any, value: object) -> dg.TypeCheck:
        if not isinstance(value, Made):
            return dg.TypeCheck(success=False, description=f"a {type(value).__name__}, must be Made")
        if value.known is not None:
            return dg.TypeCheck(success=True)  # it was checked when it was made, and its bytes are verified
        for table, bounds in promises.items():
            if table not in value.artifact.tables:
                return dg.TypeCheck(success=False, description=f"table {table!r} is missing")
            verdict = frame_type(f"{name}_{table}", bounds).type_check(None, to_frame(value.artifact.tables[table]))
            if not verdict.success:
                return dg.TypeCheck(success=False, description=f"table {table!r}: {verdict.description}")
        return dg.TypeCheck(success=True)

    lines = [f"- **{table}**: {len(bounds)} columns" for table, bounds in promises.items()]
    return dg.DagsterType(check, name=name, description="\n".join([doc, "", *lines]), typing_type=Made)


@lru_cache(maxsize=256)
def frame_type(name: str, bounds: tuple[Bounds, ...]) -> Any:
    """The dagster-pandas type of one frame (imported here: it costs a second, and only steps need it)."""
    import dagster_pandas as dp
    from dagster_pandas.constraints import (
        ColumnDTypeInSetConstraint,
        InRangeColumnConstraint,
        NonNullableColumnConstraint,
    )

    columns = []
    for column, kind, nullable, least, greatest in bounds:
        constraints: list[Any] = [ColumnDTypeInSetConstraint(DTYPES[kind])]
        if not nullable:
            constraints.append(NonNullableColumnConstraint())
        if least is not None or greatest is not None:
            low, high = -math.inf if least is None else least, math.inf if greatest is None else greatest
            constraints.append(InRangeColumnConstraint(low, high, ignore_missing_vals=True))
        columns.append(dp.PandasColumn(column, constraints=constraints))
    return dp.create_dagster_pandas_dataframe_type(name, columns=columns)
