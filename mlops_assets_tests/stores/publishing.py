"""The little world of the store's tests: what is published, and a process that publishes it and can be killed.

Run as a program it reads orders from stdin, one JSON line each, forks a child that publishes, kills it when ordered,
and answers with the child's exit status. Forking from a process that has imported everything but opened nothing yet
keeps a kill test at the price of the kill.
"""

import pyarrow as pa

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import Ref
from mlops_assets_tests.forking import Order, serve

ASSET = "flight_delays/raw_data"


def artifact(seed: int, rows: int = 2_000) -> Artifact:
    """Any seed gives another artifact, the same in every process."""
    tables = {
        "flights": pa.table(
            {"id": range(rows), "delay_min": [(seed * 7 + row * 31) % 400 - 30 for row in range(rows)]}
        ),
        "airports": pa.table({"code": ["EWR", "JFK", "LGA"], "seed": [seed] * 3}),
    }
    model = Blob(data=bytes(range(256)) * 8 + str(seed).encode(), version=f"digest-{seed}", suffix=".skops")
    return Artifact(tables=tables, records={"profile": {"seed": seed, "rows": rows}}, blobs={"model": model})


def publish(store: AssetStore, seed: int, partition: str = "2013-07-08", run: str = "r1") -> Ref:
    """Publish the artifact of a seed."""
    facts = {"inputs": {}, "code": {"commit": "c"}, "run": run, "action_key": "k", "created_at": "2013-07-15"}
    return store.publish(ASSET, partition, artifact(seed), **facts)


def _ordered(order: Order) -> None:
    store = AssetStore(order["store"])
    for seed in order["seeds"]:
        publish(store, seed, order.get("partition", "2013-07-08"))


if __name__ == "__main__":
    artifact(0)  # pyarrow imports pandas at its first array, 0.4 s that no child has to spend
    serve(_ordered)
