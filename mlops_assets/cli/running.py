"""Run the real jobs, one partition a run, in this process, on the real Dagster instance.

The same runs `dagster job execute` makes, without starting Python anew for each; all of them can be browsed in the UI.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from mlops_assets.graph.steps import why_failed
from mlops_assets.stores.dagster_home import made_home
from mlops_assets.stores.settings import settings

NO_STEP = "the run failed before its first step"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, kw_only=True)
class Made:
    """One asset of one run: what a line of output says."""

    asset: str
    partition: str
    rows: int | None
    quarantined: int | None
    data_version: str
    seconds: float
    verdict: str
    reused: bool


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """One job run: what it made, or why it stopped."""

    job: str
    partition: str
    run_id: str
    success: bool
    made: tuple[Made, ...]
    error: str


@contextmanager
def instance() -> Iterator[DagsterInstance]:
    """The Dagster instance of `DAGSTER_HOME`, by default `data/dagster`. Raises DataError as `made_home`."""
    os.environ["DAGSTER_HOME"] = str(made_home(settings(os.environ)))  # absolute, as Dagster asks
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    with DagsterInstance.get() as found:
        yield found


def execute_line(job: str, partition: str) -> str:
    """The shell command that does the same."""
    return f'dagster job execute -m mlops_assets.definitions -j {job} --tags \'{{"dagster/partition":"{partition}"}}\''


def run_job(
    found: DagsterInstance,
    job: str,
    partition: str,
    on_step: Callable[[str], None] = lambda step: None,
    *,
    anew: bool = False,
) -> RunOutcome:
    """Run one job for one partition; `on_step` hears the name of every step as it starts.

    `anew`: do all work again, also what is known.
    """
    from mlops_assets.definitions import defs
    from mlops_assets.graph.actions import ANEW

    run_id = str(uuid.uuid4())
    listener = _Listener(on_step)
    found.add_event_listener(run_id, listener)
    result = defs.resolve_job_def(job).execute_in_process(
        partition_key=partition,
        instance=found,
        run_id=run_id,
        raise_on_error=False,
        run_config=QUIET,
        tags={ANEW: "true"} if anew else None,
    )
    return RunOutcome(
        job=job, partition=partition, run_id=run_id, success=result.success,
        made=tuple(listener.made), error="" if result.success else why_failed(result.all_events) or NO_STEP,
    )  # fmt: skip


class _Listener:
    """Turns a run's events into lines, timing steps from start to materialization."""

    def __init__(self, on_step: Callable[[str], None]) -> None:
        self._on_step = on_step
        self._started: dict[str, float] = {}  # by asset: an asset of several steps is timed from its first
        self.made: list[Made] = []

    def __call__(self, record: Any) -> None:
        event = getattr(record, "dagster_event", None)
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.STEP_START:
            self._started.setdefault(str(event.step_key).partition(".")[0], time.monotonic())
            self._on_step(event.step_key or "")
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            found = event.event_specific_data.materialization
            began = self._started[str(event.step_key).partition(".")[0]]
            self.made.append(_made(found, time.monotonic() - began))


def _made(found: dg.AssetMaterialization, seconds: float) -> Made:
    def number(name: str) -> int | None:
        value = found.metadata.get(name)
        return None if value is None else int(value.value)  # type: ignore[arg-type, union-attr]  # IntMetadataValue

    return Made(
        asset="/".join(found.asset_key.path),
        partition=str(found.partition),
        rows=number("dagster/row_count"),
        quarantined=number("rows quarantined"),
        data_version=(found.tags or {}).get("dagster/data_version", ""),
        seconds=seconds,
        reused=bool(found.metadata["reused"].value) if "reused" in found.metadata else False,
        verdict=str(found.metadata["verdict"].value) if "verdict" in found.metadata else "",
    )
