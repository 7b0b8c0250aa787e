"""The point-in-time join against Feast, on the year's 336,776 flights: same values, no lost row, how much time.

    python3 -m venv FEAST && FEAST/bin/pip install -r benchmarks/requirements-feast.txt
    python benchmarks/feast_join.py --feast-python FEAST/bin/python [--rounds 3] [--json] [--without-default]

Four ways from Parquet files to an Arrow table in memory, in turn: `ours` (`feature_table` of the declared use case,
reduced to the features of the case), Feast's DuckDB store, Feast's default store (Dask), and `bare` (DuckDB's own ASOF
join in SQL, the limit). Each Feast store is one warm process of `feast_worker.py`.

The ways but ours read files with one row a (key, known_at), nulls gone: Feast has no rule for ties and takes a null for
a value. Ours reads the validated tables those files were cut from and does that work within its time.

Every row of every way is compared with ours. A difference must be one that Feast's source explains: its time to live
ends with >=, ours is open, so a value exactly that old is given by Feast and not by us. The default store keeps a
request when no view holds its key or every view that does has a value in time, and one request a (key, instant).
Another difference ends the run with an error.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.core.features import feature_table
from mlops_assets.core.features.plan import series_of
from mlops_assets.declare import Last, UseCase, days
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.core.features.conftest import history

DECLARED = {feature.name: feature for feature in FLIGHT_DELAYS.features}
BUSY = Last(name="origin_last_dep_delay", table="flights", key=("origin",), column="dep_delay", within=days(1))
CASES = {
    "by aircraft": (DECLARED["tail_last_delay"], DECLARED["tail_last_dep_delay"]),
    "weather by airport": (DECLARED["wind_speed"],),
    "flights by airport": (BUSY,),  # not of the use case: few keys, many events
}
# The default store joins all events of a key to all its requests before it looks at time: more than this is no memory.
PAIRS_OF_DEFAULT = 200e6


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison, its files prepared in `folder`. `pairs`: (request, event) of one key, summed over the views."""

    use_case: UseCase
    features: tuple[Last, ...]
    folder: Path
    requests: int
    events: int
    pairs: int

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.use_case.requests.table, *(f.table for f in self.features))))

    @property
    def views(self) -> list[dict[str, Any]]:
        return [{"name": f.name, "ttl_s": f.within.total_seconds()} for f in self.features]


def prepared(features: tuple[Last, ...], folder: Path) -> Case:
    """Writes the validated tables for ours, and requests and views for the others. A request's number is its row."""
    use_case = replace(FLIGHT_DELAYS, features=features, model=replace(FLIGHT_DELAYS.model, excluded=()))
    known = {
        name: table.sort_by([(column, "ascending") for column in use_case.table(name).key])
        for name, table in history().items()
    }
    asked, (key,) = known["flights"], features[0].key
    counts = asked.group_by(key).aggregate([([], "count_all")]).to_pandas().dropna().set_index(key)["count_all"]
    numbers = {"request": pa.array(range(asked.num_rows))}
    pq.write_table(
        pa.table(numbers | {"key": asked[key], "event_timestamp": asked["asked_utc"]}), folder / "requests.parquet"
    )
    events = pairs = 0
    for feature in features:
        series = series_of(use_case, feature)
        rows = known[series.table].select([*series.table_key, series.at, series.column]).drop_null()
        rows = rows.rename_columns(["key", "known_at", feature.name]).to_pandas()
        rows = rows.drop_duplicates(["key", "known_at"], keep="last")
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / f"{feature.name}.parquet")
        events += len(rows)
        pairs += int((rows["key"].value_counts() * counts).sum())
    case = Case(use_case=use_case, features=features, folder=folder, requests=len(asked), events=events, pairs=pairs)
    for name in case.tables:
        pq.write_table(known[name], folder / f"validated_{name}.parquet")
    return case


def ours(case: Case) -> tuple[float, pa.Table]:
    start = time.perf_counter()
    known = {name: pq.read_table(case.folder / f"validated_{name}.parquet") for name in case.tables}
    found = feature_table(case.use_case, known["flights"], known)
    return time.perf_counter() - start, found


def bare(case: Case) -> tuple[float, pa.Table]:
    start = time.perf_counter()
    with duckdb.connect(":memory:") as engine:
        found = engine.sql(bare_sql(case)).to_arrow_table()
    return time.perf_counter() - start, found


def bare_sql(case: Case) -> str:
    """Request, and of each feature f: its value as we define it, age and value of its last event however old."""
    columns, joins = "", ""
    for f in case.features:
        age = f"epoch_us(r.event_timestamp) - epoch_us({f.name}.known_at)"
        columns += f", CASE WHEN {age} < {f.within.total_seconds() * 1e6:.0f} THEN {f.name}.{f.name} END AS {f.name}"
        columns += f", {age} AS {f.name}_age, {f.name}.{f.name} AS {f.name}_last"
        joins += f" ASOF LEFT JOIN '{case.folder}/{f.name}.parquet' AS {f.name}"
        joins += f" ON r.key = {f.name}.key AND r.event_timestamp >= {f.name}.known_at"
    return f"SELECT r.request{columns} FROM '{case.folder}/requests.parquet' AS r{joins}"  # noqa: S608  our own names


class Feast:
    """A warm process that joins with one of Feast's stores."""

    def __init__(self, python: Path, store: str) -> None:
        worker = Path(__file__).with_name("feast_worker.py")
        self._process = subprocess.Popen(
            [python, worker, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.store = store
        self.last: dict[str, Any] = {}

    def __call__(self, case: Case) -> tuple[float, pa.Table]:
        out = case.folder / f"feast_{self.store}.parquet"
        job = {"folder": str(case.folder), "views": case.views, "out": str(out)}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"Feast's {self.store} store died ({self._process.wait()}): run feast_worker.py by hand.")
        self.last = json.loads(answer)
        return self.last["seconds"], pq.read_table(out)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def compared(case: Case, mine: pa.Table, limit: pa.Table, theirs: dict[str, pa.Table]) -> dict[str, dict[str, int]]:
    """Rows dropped and values differing of each store, every one explained; SystemExit where one is not."""
    names = [feature.name for feature in case.features]
    mine_df, limit_df = mine.select(names).to_pandas(), limit.to_pandas().set_index("request").sort_index()
    if len(mine) != case.requests or not all(same(mine_df[name], limit_df[name]).all() for name in names):
        raise SystemExit("ours and the bare ASOF join differ: no figure was printed.")
    asked = pq.read_table(case.folder / "requests.parquet").to_pandas()
    result = {}
    for store, found in theirs.items():
        rows = found.to_pandas().set_index("request").sort_index()
        at = rows.index
        sent, back = (
            side.astype("datetime64[us, UTC]") for side in (asked["event_timestamp"][at], rows["event_timestamp"])
        )
        if at.has_duplicates or not (sent == back).all():
            raise SystemExit(f"Feast's {store} store doubled rows or changed instants: no figure was printed.")
        figures = {"rows": len(rows), "dropped": case.requests - len(rows), "differing_rows": 0}
        differs = np.zeros(len(rows), dtype=bool)
        for feature in case.features:
            mine_here, limit_here = mine_df[feature.name][at], limit_df.loc[at]
            at_the_end = limit_here[f"{feature.name}_age"] == feature.within.total_seconds() * 1e6
            expected = mine_here.where(~at_the_end, limit_here[f"{feature.name}_last"])
            if not same(rows[feature.name], expected).all():
                raise SystemExit(
                    f"Feast's {store} store and ours differ in {feature.name} where ages do not explain it."
                )
            differs |= ~same(rows[feature.name], mine_here).to_numpy()
        figures["differing_rows"] = int(differs.sum())
        result[store] = figures | (explained_drops(case, asked, limit_df, at) if figures["dropped"] else {})
    return result


def same(left: "pd.Series[Any]", right: "pd.Series[Any]") -> "pd.Series[bool]":
    """Equal values or both missing, row by row."""
    return (left == right) | (left.isna() & right.isna())


def explained_drops(case: Case, asked: pd.DataFrame, limit: pd.DataFrame, kept: pd.Index) -> dict[str, int]:
    """Why the default store dropped what it did: no value in time, or the twin of a request that was kept."""
    survives = np.ones(len(asked), dtype=bool)
    for feature in case.features:
        keys = pq.read_table(case.folder / f"{feature.name}.parquet", columns=["key"])["key"].to_pandas()
        in_time = limit[f"{feature.name}_age"] <= feature.within.total_seconds() * 1e6
        survives &= (in_time | ~asked["key"].isin(keys)).to_numpy()
    pairs = asked[["key", "event_timestamp"]]
    left, right = pairs[survives].drop_duplicates(), pairs.loc[kept]
    if len(left) != len(right) or len(left.merge(right, on=["key", "event_timestamp"])) != len(left):
        raise SystemExit("Feast dropped rows for a reason that is not known here: no figure was printed.")
    return {"dropped_no_value_in_time": int((~survives).sum()), "dropped_twins": int(survives.sum() - len(left))}


def measured(case: Case, stores: dict[str, Feast], rounds: int) -> dict[str, Any]:
    """Median seconds of each way, median ratios to ours of one round, and what `compared` found in the last."""
    ways: dict[str, Callable[[Case], tuple[float, pa.Table]]] = {"ours": ours, **stores, "bare": bare}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, pa.Table] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            taken, found[name] = way(case)
            seconds[name].append(taken)
    rows = compared(case, found["ours"], found["bare"], {name: found[name] for name in stores})
    ratios = {name: [other / mine for other, mine in zip(seconds[name], seconds["ours"], strict=True)] for name in ways}
    return {
        "requests": case.requests,
        "events": case.events,
        "pairs": case.pairs,
        "seconds": {name: round(statistics.median(each), 3) for name, each in seconds.items()},
        "over_ours": {name: round(statistics.median(each), 2) for name, each in ratios.items()},
        "feast": {name: rows[name] | {"peak_gb": round(store.last["peak_gb"], 1)} for name, store in stores.items()},
    }


def main() -> None:
    """Reads the options, measures every case, prints."""
    parser = argparse.ArgumentParser(description="the point-in-time join against Feast")
    parser.add_argument("--feast-python", type=Path, required=True, help="python of an environment that has Feast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-default", action="store_true", help="leave out the default store: minutes a round")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    stores = {name: Feast(chosen.feast_python, name) for name in ("duckdb", "dask")[: 2 - chosen.without_default]}
    results = {}
    with tempfile.TemporaryDirectory() as place:
        for number, (name, features) in enumerate(CASES.items()):
            folder = Path(place) / str(number)
            folder.mkdir()
            case = prepared(features, folder)
            fit = {store: way for store, way in stores.items() if store != "dask" or case.pairs <= PAIRS_OF_DEFAULT}
            if not results:
                measured(case, {"duckdb": stores["duckdb"]}, 1)  # imports and first touch
            results[name] = measured(case, fit, chosen.rounds)
            if not chosen.json:
                show(name, results[name])
    versions = {"ours": {"duckdb": duckdb.__version__}, "theirs": stores["duckdb"].last["versions"]}
    for store in stores.values():
        store.close()
    print(
        json.dumps({"rounds": chosen.rounds, "versions": versions, "cases": results}, indent=1)
        if chosen.json
        else versions
    )


def show(name: str, result: dict[str, Any]) -> None:
    """One case for people."""
    print(
        f"\n{name}: {result['requests']:,} requests, {result['events']:,} events, {result['pairs']:,} pairs of one key"
    )
    for way, seconds in result["seconds"].items():
        print(
            f"  {way:8} {seconds:9.3f} s  {result['over_ours'][way]:8.2f} x ours  {result['feast'].get(way, '')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
