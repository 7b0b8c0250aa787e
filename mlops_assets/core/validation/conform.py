"""Columns get their declared Arrow types; a column that cannot is a schema problem, a value that cannot is a row's.

Knows the declaration and Arrow. It never guesses: text is not parsed into numbers, a time without a zone is refused or
read by the zone its column declares.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.validation.instants import OUTSIDE, from_wall_clock, outside, without
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import Column, Kind, Table

EXACT = 2**53  # the largest run of whole numbers a double holds exactly


def _is_text(t: pa.DataType) -> bool:
    return bool(pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t))


def _is_number(t: pa.DataType) -> bool:
    return bool(pa.types.is_integer(t) or pa.types.is_floating(t))


def _is_utc(t: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(t) and t.tz is not None)


def _is_wall_clock(t: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(t) and t.tz is None)


ACCEPTS: dict[Kind, tuple[Callable[[pa.DataType], bool], str]] = {
    Kind.INT: (_is_number, "whole numbers"),
    Kind.CLOCK: (_is_number, "whole numbers hhmm"),
    Kind.FLOAT: (_is_number, "numbers"),
    Kind.STRING: (_is_text, "text"),
    Kind.BOOL: (pa.types.is_boolean, "true/false"),
    Kind.INSTANT: (_is_utc, "times with a time zone"),
}
WALL_CLOCK = (_is_wall_clock, "times without a time zone, as its zone's clocks show them")


def schema_problems(table: Table, landed: pa.Table) -> list[str]:
    """What is wrong with the landed columns: missing, undeclared, repeated, of another type. Empty = fine.

    A column of nothing but nulls has no type of its own and is accepted as any.
    """
    declared = {c.name: c for c in table.columns}
    missing = [name for name in declared if name not in landed.column_names]
    extra = [name for name in landed.column_names if name not in declared]
    problems = []
    if missing:
        renamed = f" (renamed to one of {extra}?)" if extra else ""
        problems.append(f"columns {missing} are missing{renamed}")
    if extra:
        problems.append(f"columns {extra} are not declared: declare them or leave them out of the file")
    twice = sorted({n for n in landed.column_names if landed.column_names.count(n) > 1})
    if twice:
        problems.append(f"columns {twice} stand twice")
    for field in landed.schema:
        column = declared.get(field.name)
        if column is None:
            continue
        met = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        accepts, wanted = ACCEPTS[column.kind] if column.zone is None else WALL_CLOCK
        if not (accepts(met) or pa.types.is_null(met)):
            problems.append(f"column {field.name!r} holds {met}, declared {column.kind.value}: must be {wanted}")
    return problems


def conform(table: Table, landed: pa.Table, reasons: Reasons) -> pa.Table:
    """The landed columns in declared order and type. A value that does not fit becomes null and gets a reason.

    Call only when `schema_problems` found none.
    """
    columns = {}
    for column in table.columns:
        values = landed[column.name].combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # zero chunks
            values = pa.array([], values.type)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        columns[column.name] = _fit(column, values, reasons)
    return pa.table(columns)


def _fit(column: Column, values: pa.Array, reasons: Reasons) -> pa.Array:
    name, kind, target = column.name, column.kind, ARROW[column.kind]
    met = values.type
    if pa.types.is_null(met):
        return pa.nulls(len(values), target)
    if kind in (Kind.INT, Kind.CLOCK):
        return _whole(name, values, reasons)
    if kind is Kind.FLOAT:
        return _finite(name, values, reasons)
    if kind is Kind.STRING:
        return _text(name, values, reasons)
    if kind is Kind.INSTANT:
        return _instant(name, values, column.zone, reasons)
    return pc.cast(values, target)


def _instant(name: str, values: pa.Array, zone: str | None, reasons: Reasons) -> pa.Array:
    values = _inside(name, values, reasons)
    whole = pc.cast(values, pa.timestamp("us", values.type.tz), safe=False)
    if values.type.unit == "ns":
        uneven = pc.not_equal(pc.cast(whole, values.type), values)
        reasons.add(pc.fill_null(uneven, False), f"{name} has more than microseconds", values)
    if zone is None:
        return pc.cast(whole, ARROW[Kind.INSTANT])
    moments, skipped, repeated = from_wall_clock(whole, zone)
    reasons.add(skipped, f"{name} is a time that the clocks of {zone} skip", values)
    reasons.add(repeated, f"{name} is a time that the clocks of {zone} show twice", values)
    return _inside(name, moments, reasons)


def _inside(name: str, values: pa.Array, reasons: Reasons) -> pa.Array:
    beyond = outside(values)
    reasons.add(beyond, f"{name} {OUTSIDE}", values)
    return without(values, beyond)


def _whole(name: str, values: pa.Array, reasons: Reasons) -> pa.Array:
    if pa.types.is_floating(values.type):  # pandas writes whole numbers with gaps as floats
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        absent = np.isnan(numbers)
        with np.errstate(invalid="ignore"):
            bad = ~absent & ((np.abs(numbers) > EXACT) | (numbers != np.floor(numbers)))
        reasons.add(bad, f"{name} is no whole number a double holds exactly", values)
        return pa.array(np.where(absent | bad, 0, numbers).astype("int64"), mask=absent | bad)
    if values.type == pa.uint64():
        bad = pc.fill_null(pc.greater(values, pa.scalar(2**63 - 1, pa.uint64())), False)
        reasons.add(bad, f"{name} does not fit 64 bits", values)
        values = pc.if_else(bad, pa.scalar(None, pa.uint64()), values)
    return pc.cast(values, pa.int64())


def _finite(name: str, values: pa.Array, reasons: Reasons) -> pa.Array:
    if pa.types.is_integer(values.type):
        wide = pc.fill_null(pc.greater(pc.abs(pc.cast(values, pa.float64(), safe=False)), float(EXACT)), False)
        reasons.add(wide, f"{name} is too large for an exact double", values)
    numbers = pc.cast(values, pa.float64(), safe=False)
    infinite = pc.fill_null(pc.is_inf(numbers), False)
    reasons.add(infinite, f"{name} is infinite", values)
    missing = pc.fill_null(pc.or_(pc.is_nan(numbers), infinite), False)  # NaN is how numpy says null
    return pc.if_else(missing, pa.scalar(None, pa.float64()), pc.add(numbers, 0.0))  # -0.0 + 0.0 is 0.0


def _text(name: str, values: pa.Array, reasons: Reasons) -> pa.Array:
    try:
        values.validate(full=True)
        text = pc.cast(values, pa.string())
    except pa.ArrowInvalid:  # some bytes are no UTF-8 (lone surrogates, cut characters): find which
        text = pa.array([_decoded(v) for v in values.cast(pa.large_binary()).to_pylist()], pa.string())
        reasons.add(pc.and_(pc.is_null(text), pc.is_valid(values)), f"{name} is not valid UTF-8")
    nul = pc.fill_null(pc.match_substring(text, "\0"), False)
    reasons.add(nul, f"{name} holds a NUL character")
    return text


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return None
