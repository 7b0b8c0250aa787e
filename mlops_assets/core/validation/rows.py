"""Row rules: the declared columns as a pandera schema, its failures as reasons.

Knows the declaration and pandera. Bounds, sets, patterns and nulls are pandera's; what a clock is, is ours.
"""

from functools import lru_cache
from typing import Any

import pyarrow as pa

from mlops_assets.core.frames import to_frame
from mlops_assets.core.validation.reasons import Reasons, shown
from mlops_assets.declare import Column, Kind, Table


def judge_rows(table: Table, rows: pa.Table, reasons: Reasons) -> None:
    """Add a reason for every value that breaks its column's declaration. `rows` have declared types already."""
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    frame = to_frame(rows)
    try:  # the rules hold whatever PANDERA_VALIDATION_ENABLED or _DEPTH say in the environment
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            schema(table.columns, table.key).validate(frame, lazy=True)
    except SchemaErrors as found:
        cases = found.failure_cases
        if cases["index"].isna().any():  # a check that could not run has no row: failing open is no answer
            raise RuntimeError(f"{table.name}: a row rule could not be asked: {cases.iloc[0].to_dict()}") from found
        for case in cases.itertuples():
            rule = "must not be null" if case.check == "not_nullable" else str(case.check)
            met = "" if case.check == "not_nullable" else f" (met {shown(case.failure_case)})"
            reasons.add_row(int(case.index), f"{case.column} {rule}", met)


@lru_cache(maxsize=64)
def schema(columns: tuple[Column, ...], key: tuple[str, ...]) -> Any:
    """The pandera schema of landed columns, key columns never null; each check's message is the rule in words."""
    import pandera.pandas as pandera

    return pandera.DataFrameSchema(
        {
            column.name: pandera.Column(
                None, checks=_checks(column), nullable=column.nullable and column.name not in key
            )
            for column in columns
        },
        strict=True,
    )


def _checks(column: Column) -> list[Any]:
    import pandera.pandas as pandera

    unit = f" {column.unit}" if column.unit else ""
    checks = []
    if column.ge is not None:
        checks.append(pandera.Check.ge(column.ge, error=f"must be >= {column.ge}{unit}"))
    if column.le is not None:
        checks.append(pandera.Check.le(column.le, error=f"must be <= {column.le}{unit}"))
    if column.isin is not None:
        checks.append(pandera.Check.isin(column.isin, error=f"must be one of {list(column.isin)}"))
    if column.pattern is not None:
        whole = f"^(?:{column.pattern})$"  # RE2, where $ is the very end: a trailing newline does not match
        checks.append(pandera.Check.str_matches(whole, error=f"must match {column.pattern}"))
    if column.kind is Kind.CLOCK:
        checks.append(pandera.Check(_is_clock, error="must be a clock time hhmm, 0000 .. 2400"))
    return checks


def _is_clock(hhmm: Any) -> Any:
    return (hhmm >= 0) & (hhmm <= 2400) & (hhmm % 100 < 60)
