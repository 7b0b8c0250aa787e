"""Why rows are refused: collected rule by rule, one sentence each, kept in the order the rules were asked."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mlops_assets.core.validation import instants


class Reasons:
    """The refusals of one table of `rows` rows. Row numbers count from 0 in the stored raw table.

    >>> why = Reasons(3)
    >>> why.add(np.array([False, True, False]), "wind_speed must be <= 253", pa.array([1.0, 1048.36, 2.0]))
    >>> why.of(1), why.bad.tolist()
    ('wind_speed must be <= 253 (met 1048.36)', [False, True, False])
    """

    def __init__(self, rows: int) -> None:
        self._why: dict[int, list[str]] = {}
        self._rules: Counter[str] = Counter()
        self.bad: npt.NDArray[np.bool_] = np.zeros(rows, dtype=bool)

    def add(self, where: Any, rule: str, *values: Sequence[Any]) -> None:
        """Refuse the rows where the boolean mask `where` is true; each of `values` is shown as what was met."""
        if isinstance(where, pa.Array | pa.ChunkedArray):
            where = where.to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(np.asarray(where, dtype=bool)).tolist():
            met = f" (met {' and '.join(shown(each[row]) for each in values)})" if values else ""
            self.add_row(row, rule, met)

    def add_row(self, row: int, rule: str, met: str = "") -> None:
        """Refuse one row."""
        self._rules[rule] += 1
        self._why.setdefault(row, []).append(rule + met)
        self.bad[row] = True

    def of(self, row: int) -> str:
        """All reasons of one row, one sentence."""
        return "; ".join(self._why.get(row, ()))

    @property
    def count(self) -> int:
        """How many rows are refused."""
        return int(self.bad.sum())

    @property
    def by_rule(self) -> dict[str, int]:
        """Rule -> how many rows broke it, most first."""
        return dict(sorted(self._rules.items(), key=lambda item: (-item[1], item[0])))


def shown(value: Any) -> str:
    """A value as a reader knows it: plain numbers, instants in ISO form (UTC), text in quotes and cut at 60.

    >>> shown(np.int64(4963)), shown(datetime(2026, 9, 20, 23, 59, tzinfo=UTC)), shown(pa.scalar("x")), shown(pd.NA)
    ('4963', '2026-09-20T23:59:00+00:00', "'x'", 'null')
    """
    if isinstance(value, pa.TimestampScalar) and value.is_valid:
        return instants.shown(value)
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or value is pd.NA or value is pd.NaT:
        return "null"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
