"""Rows that single events told, beside the rows of a week's file: one table for the gate, with who came when.

A file is the record of its week, and on time. A row that both tell keeps the events' arrivals, since that is when it
was seen; where they differ, what came first stands and the file's row is refused. A row that only events told is judged
like a landed one, as far as it is known: what derives from columns not told yet is null, not computed from their nulls.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrivals import ARRIVAL_TYPE, arrival_column, groups
from mlops_assets.core.validation.conform import conform
from mlops_assets.core.validation.reasons import Reasons
from mlops_assets.declare import ALWAYS, Table


class Beside:
    """The landed rows of one table and those told by events (`told`: landed columns and arrival columns; or None).

    `raw` are all rows in landed form, the file's first: row numbers count there.
    """

    def __init__(self, table: Table, landed: pa.Table, told: pa.Table | None, refused: frozenset[int]) -> None:
        self._table, self._landed = table, landed.num_rows
        self._told = None if told is None or told.num_rows == 0 else told
        self.raw = landed
        if self._told is None:
            return
        names = [column.name for column in table.columns]
        by_key = {_key(row, table.key): n for n, row in enumerate(self._told.select(list(table.key)).to_pylist())}
        landed_keys = [_key(row, table.key) for row in landed.select(list(table.key)).to_pylist()]
        self._of_file = np.array([by_key.get(key, -1) for key in landed_keys], dtype=np.int64)
        self._differs = self._differing(conform(table, landed, Reasons(landed.num_rows)))
        agree = self._of_file.copy()
        agree[[*refused, *(row for _, rows in self._differs for row in rows)]] = -1
        alone = np.setdiff1d(np.arange(self._told.num_rows), agree)
        self._alone = np.array([n for n in alone.tolist() if self._can_stand(n)], dtype=np.int64)
        extra = self._told.select(names).take(pa.array(self._alone, pa.int64()))
        beside = pa.table({name: _plain(landed[name]) for name in names})
        self.raw = pa.concat_tables([beside, extra.cast(_zoned(extra.schema, beside))], promote_options="permissive")

    def replaced(self, bad: npt.NDArray[np.bool_]) -> frozenset[int]:
        """The landed rows of which an event told too and that are refused: what the event told stands alone."""
        if self._told is None:
            return frozenset()
        return frozenset(np.flatnonzero(bad[: self._landed] & (self._of_file >= 0)).tolist())

    def joined(self, landed: pa.Table, reasons: Reasons) -> pa.Table:
        """The conformed landed rows and the told ones below them. A landed row that differs gets its reason."""
        if self._told is None:
            return landed
        for column, rows in self._differs:
            where = np.zeros(self.raw.num_rows, dtype=bool)
            where[rows] = True
            reasons.add(where, f"{column} differs from what an event told first", landed[column])
        return pa.concat_tables([landed, self._conformed().take(pa.array(self._alone, pa.int64()))])

    def _conformed(self) -> pa.Table:
        told = self._told.select([column.name for column in self._table.columns])  # type: ignore[union-attr]  # not None
        return conform(self._table, told, Reasons(told.num_rows))  # each was judged when it was told

    def not_yet(self, rows: pa.Table) -> pa.Table:
        """Null for whatever becomes known at an instant of which a told row knows nothing yet."""
        if self._told is None:
            return rows
        for group in groups(self._table) | dict.fromkeys(self._table.known_at.values()):
            if group == ALWAYS:
                continue
            silent = np.zeros(rows.num_rows, dtype=bool)
            silent[self._landed :] = self._arrived(group).is_null().to_numpy(zero_copy_only=False)[self._alone]
            if silent.any():
                for name, at in self._table.known_at.items():
                    if at == group and name in rows.column_names:
                        column = pc.if_else(pa.array(silent), pa.scalar(None, rows[name].type), rows[name])
                        rows = rows.set_column(rows.column_names.index(name), name, column)
        return rows

    def with_arrivals(self, clean: pa.Table, good: pa.Array) -> pa.Table:
        """The clean rows with when their values arrived, where any came by an event."""
        if self._told is None:
            return clean
        source = np.concatenate([self._of_file, self._alone])
        for group in dict.fromkeys(self._table.known_at.values()):
            arrived = self._arrived(group).take(pa.array(source, mask=source < 0))
            clean = clean.append_column(arrival_column(group), arrived.filter(good))
        return clean

    def _arrived(self, group: str) -> pa.Array:
        name = arrival_column(group)
        if self._told is None or name not in self._told.column_names:
            return pa.nulls(0 if self._told is None else self._told.num_rows, ARRIVAL_TYPE)
        return self._told[name].combine_chunks()

    def _can_stand(self, row: int) -> bool:
        """False while a column that may not be null has not been told."""
        for group, names in groups(self._table).items():
            needed = any(not column.nullable for column in self._table.columns if column.name in names)
            if needed and not self._arrived(group)[row].is_valid:
                return False
        return True

    def _differing(self, landed: pa.Table) -> list[tuple[str, list[int]]]:
        """By column the landed rows whose value is not the one an event told."""
        both = np.flatnonzero(self._of_file >= 0)
        source = pa.array(self._of_file[both], pa.int64())
        theirs, found = self._conformed().take(source), []
        for group, names in groups(self._table).items():
            told = self._arrived(group).take(source).is_valid()
            for name in names:
                mine, other = landed[name].take(pa.array(both)).combine_chunks(), theirs[name].combine_chunks()
                same = pc.or_(pc.fill_null(pc.equal(mine, other), False), pc.and_(mine.is_null(), other.is_null()))
                rows = both[pc.and_(told, pc.invert(same)).to_numpy(zero_copy_only=False)].tolist()
                if rows:
                    found.append((name, rows))
        return found


def _plain(landed: pa.ChunkedArray) -> pa.ChunkedArray:
    """A landed column without what keeps Arrow from joining it to another: dictionaries and views."""
    if pa.types.is_dictionary(landed.type):
        landed = landed.cast(landed.type.value_type)
    return landed.cast(pa.string()) if pa.types.is_string_view(landed.type) else landed


def _zoned(schema: pa.Schema, landed: pa.Table) -> pa.Schema:
    """The schema with instants in the time zones in which they landed."""
    for place, field in enumerate(schema):
        met = landed.schema.field(field.name).type
        if pa.types.is_timestamp(met):
            schema = schema.set(place, field.with_type(pa.timestamp(field.type.unit, met.tz)))
    return schema


def _key(row: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)
