"""How fast is the data version? Against sha256 of the same Parquet bytes, and of the same column buffers (the limit).

Run: `python benchmarks/hash.py [--json] [--rounds N] [--times 1 10]`. The input is the shipped flights, once and ten
times over. The contestants take turns in every round of one run, so that a busy machine is busy for all; the figures
are medians. "sorted" is how the store keeps tables; "shuffled" pays for the canonical order; "as landed" is the files
one after another. A ratio below 1 means: faster than sha256 over the same column buffers.
"""

import argparse
import hashlib
import json
import statistics
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from mlops_assets.core.versions import canonical, table_version, version_of_canonical
from mlops_assets.stores.parquet import parquet_bytes

FLIGHTS = Path(__file__).parents[1] / "data/landing/flight_delays/flights"
LIMIT = "sha256 of the column buffers"


def landed(times: int) -> pa.Table:
    """The flights, `times` over; every copy but the first has flight numbers of its own, so that no two rows tie."""
    files = sorted(FLIGHTS.glob("*.parquet"))
    if not files:
        raise SystemExit(f"no flights in {FLIGHTS}: the benchmark needs the shipped files.")
    once = pa.concat_tables(pq.ParquetFile(file).read() for file in files)
    place = once.column_names.index("flight")
    numbers = once["flight"].to_numpy().astype(np.int32)
    return pa.concat_tables(once.set_column(place, "flight", pa.array(numbers + 10_000 * n)) for n in range(times))


def buffers_hashed(table: pa.Table, hasher: object) -> str:
    """One hash over the raw buffers of every column, without normalising or ordering anything."""
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    hasher.update(buffer)
    return hasher.hexdigest()


def measured(times: int, rounds: int) -> dict[str, object]:
    """Medians in milliseconds, and ratios to the limit, for the flights `times` over."""
    table = landed(times)
    ordered = canonical(table)
    mixed = ordered.take(pa.array(np.random.default_rng(20130710).permutation(ordered.num_rows)))
    file = parquet_bytes(ordered)
    contestants = {
        "data version, sorted": lambda: table_version(ordered),
        "data version, order known": lambda: version_of_canonical(ordered),
        "data version, as landed": lambda: table_version(table),
        "data version, shuffled": lambda: table_version(mixed),
        "sha256 of the Parquet bytes": lambda: hashlib.sha256(file).hexdigest(),
        LIMIT: lambda: buffers_hashed(ordered, hashlib.sha256()),
        "blake3 of the column buffers": lambda: buffers_hashed(ordered, blake3()),
    }
    if len({table_version(ordered), table_version(table), table_version(mixed)}) != 1:
        raise SystemExit("the three orders of one table have different versions: the benchmark would be of nothing.")
    times_ms: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times_ms[name].append(1e3 * (time.perf_counter() - start))
    medians = {name: statistics.median(taken) for name, taken in times_ms.items()}
    return {
        "rows": ordered.num_rows,
        "column_mb": round(ordered.nbytes / 1e6, 1),
        "parquet_mb": round(len(file) / 1e6, 1),
        "rounds": rounds,
        "median_ms": {name: round(ms, 2) for name, ms in medians.items()},
        "ratio_to_limit": {name: round(ms / medians[LIMIT], 2) for name, ms in medians.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10])
    asked = parser.parse_args()
    results = {f"{times}x": measured(times, asked.rounds) for times in asked.times}
    if asked.json:
        print(json.dumps(results, indent=1))
        return
    for size, result in results.items():
        print(
            f"\nflights {size}: {result['rows']:,} rows, {result['column_mb']} MB of columns, median of {asked.rounds}"
        )
        for name, ms in result["median_ms"].items():
            print(f"  {name:30} {ms:10.2f} ms   {result['ratio_to_limit'][name]:6.2f} x the limit")


if __name__ == "__main__":
    main()
