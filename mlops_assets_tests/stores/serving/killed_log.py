"""A process that writes predictions under load, tells each id once it is said to be on disk, and is killed.

Run as a program it reads orders from stdin, one JSON line each: a forked child writes to `where`; `kill_after_s` after
its first id it is killed (0: it ends by itself after `rows`), and the ids it told through its pipe are answered.
"""

import asyncio
import json
import os
import select
import signal
import sys
import time
from typing import Any

from mlops_assets.stores.serving.predictions import PredictionLog, Told, Unavailable
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import answered, labelled, mirrored

_TOGETHER = 16  # callers at a time


async def load(order: dict[str, Any], told: int) -> None:
    """Callers that each hand in 1 to 4 rows, again and again, and the same anew where they were refused."""
    log = PredictionLog(order["where"], FLIGHT_DELAYS)

    async def caller(number: int) -> None:
        for turn in range(order["rows"] // _TOGETHER):
            ids = [f"{order['name']}-{number}-{turn}:{row}" for row in range(1 + turn % 4)]
            records = [record(id) for id in ids for record in (answered, mirrored, labelled)]
            while True:
                try:
                    outcomes = await log.write(records)
                    break
                except Unavailable:
                    await asyncio.sleep(0.02)
            # after a lost answer the row may be there: it is the same
            assert {outcome.told for outcome in outcomes} <= {Told.WRITTEN, Told.REPEATED}
            os.write(told, "".join(f"{id}\n" for id in ids).encode())

    await asyncio.gather(*map(caller, range(_TOGETHER)))
    log.close()


def carried_out(order: dict[str, Any]) -> list[str]:
    """The ids that the child told before it ended, whole lines only: a pipe takes each of them at once."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            asyncio.run(load(order, writes))
        except BaseException as failed:
            sys.stderr.write(f"{failed!r}\n")
            os._exit(1)
        os._exit(0)
    os.close(writes)
    text, kill_at = b"", None
    while True:
        left = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        if kill_at is not None and not select.select([reads], [], [], left)[0]:
            os.kill(child, signal.SIGKILL)
            kill_at = None
            continue
        if not (piece := os.read(reads, 1 << 16)):
            break
        if not text and order["kill_after_s"]:
            kill_at = time.monotonic() + order["kill_after_s"]
        text += piece
        if kill_at is not None and time.monotonic() > kill_at:
            os.kill(child, signal.SIGKILL)
            kill_at = None
    os.close(reads)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    if ended not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the writer ended with {ended}")
    return text.decode().splitlines()


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carried_out(json.loads(line))) + "\n")
        sys.stdout.flush()
