"""Table rules: what a whole table must satisfy before it may be published. Pure: numbers in, outcomes out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import Every, Table


@dataclass(frozen=True, kw_only=True)
class RuleOutcome:
    """One rule of one table: what was met, what was asked, and in a sentence what to think of it."""

    table: str
    rule: str
    passed: bool
    met: float
    bound: float
    sentence: str

    @property
    def name(self) -> str:
        return f"{self.table}_{self.rule}"


def rule_names(table: Table) -> tuple[str, ...]:
    """The rules a table has, in the order they are asked."""
    null_share = any(c.max_null_share is not None for c in table.columns)
    return (
        "schema",
        "rows",
        "unique_key",
        "quarantined",
        *(("null_share",) if null_share else ()),
        *(("completeness",) if table.every else ()),
    )


def judge_table(table: Table, clean: pa.Table, conflicts: int, reasons: Reasons) -> tuple[RuleOutcome, ...]:
    """All rules but the schema's, asked of the clean rows. `conflicts`: rows that share a key but differ."""
    return tuple(_rules(table, clean, conflicts, reasons))


def _rules(table: Table, clean: pa.Table, conflicts: int, reasons: Reasons) -> Iterator[RuleOutcome]:
    rows = clean.num_rows
    yield RuleOutcome(
        table=table.name, rule="rows", passed=rows >= table.min_rows, met=rows, bound=table.min_rows,
        sentence=f"{rows:,} clean rows, at least {table.min_rows:,} asked"
        + ("." if rows >= table.min_rows else ": is the delivery cut short, or a filter upstream too strict?"),
    )  # fmt: skip
    yield RuleOutcome(
        table=table.name, rule="unique_key", passed=conflicts == 0, met=conflicts, bound=0,
        sentence=f"{conflicts:,} rows share a key ({', '.join(table.key)}) with a different row, none allowed"
        + ("." if conflicts == 0 else ": is the key too short, or was the week delivered twice with corrections?"),
    )  # fmt: skip
    total = len(reasons.bad)
    share = reasons.count / total if total else 0.0
    yield RuleOutcome(
        table=table.name, rule="quarantined", passed=share <= table.max_quarantined_share, met=share,
        bound=table.max_quarantined_share,
        sentence=f"{reasons.count:,} of {total:,} rows quarantined ({share:.2%}), at most "
        f"{table.max_quarantined_share:.2%} allowed" + _top(reasons),
    )  # fmt: skip
    if any(c.max_null_share is not None for c in table.columns):
        yield _null_share(table, clean)
    if table.every is not None:
        yield _completeness(table, table.every, clean)


def schema_outcome(table: Table, problems: list[str]) -> RuleOutcome:
    """The schema rule: no problem, or all of them in one sentence."""
    sentence = "; ".join(problems) + ": did the source change its layout?" if problems else "columns as declared."
    return RuleOutcome(
        table=table.name, rule="schema", passed=not problems, met=len(problems), bound=0, sentence=sentence
    )


def _top(reasons: Reasons) -> str:
    if not reasons.count:
        return "."
    rule, count = next(iter(reasons.by_rule.items()))
    return f"; most often {rule!r} ({count:,} times)."


def _null_share(table: Table, clean: pa.Table) -> RuleOutcome:
    """The column nearest to (or farthest beyond) its bound speaks for all."""
    rows = max(clean.num_rows, 1)
    shares = [
        (clean[c.name].null_count / rows - c.max_null_share, clean[c.name].null_count / rows, c.max_null_share, c.name)
        for c in table.columns
        if c.max_null_share is not None
    ]
    worst, share, bound, name = max(shares)
    cause = "." if worst <= 0 else ": did a join or an export upstream lose its values?"
    return RuleOutcome(
        table=table.name, rule="null_share", passed=worst <= 0, met=share, bound=bound,
        sentence=f"{name!r} is null in {share:.2%} of the rows, at most {bound:.2%} allowed{cause}",
    )  # fmt: skip


def _completeness(table: Table, every: Every, clean: pa.Table) -> RuleOutcome:
    """Steps seen over steps expected between the first and last instant, for the worst group."""
    step = int(every.step.total_seconds() * 1e6)
    ticks = pc.divide(clean[every.instant].cast(pa.int64()), step)
    by = [str(n) for n in range(len(every.by))]  # a column may be called tick
    groups = pa.table([*(clean[name] for name in every.by), ticks], names=[*by, "tick"])
    seen = groups.group_by([*by, "tick"]).aggregate([])
    counts = seen.group_by(by).aggregate([("tick", "count")]) if every.by else None
    low, high = pc.min(ticks).as_py(), pc.max(ticks).as_py()
    expected = 0 if low is None else high - low + 1
    per_group = np.asarray(counts["tick_count"]) if counts is not None else np.array([seen.num_rows])
    fewest = int(per_group.min()) if len(per_group) else 0
    share = fewest / expected if expected else 0.0
    passed = share >= every.at_least
    return RuleOutcome(
        table=table.name, rule="completeness", passed=passed, met=share, bound=every.at_least,
        sentence=f"{fewest:,} of {expected:,} steps of {every.step} are there ({share:.2%}), at least "
        f"{every.at_least:.2%} asked" + ("." if passed else ": was the sensor or its feed down?"),
    )  # fmt: skip
