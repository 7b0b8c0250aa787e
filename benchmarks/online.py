"""Whole feature vectors from the online store against bare reads of the same keys on the same store.

    python benchmarks/online.py [--requests 2000] [--runs 7] [--json]

Data: the first five shipped weeks, all of it applied; requests of the fifth in the order they were asked. Ours is the
look-up of all looked-up features of a request, with ages, and the whole vector with those computed from the request.
Bare on SQLite: one SELECT by full primary key for each ask, whose answer is known beforehand. Bare on Redis: one
pipeline of as many GETs of values as long as ours. Neither decodes anything nor knows as-of. The ways take turns within
one run, on one thread; medians of runs. Redis is a server of the benchmark's own; without the binary it is left out.
"""

import argparse
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import redis

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.online import Ask, OnlineFeatures, OnlineStore, changes
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.online.totals import Total
from mlops_assets.core.validation import validate
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.online import members, open_online
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.online.servers import BINARY, running_redis

LANDED = Path(__file__).resolve().parents[1] / "data" / "landing" / "flight_delays"
Request = dict[str, Any]
Way = Callable[[int], object]  # the number of the request -> whatever it reads


def weeks() -> dict[str, dict[str, pa.Table]]:
    """The validated tables of the first five weeks."""
    zone, found = Landing(str(LANDED)), {}
    for key in FLIGHT_DELAYS.partitions.keys()[:5]:
        tables = FLIGHT_DELAYS.tables
        landed = {
            t.name: zone.read(t.landing, key, columns={c.name: ARROW[c.kind] for c in t.columns}).table for t in tables
        }
        found[key] = {name: judged.clean for name, judged in validate(FLIGHT_DELAYS, landed, key).items()}
    return found


def filled(store: OnlineStore, validated: dict[str, dict[str, pa.Table]]) -> dict[str, float]:
    """All weeks applied; seconds and entries of the last."""
    took = 0.0
    for week, tables in validated.items():
        snapshots = week == max(validated)
        made = {}
        for table in FLIGHT_DELAYS.tables:
            if snapshots or not table.snapshot:
                made |= changes(FLIGHT_DELAYS, table, tables[table.name])
        start = time.perf_counter()
        applied = store.apply(made)
        took = time.perf_counter() - start
    return {"apply_week_s": took, "apply_week_entries": applied.added}


def totals_asked(store: OnlineStore, asks: list[tuple[int, list[Ask]]]) -> list[list[tuple[Ask, Total]]]:
    """For each request its asks and the totals found; where nothing was known, a total that is nowhere."""
    return [
        [
            (ask, total or Total(ask.t, b"nowhere", 0, 0, None))
            for ask, total in zip(each, store.look_up(as_of, each), strict=True)
        ]
        for as_of, each in asks
    ]


def bare_sqlite(path: str, asked: list[list[tuple[Ask, Total]]]) -> Way:
    """One prepared SELECT by full primary key for each ask, in one transaction of one connection."""
    db = sqlite3.connect(path, isolation_level=None)
    ids = dict(db.execute("SELECT name, id FROM series"))
    keys = [[(ids[ask.series], ask.key, total.t, total.row) for ask, total in one] for one in asked]
    select = "SELECT n, s, value FROM totals WHERE series = ? AND key = ? AND t = ? AND row = ?"

    def read(request: int) -> object:
        db.execute("BEGIN")
        found = [db.execute(select, key).fetchone() for key in keys[request]]
        db.execute("COMMIT")
        return found

    return read


def bare_redis(url: str, asked: list[list[tuple[Ask, Total]]]) -> Way:
    """One pipeline of as many GETs as asks, of values as long as the totals, without a transaction."""
    client = redis.Redis.from_url(url.partition("?")[0])
    keys = [[f"bare:{number}:{place}" for place in range(len(one))] for number, one in enumerate(asked)]
    with client.pipeline(transaction=False) as pipe:
        for names, one in zip(keys, asked, strict=True):
            for name, (_, total) in zip(names, one, strict=True):
                if total.n:
                    pipe.set(name, b"x" * len(members.member(total)))
        pipe.execute()

    def read(request: int) -> object:
        with client.pipeline(transaction=False) as pipe:
            for name in keys[request]:
                pipe.get(name)
            return pipe.execute()

    return read


def timed(ways: dict[str, Way], requests: int, runs: int) -> dict[str, float]:
    """Medians over runs of requests per second and of the median and 99th percentile of one request, by way."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in ways}
    for turn in range(runs):
        for name in list(ways) if turn % 2 == 0 else reversed(ways):
            way, each = ways[name], []
            for request in range(requests):
                start = time.perf_counter()
                way(request)
                each.append(time.perf_counter() - start)
            seconds[name].append(sorted(each))
    result: dict[str, float] = {}
    for name, measured in seconds.items():
        result[f"{name}_per_s"] = statistics.median(requests / sum(each) for each in measured)
        for share, figure in ((0.5, "p50"), (0.99, "p99")):
            result[f"{name}_{figure}_us"] = statistics.median(each[int(share * requests)] * 1e6 for each in measured)
    for name in list(ways)[:-1]:  # the last way is the bare one
        pairs = list(zip(seconds[name], seconds["bare"], strict=True))
        at = int(0.99 * requests)
        result[f"{name}_over_bare"] = statistics.median(sum(ours) / sum(bare) for ours, bare in pairs)
        result[f"{name}_over_bare_p99"] = statistics.median(ours[at] / bare[at] for ours, bare in pairs)
    return result


def measure(count: int, runs: int) -> dict[str, dict[str, float]]:
    """Both stores that this machine has, one after the other."""
    validated, result = weeks(), {}
    rows = validated[max(validated)][FLIGHT_DELAYS.requests.table]
    requests = rows.sort_by(FLIGHT_DELAYS.requests.as_of).slice(0, count).to_pylist()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        places = {"sqlite": (str(folder / "online.sqlite"), bare_sqlite)}
        if BINARY:
            places["redis"] = (f"{opened.enter_context(running_redis(folder))}?namespace=flight_delays", bare_redis)
        for name, (url, bare) in places.items():
            store = open_online(url)
            applied = filled(store, validated)
            features = OnlineFeatures(FLIGHT_DELAYS, store)
            moments = [request[FLIGHT_DELAYS.requests.as_of] for request in requests]
            asks = [(instant_us(at), features.asks(one, at)) for one, at in zip(requests, moments, strict=True)]
            ways = {
                "look_up": partial(_look_up, features, requests, moments),
                "vector": partial(_vector, features, requests),
                "bare": bare(url, totals_asked(store, asks)),
            }
            gc.collect()
            gc.freeze()  # what the benchmark itself holds is not searched for garbage while something is timed
            result[name] = {"requests": len(requests), **applied, **timed(ways, len(requests), runs)}
            store.close()
    return result


def _look_up(features: OnlineFeatures, requests: list[Request], moments: list[datetime], number: int) -> object:
    return features.look_up(requests[number], moments[number])


def _vector(features: OnlineFeatures, requests: list[Request], number: int) -> object:
    return features.vector(requests[number])


def main() -> None:
    arguments = argparse.ArgumentParser(description="feature vectors from the online store against bare reads")
    arguments.add_argument("--requests", type=int, default=2_000)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    result = measure(chosen.requests, chosen.runs)
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    for name, numbers in result.items():
        print(name)
        for figure, number in numbers.items():
            print(f"  {figure:24} {number:12.2f}")


if __name__ == "__main__":
    main()
