"""Feast's side of `feast_join.py`: runs in Feast's own environment, knows nothing of this project.

    FEAST_PYTHON benchmarks/feast_worker.py (duckdb | dask)

One job a line on stdin: {"folder", "views": [{"name", "ttl_s"}], "out"}. In the folder lie `requests.parquet`
(request, key, event_timestamp) and one `<view>.parquet` (key, known_at, <view>) for each view. One JSON line is the
answer: the seconds from files to an Arrow table in memory. The table is written to `out` after the clock has stopped.
"""

import json
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import dask
import duckdb
import feast
import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64


def applied(store: str, folder: Path, views: list[dict[str, Any]]) -> FeatureStore:
    """A feature store of its own registry, with one feature view a file, as Feast's quickstart makes it."""
    registry = folder / f"registry_{store}.db"
    registry.unlink(missing_ok=True)
    made = FeatureStore(
        config=RepoConfig(
            project="flights",
            provider="local",
            registry=str(registry),
            online_store={"type": "sqlite", "path": str(folder / f"online_{store}.db")},
            offline_store={"type": store},
            entity_key_serialization_version=3,
        )
    )
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.STRING)
    declared = [
        FeatureView(
            name=view["name"],
            entities=[entity],
            ttl=timedelta(seconds=view["ttl_s"]),
            schema=[Field(name=view["name"], dtype=Float64)],
            source=FileSource(path=str(folder / f"{view['name']}.parquet"), timestamp_field="known_at"),
            online=False,
        )
        for view in views
    ]
    made.apply([entity, *declared])
    return made


def main() -> None:
    """Answers jobs until stdin ends. Feast prints on stdout, so the answers have a stream of their own."""
    answers, sys.stdout = sys.stdout, sys.stderr
    store = sys.argv[1]
    for line in sys.stdin:
        job = json.loads(line)
        folder, names = Path(job["folder"]), [view["name"] for view in job["views"]]
        made = applied(store, folder, job["views"])
        start = time.perf_counter()
        asked = pd.read_parquet(folder / "requests.parquet")
        found = made.get_historical_features(entity_df=asked, features=[f"{name}:{name}" for name in names]).to_arrow()
        seconds = time.perf_counter() - start
        pq.write_table(found, job["out"])
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kB
        versions = {"feast": feast.__version__, "duckdb": duckdb.__version__, "dask": dask.__version__}
        print(json.dumps({"seconds": seconds, "peak_gb": peak_gb, "versions": versions}), file=answers, flush=True)


if __name__ == "__main__":
    main()
