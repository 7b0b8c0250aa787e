"""How long one question takes among 10,000 model versions, each closed over 53 weeks, and 10 million predictions.

Versions are registered in a line of weeks, each trained on the 53 up to its own, as two use cases have it that are
retrained for a century; every week has four landed files, one of them the same file for all weeks. Predictions are
spread over the versions, their ids over all of the hexadecimal numbers. Questions of each kind are asked in turn with
other keys every time, so the pages they need are mostly not in SQLite's cache (the machine's may have them). What is
timed is one `trace`: the statement, its rows, the records made of them; by the clock, which tells of the machine's
other work too, and as CPU time. The plan is SQLite's own.
"""

import argparse
import gc
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.core.versions import record_version
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.records.seal import sealed
from mlops_assets.stores.records.tables import LINEAGE_KEY, MODEL_VERSION
from mlops_assets.stores.records.tracing import trace

WEEKS, USE_CASES = 53, ("flight_delays", "parking")
TABLES = ("flights", "weather", "planes", "airports")  # the last one's file never changes
STAGES = {0: ("champion", 1.0), 1: ("challenger", 0.0)}  # by how many versions came after


@cache
def hexes(*names: object) -> str:
    return record_version([str(name) for name in names])


def model(use_case: str, version: int, count: int) -> ModelVersion:
    """The version trained on the weeks up to its own."""
    weeks = [f"w{week:06d}" for week in range(version, version + WEEKS)]
    stage, share = STAGES.get(count - version, ("archived", 0.0))
    own = ("model_digest", "trained_model", "data_version", "training_set_data_version")
    return ModelVersion(
        use_case=use_case, version=version, partition=weeks[-1], registered_at="2013-07-01T00:00:00.000000+00:00",
        **{name: hexes(use_case, name, version) for name in own}, training_set=f"{use_case}/ts-{version:012x}",
        commit=hexes("commit", version // 4)[:40], dirty="false", dagster_run=hexes("dagster", use_case, version)[:36],
        mlflow_run=hexes("mlflow", use_case, version)[:32], mlflow_url="", dagster_url="", seed=7, verdict="PASS",
        sentence="PASS: log_loss 0.5081 against 0.5256 of the baseline reaches the margin 0.001.",
        metrics={f"metric_{n}": n / 7 for n in range(7)}, libraries={f"library-{n}": "1.2.3" for n in range(9)},
        weeks=tuple(
            {"partition": week, "role": "train"} | {
                kind: hexes(use_case, kind, week) for kind in ("feature_table", "validated_dataset", "raw_data")}
            for week in weeks
        ),
        files=tuple(
            {"partition": week, "table": table, "path": path, "sha256": hexes(use_case, path)}
            for week in weeks for table in TABLES
            for path in [f"{table}.parquet" if table == TABLES[-1] else f"{table}/{week}.parquet"]
        ),
        stage=stage, share=share,
    )  # fmt: skip


def prediction_id(number: int, count: int) -> str:
    """Ids in ascending order over all of the numbers of 32 hexadecimal digits."""
    return f"{number * (16**32 // count):032x}"


def fill(records: Records, models: int, predictions: int) -> None:
    """Both tables, in the order of their keys: what is measured is reading."""
    each = models // len(USE_CASES)
    keys: list[tuple[str, str, int, str]] = []
    with records.database.writing() as connection:
        for use_case in USE_CASES:
            for version in range(1, each + 1):
                row = model(use_case, version, each)
                connection.execute(insert(MODEL_VERSION).values(sealed(row.columns())))
                keys.extend((key, use_case, version, kind) for key, kind in row.keys().items())
    keys.sort()

    def answers() -> Iterator[tuple[object, ...]]:
        for number in range(predictions):
            use_case, version = USE_CASES[number % 2], 1 + number // 2 % each
            yield (prediction_id(number, predictions), use_case, version, "champion", "2013-07-01T08:00:00Z",
                   "2013-07-01T08:00:01Z")  # fmt: skip

    with closing(sqlite3.connect(records.database.path)) as db, db:
        columns = ", ".join(column.name for column in LINEAGE_KEY.c)
        db.executemany(f"INSERT INTO lineage_key({columns}) VALUES (?, ?, ?, ?)", keys)  # noqa: S608  our own names
        db.executemany("INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?)", answers())
    with closing(sqlite3.connect(records.database.path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.sync()  # what is still to be written is not written while something is timed


def questions(models: int, predictions: int, draw: random.Random) -> dict[str, Callable[[], str]]:
    """Kind of question -> one of that kind."""
    each = models // len(USE_CASES)

    def use_case() -> str:
        return draw.choice(USE_CASES)

    def version() -> int:
        return draw.randint(1, each)

    def week() -> str:
        return f"w{draw.randint(WEEKS, each):06d}"

    return {
        "prediction id": lambda: prediction_id(draw.randrange(predictions), predictions),
        "use_case@version": lambda: f"{use_case()}@{version()}",
        "use_case@champion": lambda: f"{use_case()}@champion",
        "model digest": lambda: hexes(use_case(), "model_digest", version()),
        "the first 12 characters of it": lambda: hexes(use_case(), "model_digest", version())[:12],
        "training set": lambda: f"{use_case()}/ts-{version():012x}",
        "the first 10 characters of a commit": lambda: hexes("commit", version() // 4)[:10],
        "data version of a week's raw data": lambda: hexes(use_case(), "raw_data", week()),
        "sha256 of a week's file": lambda: hexes(use_case(), f"flights/{week()}.parquet"),
        "path of a week's file": lambda: f"flights/{week()}.parquet",
        "sha256 of a file of all weeks": lambda: hexes(use_case(), f"{TABLES[-1]}.parquet"),
    }


def measure(records: Records, asked: dict[str, Callable[[], str]], times: int) -> dict[str, dict[str, float]]:
    """By kind of question: how many models answer it, and milliseconds by the clock and of this thread's CPU."""
    result = {}
    for kind, ask in asked.items():
        met: dict[str, list[float]] = {"clock": [], "cpu": []}
        for _ in range(times if "all weeks" not in kind else max(times // 50, 5)):
            what = ask()
            clock, cpu = time.perf_counter(), time.thread_time()
            found = trace(records.database, what)
            met["cpu"].append((time.thread_time() - cpu) * 1e3)
            met["clock"].append((time.perf_counter() - clock) * 1e3)
        result[kind] = {"models": len(found), "asked": len(met["clock"])} | {
            f"{name}_{figure}_ms": sorted(each)[int(share * len(each))]
            for name, each in met.items()
            for figure, share in (("p50", 0.5), ("p99", 0.99))
        }
    return result


def plan(records: Records, what: str) -> list[str]:
    """SQLite's plan of the one statement that answers."""
    seen: list[tuple[str, Any]] = []
    event.listen(records.database._engine, "before_cursor_execute", lambda *met: seen.append((met[2], met[3])))
    trace(records.database, what)
    ((statement, parameters),) = seen
    with closing(sqlite3.connect(records.database.path)) as db:
        return [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def main() -> None:
    arguments = argparse.ArgumentParser(description="mlops trace: one question among many models and predictions")
    arguments.add_argument("--models", type=int, default=10_000)
    arguments.add_argument("--predictions", type=int, default=10_000_000)
    arguments.add_argument("--times", type=int, default=1_000, help="questions of each kind")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, Records(Path(folder) / "records.db") as records:
        start = time.perf_counter()
        fill(records, chosen.models, chosen.predictions)
        filled = {"seconds": time.perf_counter() - start, "bytes": records.database.path.stat().st_size}
        gc.collect()
        gc.freeze()  # what the benchmark itself holds is not searched for garbage while something is timed
        asked = questions(chosen.models, chosen.predictions, random.Random(7))
        result = {"filled": filled, "kinds": measure(records, asked, chosen.times)}
        result["plan"] = plan(records, asked["prediction id"]())
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    print(f"filled in {filled['seconds']:.0f} s, {filled['bytes'] / 2**30:.1f} GiB")
    for kind, met in result["kinds"].items():
        figures = "  ".join(f"{n.removesuffix('_ms')} {met[n]:7.2f}" for n in met if n.endswith("_ms"))
        print(f"  {kind:35} {met['models']:5} models  {figures} ms")
    print("\n".join(result["plan"]))


if __name__ == "__main__":
    main()
