"""The as-of lookup, three ways on the same arrays: ours, bare DuckDB SQL, pandas.merge_asof.

    python benchmarks/asof.py [--runs 7] [--json]

Question: of each request's (aircraft, asked instant), how many departures were known by then, the sum of their delays,
the row of the last. Same int64 arrays in, an Arrow table out, ties folded by each. One year of flights ("1x": 336,776
asks, 328,521 events) and ten of them side by side, keys apart ("10x"). The ways take turns within one run; medians.
Also: a whole week's `feature_table` of the declared use case.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.core.features import feature_table
from mlops_assets.core.features.engine import look_up
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.conftest import flights, week_and_history

BARE = """
WITH folded AS (SELECT k, t, max(seq) AS seq, count(*) AS n, sum(v) AS s FROM events GROUP BY k, t),
known AS (SELECT k, t, seq, sum(n) OVER so_far AS n, sum(s) OVER so_far AS s FROM folded
          WINDOW so_far AS (PARTITION BY k ORDER BY t ROWS UNBOUNDED PRECEDING))
SELECT q, n::BIGINT AS n, s::BIGINT AS s, seq FROM asks ASOF LEFT JOIN known ON asks.k = known.k AND asks.t >= known.t
"""


def arrays(times: int) -> tuple[pa.Table, pa.Table]:
    """Asks and events of the year, `times` over with their own keys."""
    frame = flights().select(["tailnum", "asked_utc", "dep_utc", "dep_delay"]).to_pandas()
    codes = pd.factorize(frame["tailnum"])[0].astype(np.int64)
    asked = frame["asked_utc"].astype("int64").to_numpy() // _unit(frame["asked_utc"])
    left = pd.DataFrame({"k": codes, "t": asked})[codes >= 0]
    flown = frame["dep_utc"].notna().to_numpy() & (codes >= 0)
    known = frame["dep_utc"][flown]
    right = pd.DataFrame({"k": codes[flown], "t": known.astype("int64") // _unit(known)})
    right["v"] = frame["dep_delay"][flown].astype(np.int64).to_numpy()
    left, right = (
        pd.concat([side.assign(k=side["k"] + n * 10_000) for n in range(times)], ignore_index=True)
        for side in (left, right)
    )
    rng = np.random.default_rng(1)
    left, right = (side.iloc[rng.permutation(len(side))].reset_index(drop=True) for side in (left, right))
    left.insert(0, "q", np.arange(len(left)))
    right["seq"] = np.arange(len(right))
    return (
        pa.Table.from_pandas(left, preserve_index=False),
        pa.Table.from_pandas(right[["k", "t", "seq", "v"]], preserve_index=False),
    )


def _unit(instants: "pd.Series[pd.Timestamp]") -> int:
    return 1_000 if "ns" in str(instants.dtype) else 1


def ours(asks: pa.Table, events: pa.Table) -> pa.Table:
    found = look_up(asks, events, size=asks.num_rows)
    return pa.table({"n": found.n, "s": found.s, "seq": found.seq})


def bare(asks: pa.Table, events: pa.Table) -> pa.Table:
    with duckdb.connect(":memory:") as engine:
        engine.register("asks", asks)
        engine.register("events", events)
        return engine.sql(BARE).to_arrow_table()


def pandas(asks: pa.Table, events: pa.Table) -> pa.Table:
    left = asks.to_pandas().sort_values("t")
    folded = (
        events.to_pandas().groupby(["k", "t"], as_index=False).agg(seq=("seq", "max"), n=("v", "size"), s=("v", "sum"))
    )
    folded[["n", "s"]] = folded.groupby("k")[["n", "s"]].cumsum()
    return pa.Table.from_pandas(pd.merge_asof(left, folded.sort_values("t"), on="t", by="k"), preserve_index=False)


def check(asks: pa.Table, events: pa.Table) -> None:
    """All three must answer the same before any of them is timed."""
    mine = ours(asks, events).to_pandas()
    for other in (bare, pandas):
        theirs = other(asks, events).to_pandas().sort_values("q")
        for name, missing in (("n", 0), ("s", 0), ("seq", -1)):
            if not np.array_equal(mine[name], theirs[name].fillna(missing).astype(np.int64)):
                raise SystemExit(f"{other.__name__} and ours differ in {name}: nothing was timed.")


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Median seconds of each way, and the ratios of the others to ours."""
    result = {}
    for times in (1, 10):
        asks, events = arrays(times)
        check(asks, events)
        seconds: dict[str, list[float]] = {way.__name__: [] for way in (ours, bare, pandas)}
        for turn in range(runs if times == 1 else max(3, runs // 2)):
            ways = (ours, bare, pandas) if turn % 2 == 0 else (pandas, bare, ours)
            for way in ways:
                seconds[way.__name__].append(timed(partial(way, asks, events)))
        median = {f"{name}_s": statistics.median(each) for name, each in seconds.items()}
        result[f"{times}x"] = {
            "asks": asks.num_rows,
            "events": events.num_rows,
            **median,
            "ours_over_bare": median["ours_s"] / median["bare_s"],
            "pandas_over_ours": median["pandas_s"] / median["ours_s"],
        }
    requests, history = week_and_history("2013-07-08")
    whole = [timed(lambda: feature_table(FLIGHT_DELAYS, requests, history)) for _ in range(runs)]
    result["feature_table_week"] = {
        "requests": requests.num_rows,
        "features": len(FLIGHT_DELAYS.features),
        "history_rows": sum(table.num_rows for table in history.values()),
        "median_s": statistics.median(whole),
    }
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(description="as-of lookup: ours, bare DuckDB, pandas")
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    result = measure(chosen.runs)
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    for name, numbers in result.items():
        print(
            name,
            "  ".join(f"{key} {value:.3f}" if value % 1 else f"{key} {value:.0f}" for key, value in numbers.items()),
        )


if __name__ == "__main__":
    main()
