"""A week's files land in a world, with the file time of the instant at which they came; spoiled, where a feed breaks.

Here belongs what lands and how it is broken. The broken feed is the slip that a judge can name: a number that hardly
ever moves comes in another unit (a distance in kilometres for miles), within all that the gate accepts.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import landed_type
from mlops_assets.core.drift.faults.conversions import Conversion, conversions_of
from mlops_assets.declare import AtRequest, Column, DataError, Kind, Last, Table, UseCase
from mlops_assets.stores.landing import Fetched, Landing
from mlops_assets.stores.parquet import SUFFIX, parquet_bytes
from mlops_assets.stores.settings import Settings

BROKEN_FEED = "broken_feed"
_TWICE = Conversion("twice as many", 2.0)  # where no change of a column's unit is known
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def land(
    use_case: UseCase, source: Landing, places: Settings, week: str, at: datetime, faults: Sequence[str] = ()
) -> None:
    """Put a week's files into the landing zone of `places` as of `at` (with a zone), each whole or not at all.

    `source` is the zone of the use case, `<landing>/<use case>`. Snapshots are put there once, with the first week.
    `faults` spoil the week's files. Raises DataError where a file is missing, leads out of its zone or cannot be
    spoiled, and for a zone that is no folder of this machine.
    """
    if at.tzinfo is None:
        raise DataError(f"week {week} lands at {at!r}, must be an instant with a zone: give it one.")
    if "://" in places.landing:
        raise DataError(f"landing == {places.landing!r}, must be a folder for files to land in: name one.")
    root = Path(places.landing) / use_case.name
    zone = Landing(root)
    for table in use_case.tables:
        if table.snapshot and zone.has(table.landing, week):
            continue
        file = source.fetch(table.landing, week)
        _put(root / zone.path(table.landing, week), _spoiled_file(use_case, table, file, faults), at)


def spoiled(use_case: UseCase, table: str, rows: pa.Table, fault: str) -> pa.Table:
    """The landed rows of a table as `fault` makes them; the same rows where it strikes another table.

    Raises DataError for an unknown fault, for a use case that has nothing to break so, and for rows of which every
    change of unit would leave what the gate accepts.
    """
    struck = _struck(use_case, fault)
    if table != struck[0].name:
        return rows
    column = struck[1]
    for change in (*conversions_of(column.unit), _TWICE):
        values = pc.add(pc.multiply(pc.cast(rows[column.name], pa.float64()), change.factor), change.offset)
        if column.kind is Kind.INT:
            values = pc.round(values)
        if _accepted(column, values):
            place, field = rows.column_names.index(column.name), rows.schema.field(column.name)
            return rows.set_column(place, field, pc.cast(values, field.type, safe=False))
    raise DataError(
        f"{use_case.name}.{table}: {column.name!r} in any other unit would leave its declared bounds: "
        f"sabotage another week, or by another kind than {fault!r}."
    )


def _struck(use_case: UseCase, fault: str) -> tuple[Table, Column]:
    """The table and column that a fault strikes: the first with a known change of unit, else the first."""
    if fault != BROKEN_FEED:
        raise DataError(f"fault == {fault!r}, must be {BROKEN_FEED!r}: no other is known of a week's files.")
    found = list(_stable(use_case))
    if not found:
        raise DataError(
            f"{use_case.name} has no feature that is a stable number with a unit, taken as it lands: "
            f"{fault!r} breaks nothing there, sabotage by another kind."
        )
    return next((met for met in found if conversions_of(met[1].unit)), found[0])


def _stable(use_case: UseCase) -> Iterator[tuple[Table, Column]]:
    """The numbers with a unit that land week by week and that a stable feature shows, in the order of the features."""
    for feature in use_case.features:
        if isinstance(feature, AtRequest) and feature.stable and len(feature.reads) == 1:
            table, (name,) = use_case.request_table, feature.reads
        elif isinstance(feature, Last) and feature.stable:
            table, name = use_case.table(feature.table), feature.column
        else:
            continue
        column = next((c for c in table.columns if c.name == name), None)
        if column and column.unit and column.kind in (Kind.INT, Kind.FLOAT) and not table.snapshot:
            yield table, column


def _accepted(column: Column, values: pa.ChunkedArray) -> bool:
    ends = pc.min_max(values).as_py()
    low, high = ends["min"], ends["max"]
    return low is not None and (column.ge is None or low >= column.ge) and (column.le is None or high <= column.le)


def _spoiled_file(use_case: UseCase, table: Table, file: Fetched, faults: Sequence[str]) -> bytes:
    data = file.data
    for fault in faults:
        if _struck(use_case, fault)[0] is not table:
            continue
        if PurePath(file.path).suffix.lower() != SUFFIX:
            raise DataError(f"{file.path} cannot be spoiled by {fault!r}: it is no {SUFFIX} file, convert it.")
        rows = file.parsed({c.name: landed_type(c) for c in table.columns})
        data = parquet_bytes(spoiled(use_case, table.name, rows, fault))
    return data


def _put(target: Path, data: bytes, at: datetime) -> None:
    """The file is seen whole and with its time, which tells the same whenever it is played again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.tmp")
    aside.write_bytes(data)
    told = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    os.utime(aside, ns=(told, told))
    aside.replace(target)
