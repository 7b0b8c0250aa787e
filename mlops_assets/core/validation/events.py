"""The gate for single events: the rules that files are judged by, asked of rows as far as they are known.

Knows no disk and no clock: rows told so far in, a verdict for each out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrivals import ARRIVAL_TYPE, arrival_column
from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.online.ordered import moment
from mlops_assets.core.validation.conform import conform
from mlops_assets.core.validation.deriving import derive
from mlops_assets.core.validation.gate import judge
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.core.validation.told import Told, by_events, known_part, typed
from mlops_assets.declare import ALWAYS, DataError, Table, UseCase


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says of one told row: the week it belongs to, or why it is refused (exactly one is there)."""

    week: str | None = None
    reason: str = ""


def event_table(use_case: UseCase, name: str) -> Table:
    """The table that events may tell of. Raises DataError for an unknown one and one whose rows have no week."""
    weekly = [t.name for t in use_case.tables if not t.snapshot and t.day is not None and t.known_at[t.day] == ALWAYS]
    if name not in weekly:
        raise DataError(f"{use_case.name}: events tell rows of {weekly} (cut into weeks by their day), not of {name!r}")
    return use_case.table(name)


def judge_told(
    use_case: UseCase, table: Table, rows: Sequence[Told], lookups: Mapping[str, pa.Table], arrived_us: int
) -> list[Verdict]:
    """One verdict for each row, the rows having different keys. `lookups` as in `judge`, `arrived_us` of the events."""
    verdicts = [Verdict() for _ in rows]
    for known, numbers in _alike(rows).items():
        part = known_part(table, known)
        days = _derived(part, [rows[n] for n in numbers], lookups)[str(table.day)].to_pylist()
        weeks: dict[str, list[int]] = {}
        for number, day in zip(numbers, days, strict=True):
            week, why = _week(use_case, table, day, arrived_us)
            if why:
                verdicts[number] = Verdict(reason=why)
            else:
                weeks.setdefault(week, []).append(number)
        for week, members in weeks.items():
            for number, why in zip(
                members, _reasons(use_case, part, [rows[n] for n in members], lookups, week), strict=True
            ):
                verdicts[number] = Verdict(reason=why) if why else Verdict(week=week)
    return verdicts


def _reasons(
    use_case: UseCase, part: Table, rows: Sequence[Told], lookups: Mapping[str, pa.Table], week: str
) -> list[str]:
    judged = judge(use_case, part, _landed(part, rows), lookups, week)
    if not judged.rules[0].passed:
        return [judged.rules[0].sentence] * len(rows)
    refused = judged.quarantined
    why = dict(zip(refused["row"].to_pylist(), refused["reasons"].to_pylist(), strict=True))
    return [why.get(place, "") for place in range(len(rows))]


def _week(use_case: UseCase, table: Table, day: datetime | None, arrived_us: int) -> tuple[str, str]:
    """The week of a row, and why the row may not be told (empty: it may)."""
    if day is None:
        return "", f"{table.day} is null: it belongs to no week"
    axis = use_case.partitions
    week = axis.week_of(day)
    if week < axis.start or (axis.end is not None and week >= axis.end):
        axis_words = f"outside the time axis {axis.start} .. {axis.end or ''}".rstrip(" .")
        return week, f"{table.day} == {day.isoformat()} lies in the week {week}, {axis_words}"
    if moment(arrived_us) > axis.bounds(week)[1] + table.late_by:
        return week, _too_late(table, week, arrived_us)
    return week, ""


def _alike(rows: Sequence[Told]) -> dict[tuple[str, ...], list[int]]:
    """Numbers of the rows by what is known of them, in order."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault(tuple(sorted(row.arrived)), []).append(number)
    return dict(sorted(found.items()))


def told_rows(use_case: UseCase, table: Table, rows: Sequence[Told], lookups: Mapping[str, pa.Table]) -> pa.Table:
    """Accepted rows with every declared and derived column (null where not known yet) and their arrival columns."""
    made = []
    for known, numbers in _alike(rows).items():
        these = [rows[number] for number in numbers]
        part = known_part(table, known)
        found = _derived(part, these, lookups)
        columns = {
            name: found[name] if name in found.column_names else pa.nulls(len(these), ARROW[kind])
            for name, kind in table.kinds.items()
        }
        made.append(pa.table(columns | _arrivals(table, these)))
    return pa.concat_tables(made)


def told_table(table: Table, rows: Sequence[Told]) -> pa.Table:
    """What events told of rows in landed form, null where not told, with arrival columns: for `validate(told=...)`."""
    rows = [by_events(table, row) for row in rows]
    columns = {}
    for column in table.columns:
        values = pa.array([typed(column, row.values.get(column.name)) for row in rows], ARROW[column.kind])
        if column.zone is not None:
            values = pc.local_timestamp(values.cast(pa.timestamp("us", column.zone)))
        columns[column.name] = values
    return pa.table(columns | _arrivals(table, rows))


def _arrivals(table: Table, rows: Sequence[Told]) -> dict[str, pa.Array]:
    return {
        arrival_column(group): pa.array([row.arrived.get(group) for row in rows], pa.int64()).cast(ARRIVAL_TYPE)
        for group in dict.fromkeys(table.known_at.values())
    }


def _landed(part: Table, rows: Sequence[Told]) -> pa.Table:
    return pa.table({c.name: pa.array([typed(c, r.values[c.name]) for r in rows], ARROW[c.kind]) for c in part.columns})


def _derived(part: Table, rows: Sequence[Told], lookups: Mapping[str, pa.Table]) -> pa.Table:
    reasons = Reasons(len(rows))
    return derive(part, conform(part, _landed(part, rows), reasons), lookups, reasons)


def _too_late(table: Table, week: str, arrived_us: int) -> str:
    return (
        f"it arrived at {moment(arrived_us).isoformat()}, more than {table.late_by} after its week {week}: no feature "
        "looks that far back"
    )
