"""Landed tables through all rules, in order: schema, rows, derived columns, week, keys, later rows, table.

Knows no disk and no Dagster: it returns what it found, the shell publishes or refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.validation.beside import Beside
from mlops_assets.core.validation.conform import conform, schema_problems
from mlops_assets.core.validation.deriving import derive, derive_following
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.core.validation.rows import judge_rows
from mlops_assets.core.validation.rules import RuleOutcome, judge_table, schema_outcome
from mlops_assets.declare import ALWAYS, DataError, Following, Table, UseCase
from mlops_assets.declare.derived import RESERVED


@dataclass(frozen=True, kw_only=True)
class Validated:
    """One table's verdict. `clean` has the landed and derived columns; `quarantined` the landed ones, as landed,

    with `row` (its number in the stored raw table, which is sorted, from 0) and `reasons`. `completeness` is the
    share (0..1) of the week's days with a row, 1.0 for a snapshot.
    """

    clean: pa.Table
    quarantined: pa.Table
    rules: tuple[RuleOutcome, ...]
    by_rule: Mapping[str, int]
    completeness: float

    @property
    def passed(self) -> bool:
        return all(rule.passed for rule in self.rules)


def validate(
    use_case: UseCase, landed: Mapping[str, pa.Table], partition: str, told: Mapping[str, pa.Table] | None = None
) -> dict[str, Validated]:
    """Table name -> verdict, for every table of the use case. Raises DataError when a table was not landed.

    `told[name]` are the rows of a table that single events told (`beside.py`): they count beside the file's.
    """
    absent = [t.name for t in use_case.tables if t.name not in landed]
    if absent:
        raise DataError(f"{use_case.name}: tables {absent} were not landed for {partition}.")
    done: dict[str, Validated] = {}
    for table in _lookups_first(use_case):
        lookups = {name: validated.clean for name, validated in done.items()}
        done[table.name] = judge(use_case, table, landed[table.name], lookups, partition, (told or {}).get(table.name))
    return {t.name: done[t.name] for t in use_case.tables}


def _lookups_first(use_case: UseCase) -> list[Table]:
    order: list[Table] = []

    def visit(table: Table) -> None:
        for name in table.looks_up:
            if name != table.name:
                visit(use_case.table(name))
        if table not in order:
            order.append(table)

    for table in use_case.tables:
        visit(table)
    return order


def judge(
    use_case: UseCase,
    table: Table,
    landed: pa.Table,
    lookups: Mapping[str, pa.Table],
    partition: str,
    told: pa.Table | None = None,
    refused: frozenset[int] = frozenset(),
) -> Validated:
    """One table of one week through all rules. `lookups` are the validated tables that zones are read from.

    `refused` are landed rows that a first turn refused although an event told of them too: the told one stands then.
    """
    problems = schema_problems(table, landed)
    if problems:
        return Validated(clean=landed.slice(0, 0), quarantined=_quarantined(landed, Reasons(landed.num_rows)),
                         completeness=0.0, rules=(schema_outcome(table, problems),), by_rule={})  # fmt: skip
    beside = Beside(table, landed, told, refused)
    reasons = Reasons(beside.raw.num_rows)
    rows = beside.joined(conform(table, landed, reasons), reasons)
    judge_rows(table, rows, reasons)
    rows = beside.not_yet(derive(table, rows, lookups, reasons))
    _judge_times(use_case, table, rows, partition, reasons)
    conflicts = _judge_keys(table, rows, reasons)
    if further := beside.replaced(reasons.bad) - refused:
        return judge(use_case, table, landed, lookups, partition, told, refused | further)
    good = pa.array(~reasons.bad)
    clean = derive_following(table, rows.filter(good))
    return Validated(
        clean=beside.with_arrivals(clean, good),
        quarantined=_quarantined(beside.raw, reasons),
        rules=(schema_outcome(table, []), *judge_table(table, clean, conflicts, reasons)),
        by_rule=reasons.by_rule,
        completeness=_days_seen(use_case, table, clean, partition),
    )


def _judge_times(use_case: UseCase, table: Table, rows: pa.Table, partition: str, reasons: Reasons) -> None:
    """A row must belong to its week, be known before anyone stops looking, and be askable if it is a request."""
    if table.name == use_case.requests.table:
        _judge_request(use_case, table, rows, reasons)
    if table.snapshot:
        return
    (begin, end), zone = use_case.partitions.bounds(partition), use_case.partitions.timezone
    if table.day is not None:
        reasons.add(_absent(rows[table.day], reasons), f"{table.day} is null: it belongs to no week")
        outside = pc.invert(_between(rows[table.day], begin, end))
        week = f"{partition} ({begin.isoformat()} .. {end.isoformat()}, from Monday to Monday in {zone})"
        reasons.add(pc.fill_null(outside, False), f"{table.day} lies outside the week of {week}", rows[table.day])
    for instant in sorted(_told(table) | {rule.at for rule in _follows(table)}):  # what another row may find, too
        late = pc.greater(rows[instant], pa.scalar(end + table.late_by, rows[instant].type))
        reasons.add(pc.fill_null(late, False), f"{instant} is more than {table.late_by} after the week", rows[instant])


def _judge_request(use_case: UseCase, table: Table, rows: pa.Table, reasons: Reasons) -> None:
    """A request has its instant, and nothing of its own outcome is known by then."""
    as_of = use_case.requests.as_of
    reasons.add(_absent(rows[as_of], reasons), f"{as_of} is null: it cannot be asked")
    for instant in sorted(_told(table) - {as_of}):
        early = pc.less_equal(rows[instant], rows[as_of])
        rule = f"{instant} must come after {as_of}, or the row sees its own outcome"
        reasons.add(pc.fill_null(early, False), rule, rows[instant], rows[as_of])
    for at, after in sorted({(rule.at, rule.after) for rule in _follows(table)}):
        early = pc.greater_equal(pc.subtract(rows[as_of], rows[at]), pa.scalar(after, pa.duration("us")))
        rule = f"{as_of} must come before {at} + {after}, or the row sees its own outcome"
        reasons.add(pc.fill_null(early, False), rule, rows[as_of], rows[at])


def _told(table: Table) -> set[str]:
    """The instants at which values become known that a row has of its own; a later row's are that row's."""
    return set(table.known_at.values()) - {ALWAYS, *table.following}


def _follows(table: Table) -> list[Following]:
    return [d.rule for d in table.derived if isinstance(d.rule, Following)]


def _absent(values: pa.ChunkedArray, reasons: Reasons) -> npt.NDArray[np.bool_]:
    """Nulls of rows that have no reason yet: a null that follows from a refused value needs no second one."""
    absent: npt.NDArray[np.bool_] = np.asarray(pc.is_null(values)) & ~reasons.bad
    return absent


def _between(values: pa.ChunkedArray, begin: object, end: object) -> pa.ChunkedArray:
    low, high = pa.scalar(begin, values.type), pa.scalar(end, values.type)
    return pc.and_(pc.greater_equal(values, low), pc.less(values, high))


def _judge_keys(table: Table, rows: pa.Table, reasons: Reasons) -> int:
    """Exact repeats get a reason (the first stays); returns how many clean rows share a key but differ."""
    alive = np.flatnonzero(~reasons.bad)
    landed = rows.select([c.name for c in table.columns]).take(pa.array(alive))
    repeated = _repeats(landed)
    mask = np.zeros(len(reasons.bad), dtype=bool)
    mask[alive[repeated]] = True
    reasons.add(mask, "is an exact repeat of an earlier row")
    distinct = landed.filter(pa.array(~repeated))
    keys = _numbered(distinct.select(table.key))
    groups = keys.group_by(keys.column_names).aggregate([([], "count_all")])
    counts = np.asarray(groups["count_all"])
    return int(counts[counts > 1].sum())


def _numbered(table: pa.Table) -> pa.Table:
    """The columns under the names 0, 1, ...: whatever a use case calls its own, ours beside them stay apart."""
    return table.rename_columns([str(n) for n in range(table.num_columns)])


def _repeats(table: pa.Table) -> npt.NDArray[np.bool_]:
    """True for every row that equals an earlier one."""
    columns = _numbered(table)
    rows = columns.append_column("row", pa.array(np.arange(table.num_rows)))
    firsts = rows.group_by(columns.column_names).aggregate([("row", "min")])["row_min"]
    repeated = np.ones(table.num_rows, dtype=bool)
    repeated[np.asarray(firsts)] = False
    return repeated


def _quarantined(landed: pa.Table, reasons: Reasons) -> pa.Table:
    rows = np.flatnonzero(reasons.bad)
    theirs = [n for n, name in enumerate(landed.column_names) if name not in RESERVED]  # no table may declare those
    bad = landed.select(theirs).take(pa.array(rows, pa.int64()))
    bad = bad.append_column("row", pa.array(rows, pa.int64()))
    return bad.append_column("reasons", pa.array([reasons.of(row) for row in rows.tolist()], pa.string()))


def _days_seen(use_case: UseCase, table: Table, clean: pa.Table, partition: str) -> float:
    if table.day is None or table.snapshot:
        return 1.0
    zone = use_case.partitions.timezone
    local = clean[table.day].to_pandas().dt.tz_convert(zone).dt.date
    days = int(local.nunique())
    return min(1.0, days / 7)
