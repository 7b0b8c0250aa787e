"""A warm process for noop.py: imports done, it runs the lifecycle of one week whenever it is asked.

    python noop_worker.py JOB WEEK

One line on stdin is one run. The answer is one JSON line: seconds by clock and CPU (children too), the same of what
Dagster's event log took within, the number of events, and which assets were not reused.
"""

import json
import logging
import resource
import sys
import time
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

import mlops_assets.definitions  # noqa: F401  what a warm process has done already
from mlops_assets.cli.running import instance, run_job


def now() -> tuple[float, float]:
    """The clock, and the CPU time of this process and of all its children that ended; seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


class EventLog:
    """Adds up what storing events takes."""

    def __init__(self) -> None:
        self.clock = self.cpu = 0.0
        self.events = 0
        self._store = SqliteEventLogStorage.store_event

    def store(self, storage: SqliteEventLogStorage, event: Any) -> None:
        clock, cpu = now()
        self._store(storage, event)
        after, used = now()
        self.clock, self.cpu, self.events = self.clock + after - clock, self.cpu + used - cpu, self.events + 1


def main() -> None:
    """Answers until stdin ends."""
    job, week = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    with instance() as found:
        for _ in sys.stdin:
            log = EventLog()
            SqliteEventLogStorage.store_event = lambda storage, event, log=log: log.store(storage, event)
            clock, cpu = now()
            outcome = run_job(found, job, week)
            after, used = now()
            SqliteEventLogStorage.store_event = log._store
            if not outcome.success:
                raise SystemExit(outcome.error)
            answer = {
                "clock": after - clock,
                "cpu": used - cpu,
                "log_clock": log.clock,
                "log_cpu": log.cpu,
                "events": log.events,
                "made": [made.asset for made in outcome.made if not made.reused],
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
