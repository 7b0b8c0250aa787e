"""Writing predictions into the log against bare sqlite3 into the same table.

    python benchmarks/prediction_log.py [--rows 4000] [--runs 7] [--postgres URL] [--json]

Ours: as many callers of an event loop as named, each of which hands in a row (or a hundred), waits until it is on disk
and goes on with the next. Bare: `executemany` of as many rows a transaction as there are callers (or a hundred), BEGIN
IMMEDIATE and COMMIT, same table, indexes and pragmas, from a plain loop that waits for nobody. The ways take turns on
fresh files within one run; medians, and the median of the ratios within a turn. CPU is of the process.
"""

import argparse
import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.declare import Kind
from mlops_assets.stores.serving.log_places import SqlitePlace
from mlops_assets.stores.serving.predictions import Answered, PredictionLog
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import answered

# callers at a time, rows a request
LOADS = ((1, 1), (8, 1), (32, 1), (128, 1), (1, 100), (8, 100))
VALUES = {Kind.STRING: "UA", Kind.INT: 719, Kind.FLOAT: 0.8125, Kind.BOOL: True}
FEATURES = json.dumps({f.name: VALUES[FLIGHT_DELAYS.kind_of(f)] for f in FLIGHT_DELAYS.features}, separators=(",", ":"))


def records(rows: int, together: int) -> list[list[Answered]]:
    """Requests of so many rows each, with ids as callers make them and all features of the flights."""
    requests = (str(uuid.uuid4()) for _ in range(rows // together))
    return [
        [answered(id if together == 1 else f"{id}:{row}", request=id, row=row, features=FEATURES)
         for row in range(together)]
        for id in requests
    ]  # fmt: skip


def ours(where: str, requests: list[list[Answered]], callers: int) -> tuple[float, float]:
    """Seconds by clock and of CPU."""
    with closing(PredictionLog(where, FLIGHT_DELAYS)) as log:
        log.put(records(1, 1)[0]).result()  # thread and session are there
        left = iter(requests)

        async def caller(left: Iterator[list[Answered]]) -> None:
            for request in left:
                await log.write(request)

        async def all_of_them() -> None:
            await asyncio.gather(*(caller(left) for _ in range(callers)))

        return timed(lambda: asyncio.run(all_of_them()))


def bare(where: str, requests: list[list[Answered]], callers: int) -> tuple[float, float]:
    """The same rows, as many a transaction as ours can have at most."""
    SqlitePlace(Path(where) / "bare.predictions.db").session().close()  # the tables
    db = sqlite3.connect(Path(where) / "bare.predictions.db", isolation_level=None)
    db.execute("PRAGMA synchronous = FULL")
    number = iter(range(1, 10**9))
    sql = f"INSERT INTO prediction VALUES ({', '.join('?' * 24)})"  # noqa: S608  question marks

    def write() -> None:
        for at in range(0, len(requests), callers):
            rows = [
                (next(number), *msgspec.structs.astuple(row)) for request in requests[at : at + callers]
                for row in request
            ]  # fmt: skip
            db.execute("BEGIN IMMEDIATE")
            db.executemany(sql, rows)
            db.execute("COMMIT")

    with closing(db):
        return timed(write)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def measure(rows: int, runs: int, postgres: str | None) -> list[dict[str, float]]:
    """One line for each load."""
    gc.collect()
    gc.freeze()
    lines = []
    for callers, together in LOADS:
        count = rows * (10 if together > 1 else 1) // (8 if callers == 1 and together == 1 else 1)
        took: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": [], "postgres": []}
        for turn in range(runs):
            ways = [("ours", ours), ("bare", bare)]
            for name, way in ways if turn % 2 == 0 else reversed(ways):
                with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
                    took[name].append(way(folder, records(count, together), callers))
            if postgres:
                took["postgres"].append(ours(postgres, records(count, together), callers))
        line: dict[str, float] = {"callers": callers, "rows_a_request": together}
        for name, times in took.items():
            if times:
                line[f"{name}_rows_per_s"] = statistics.median(count / clock for clock, _ in times)
                line[f"{name}_cpu_us_a_row"] = statistics.median(cpu / count * 1e6 for _, cpu in times)
        pairs = list(zip(took["ours"], took["bare"], strict=True))
        line["time_over_bare"] = statistics.median(mine[0] / plain[0] for mine, plain in pairs)
        line["cpu_over_bare"] = statistics.median(mine[1] / plain[1] for mine, plain in pairs)
        lines.append(line)
    return lines


def main() -> None:
    arguments = argparse.ArgumentParser(description="the prediction log against bare sqlite3")
    arguments.add_argument("--rows", type=int, default=4_000)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--postgres", help="postgresql+psycopg2://... of an empty database, measured beside")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    lines = measure(chosen.rows, chosen.runs, chosen.postgres)
    if chosen.json:
        print(json.dumps(lines, indent=2))
        return
    for line in lines:
        print(f"{line['callers']:g} callers, {line['rows_a_request']:g} rows a request")
        for figure, number in list(line.items())[2:]:
            print(f"  {figure:24} {number:12.2f}")


if __name__ == "__main__":
    main()
