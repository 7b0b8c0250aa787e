"""What Dagster's daemon does, in this process: asks the sensors, and runs what they want, one run after the other.

A replay drives it at the instants of its history. As the daemon does it keeps a cursor for each sensor and starts no
run key twice; what it keeps is plain, so that another process can go on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.core.versions import JSON
from mlops_assets.declare import MlopsError, UseCase
from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets.graph.steps import why_failed
from mlops_assets.stores.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_MOST_ROUNDS = 50  # a sensor that still asks for runs then would ask for ever
_KEYS = 500  # run keys kept of a sensor, the newest


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run that was executed; `sensor` asked for it ("": somebody did), `why` is its reason, `error` why it failed."""

    job: str
    partition: str
    run_id: str
    sensor: str
    why: str
    success: bool
    error: str


@contextmanager
def opened(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a folder that has its `dagster.yaml`."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def definitions_of(use_case: UseCase, places: Settings) -> dg.Definitions:
    """The graph of one use case at these places."""
    return dg.Definitions.merge(build_lifecycle(use_case, places), resources(places))


def codes_of(defs: dg.Definitions) -> dict[str, str]:
    """Asset -> its code version, which says what its results depend on beside their inputs."""
    graph = defs.resolve_asset_graph()
    return {key.to_user_string(): str(graph.get(key).code_version) for key in sorted(graph.materializable_asset_keys)}


class Daemon:
    """The sensors named, in that order, of the definitions. `new_id` gives the id of each run, `told` hears of steps.

    `kept` is what an earlier one left (`Daemon.kept`).
    """

    def __init__(
        self,
        defs: dg.Definitions,
        instance: dg.DagsterInstance,
        sensors: Sequence[str],
        *,
        new_id: Callable[[], str],
        kept: Mapping[str, Any] | None = None,
        told: Callable[[str], None] = lambda doing: None,
    ) -> None:
        self._defs, self._instance, self._new_id, self._told = defs, instance, new_id, told
        self._sensors = tuple(sensors)
        before = kept or {}
        self._cursors: dict[str, str] = dict(before.get("cursors", {}))
        self._keys: dict[str, list[str]] = {name: list(keys) for name, keys in before.get("keys", {}).items()}

    @property
    def kept(self) -> dict[str, JSON]:
        """Cursors and run keys, for the next one."""
        return {"cursors": dict(self._cursors), "keys": {name: list(keys) for name, keys in self._keys.items()}}

    def until_quiet(self) -> list[Ran]:
        """Ask the sensors again and again until none wants anything; the runs, in order.

        Raises MlopsError when they never stop asking.
        """
        done: list[Ran] = []
        for _ in range(_MOST_ROUNDS):
            runs = self.tick()
            done += runs
            if not runs:
                return done
        raise MlopsError(f"the sensors {', '.join(self._sensors)} still ask for runs after {_MOST_ROUNDS} rounds.")

    def tick(self) -> list[Ran]:
        """Ask every sensor once; what each wants is run before the next is asked."""
        return [ran for name in self._sensors for ran in self._ask(name)]

    def run(self, job: str, partition: str, *, tags: Mapping[str, str] | None = None, sensor: str = "") -> Ran:
        """Execute a job of one partition in this process; a failure is told, not raised."""
        run_id, given = self._new_id(), dict(tags or {})
        self._told(f"{job} {partition}")
        result = self._defs.resolve_job_def(job).execute_in_process(
            partition_key=partition,
            instance=self._instance,
            run_id=run_id,
            raise_on_error=False,
            run_config=QUIET,
            tags=given,
        )
        error = "" if result.success else why_failed(result.all_events) or "it failed before its first step"
        return Ran(
            job=job, partition=partition, run_id=run_id, sensor=sensor, why=given.get("mlops/why", ""),
            success=result.success, error=error,
        )  # fmt: skip

    def _ask(self, name: str) -> list[Ran]:
        sensor = self._defs.resolve_sensor_def(name)
        given = self._defs.resources or {}
        wanted = {key: given[key] for key in sensor.required_resource_keys}
        with dg.build_sensor_context(
            self._instance, cursor=self._cursors.get(name), resources=wanted, definitions=self._defs
        ) as context:
            found: Any = sensor(context)
        if isinstance(found, dg.SensorResult):
            if found.cursor is not None:
                self._cursors[name] = found.cursor
            return [ran for request in found.run_requests or () for ran in self._start(sensor, request)]
        return []

    def _start(self, sensor: dg.SensorDefinition, request: dg.RunRequest) -> list[Ran]:
        """The run of a request, unless its key was run before."""
        keys = self._keys.setdefault(sensor.name, [])
        if request.run_key in keys:
            return []
        tags = {**request.tags, "dagster/sensor_name": sensor.name}
        if request.run_key:
            keys.append(request.run_key)
            del keys[:-_KEYS]
            tags["dagster/run_key"] = request.run_key
        job = request.job_name or sensor.job.name
        return [self.run(job, str(request.partition_key), tags=tags, sensor=sensor.name)]
