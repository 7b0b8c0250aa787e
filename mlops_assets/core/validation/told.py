"""Rows told by single events: what is known of one so far, and whether one more event may be added to it.

An event gives the key of a row and whole *groups* of its columns, those that become known at one instant, nulls
included: a departure gives dep_time and dep_delay, the landing some hours later the rest. A column that is left out is
not known yet, and what is derived from it is not either. What was told once stands: the same again is a duplicate,
another value is refused.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mlops_assets.core.arrivals import groups
from mlops_assets.declare import ALWAYS, Column, DataError, Kind, Table

Value = int | float | str | bool | None
INT64 = 2**63


@dataclass(frozen=True, kw_only=True)
class Told:
    """`values`: landed column -> plain value (instants as ISO text in UTC, those of wall clocks too).

    `arrived`: group -> when the event that completed it arrived (us since 1970), None for a file's, which is on time.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    arrived: Mapping[str, int | None] = field(default_factory=dict)


def tell(table: Table, before: Told, event: Mapping[str, Any], arrived_us: int) -> Told:
    """What is known of a row after one more event; `before` itself when the event says nothing new.

    Raises DataError with the reason when a column is unknown, a value is of another kind or differs from what was told
    before, a group is not whole, or the instant at which values become known cannot be told yet.
    """
    declared = {column.name: column for column in table.columns}
    unknown = [name for name in event if name not in declared]
    if unknown:
        raise DataError(f"{unknown[0]!r} is no landed column of {table.name}, must be one of {list(declared)}")
    given = {name: plain(declared[name], value) for name, value in event.items()}
    for name, value in given.items():
        if name in before.values and before.values[name] != value:
            raise DataError(
                f"{name} is told as {value!r}, but was {before.values[name]!r} before: what was told once stands"
            )
    fresh = [name for name in given if name not in before.values]
    if not fresh:
        return before
    values = {**before.values, **given}
    complete = complete_groups(table, frozenset(values))
    for name in fresh:
        _check_whole(table, declared[name].known_at, name, values, complete)
    came = {group: arrived_us for group in complete if group not in before.arrived}
    return Told(values=values, arrived={**before.arrived, **dict(sorted(came.items()))})


def _check_whole(table: Table, group: str, name: str, values: Mapping[str, Value], complete: Collection[str]) -> None:
    if group in complete:
        return
    absent = [column for column in groups(table)[group] if column not in values]
    if absent:
        known = "known always" if group == ALWAYS else f"known at {group}"
        raise DataError(f"{name} is told without {absent}, {known} too: tell them at once, null where there is none")
    raise DataError(f"{name} is told, but not what says when it became known ({group}): tell that with it or before it")


def complete_groups(table: Table, told: frozenset[str]) -> frozenset[str]:
    """The instants (and ALWAYS) of which everything is known when the columns `told` are."""
    seen = set(told)
    for d in table.derived:
        if d.name not in table.following and set(d.rule.reads) <= seen:
            seen.add(d.name)
    whole = set()
    for group in dict.fromkeys(table.known_at.values()):
        members = [name for name, at in table.known_at.items() if at == group and name not in table.following]
        if members and set(members) <= seen and (group == ALWAYS or group in seen):
            whole.add(group)
    return _standing(table, whole)


def _standing(table: Table, whole: set[str]) -> frozenset[str]:
    """Those of the groups whose derived columns read nothing of a group that is not among them."""
    known_at = table.known_at
    while hanging := {
        d.known_at for d in table.derived
        if d.known_at in whole and d.name not in table.following and any(known_at[r] not in whole for r in d.rule.reads)
    }:  # fmt: skip
        whole = whole - hanging
    return frozenset(whole)


def by_events(table: Table, told: Told) -> Told:
    """What events told of a row, without what a file told besides."""
    arrived = {group: at for group, at in told.arrived.items() if at is not None}
    values = {c.name: told.values[c.name] for c in table.columns if c.known_at in arrived}
    return Told(values=values, arrived=arrived)


def known_part(table: Table, known: Collection[str]) -> Table:
    """The declaration of what is known of a row when its groups `known` are: it judges events by the same rules.

    Wall clocks were read by their zone when they were told, so here they are instants like others.
    """
    columns = tuple(replace(column, zone=None) for column in table.columns if column.known_at in known)
    derived = tuple(d for d in table.derived if d.known_at in known and d.name not in table.following)
    return replace(table, columns=columns, derived=derived, every=None)


def plain(column: Column, value: Any) -> Value:
    """The value as it is kept: one form for one value. Raises DataError when it is not of the column's kind."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    found = _PLAIN[column.kind](column, value)
    if found is None:
        raise DataError(f"{column.name} == {value!r}, must be {_WANTED[column.kind]}")
    return found


def _whole(column: Column, value: Any) -> Value:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64 else None


def _number(column: Column, value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float) or value in (math.inf, -math.inf):
        return None
    if isinstance(value, int) and abs(value) > 2**53:
        return None
    return float(value) + 0.0


def _text(column: Column, value: Any) -> Value:
    try:
        return value if isinstance(value, str) and "\0" not in value and value.encode() is not None else None
    except UnicodeEncodeError:
        return None


def _instant(column: Column, value: Any) -> Value:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or (value.tzinfo is None) != (column.zone is not None):
        return None
    try:
        return (value if column.zone is None else _by_clock(column, value)).astimezone(UTC).isoformat()
    except OverflowError:
        return None


def _by_clock(column: Column, wall: datetime) -> datetime:
    """The one instant at which the clocks of the column's zone show `wall`."""
    first, second = (wall.replace(tzinfo=ZoneInfo(str(column.zone)), fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise DataError(f"{column.name} == {wall.isoformat()} is shown twice or never by the clocks of {column.zone}")
    return first


_PLAIN = {
    Kind.INT: _whole,
    Kind.CLOCK: _whole,
    Kind.FLOAT: _number,
    Kind.STRING: _text,
    Kind.BOOL: lambda column, value: value if isinstance(value, bool) else None,
    Kind.INSTANT: _instant,
}
_WANTED = {
    Kind.INT: "a whole number of 64 bits",
    Kind.CLOCK: "a whole number hhmm",
    Kind.FLOAT: "a finite number",
    Kind.STRING: "text without NUL",
    Kind.BOOL: "true or false",
    Kind.INSTANT: "an instant, like '2013-01-07T05:00:00+00:00' (without a zone where the column declares one)",
}


def typed(column: Column, value: Value) -> Any:
    """The kept value as Arrow takes it."""
    return datetime.fromisoformat(value) if column.kind is Kind.INSTANT and isinstance(value, str) else value
