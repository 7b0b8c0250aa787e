"""A small world for tests of the real graph: five thin weeks of the shipped flights, in a landing zone of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.declare import DriftPolicy, UseCase
from mlops_assets.graph.jobs import job_name
from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets.graph.steps import why_failed
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.settings import Settings, settings
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

SHIPPED = Path(__file__).parents[2] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()[:5]
ROWS = 700
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def small_use_case() -> UseCase:
    """The flights' declaration, with a model that fits in a second."""
    model = FLIGHT_DELAYS.model
    fast = replace(model.estimator, params={**model.estimator.params, "max_iter": 10})
    return replace(
        FLIGHT_DELAYS,
        name="thin_delays",
        model=replace(model, estimator=fast, min_weeks=3, validation_weeks=1),
        drift=DriftPolicy(min_rows=100),
    )


@dataclass(frozen=True)
class World:
    """One landing zone, one store, one tracker, one Dagster instance, all below `folder`."""

    folder: Path
    use_case: UseCase
    places: Settings
    defs: dg.Definitions
    instance: dg.DagsterInstance

    @classmethod
    def of(cls, folder: Path, use_case: UseCase, places: Settings, instance: dg.DagsterInstance) -> "World":
        """The world whose graph is built from these."""
        defs = dg.Definitions.merge(build_lifecycle(use_case, places), resources(places))
        return cls(folder, use_case, places, defs, instance)

    def declaring(self, use_case: UseCase) -> "World":
        """The same world on a branch with another declaration."""
        return World.of(self.folder, use_case, self.places, self.instance)

    @property
    def store(self) -> AssetStore:
        return AssetStore(self.places.store)

    def landed(self, table: str, partition: str) -> Path:
        pattern = self.use_case.table(table).landing
        return Path(self.places.landing) / self.use_case.name / pattern.format(partition=partition)

    def run(self, job: str, partition: str, **more: Any) -> dg.ExecuteInProcessResult:
        found = self.defs.resolve_job_def(job_name(self.use_case.name, job))
        return found.execute_in_process(
            partition_key=partition, instance=self.instance, raise_on_error=False, run_config=QUIET, **more
        )

    def version(self, artifact: str, partition: str) -> str | None:
        ref = self.store.latest(f"{self.use_case.name}/{artifact}", partition)
        return ref.data_version if ref else None

    def versions(self) -> dict[str, str]:
        """`asset@partition` -> data version of everything that was published."""
        refs = self.store.refs
        return {f"{a}@{p}": refs.latest(a, p).data_version for a in refs.assets() for p in refs.partitions(a)}


@contextmanager
def small_world(folder: Path) -> Iterator[World]:
    """A fresh world; its weeks have landed, nothing has run."""
    land(folder)
    with opened(folder) as world:
        yield world


def land(folder: Path) -> None:
    """The files of five thin weeks, where they land."""
    use_case = small_use_case()
    zone = Path(settings({"MLOPS_DATA": str(folder)}).landing) / use_case.name
    for table in use_case.tables:
        for partition in WEEKS if not table.snapshot else ("",):
            path = table.landing.format(partition=partition)
            rows = pq.read_table(SHIPPED / path)
            if table.name == "flights":
                rows = rows.take(pa.array(range(0, rows.num_rows, rows.num_rows // ROWS)))
            (zone / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, zone / path)


@contextmanager
def opened(folder: Path, **places: str) -> Iterator[World]:
    """The world that stands in a folder, with a new Dagster instance; `places` are those that differ from it."""
    found = replace(settings({"MLOPS_DATA": str(folder)}), **places)
    with dg.DagsterInstance.ephemeral(tempdir=str(folder / "dagster")) as instance:
        yield World.of(folder, small_use_case(), found, instance)


def reason(result: dg.ExecuteInProcessResult) -> str:
    """What the first failed step said; empty when none failed."""
    return why_failed(result.all_events)
