"""Named places where a crash can be ordered, so that "killed there" is a test and not a hope.

Here belongs only the switch. With `MLOPS_CRASH_AT=name:n` in the environment the process kills itself (SIGKILL: no
cleanup, no flush) when it reaches the place `name` for the n-th time; without it `reach` does nothing.
The pattern is SQLite's: inject the fault at the 1st, 2nd, 3rd ... call until a run passes (sqlite.org/testing.html).
"""

import os
import signal
from collections import Counter

VARIABLE = "MLOPS_CRASH_AT"
# in the order a publication reaches them
POINTS = (
    "object.temp",  # an empty temporary file is there
    "object.write",  # half of the bytes are written
    "object.written",
    "object.synced",
    "object.renamed",
    "object.kept",  # the directory is on disk too
    "ref.temp",
    "ref.write",
    "ref.written",
    "ref.synced",
    "ref.linked",
    "ref.kept",
    "head.temp",
    "head.write",
    "head.written",
    "head.synced",
    "head.renamed",
    "head.kept",
)
# in the order a change of an online store reaches them
ONLINE_POINTS = (
    "online.rewritten",  # the new totals are with the store, not committed
    "online.committed",
)
# in the order a fit that keeps checkpoints reaches them
CHECKPOINT_POINTS = (
    "checkpoint.temp",
    "checkpoint.write",
    "checkpoint.written",
    "checkpoint.synced",
    "checkpoint.renamed",
    "checkpoint.kept",
    "checkpoint.discarded",  # the result is published, the checkpoint gone
)
# in the order a copy of a folder reaches them, and putting it back
SNAPSHOT_POINTS = (
    "snapshot.copied",  # one file more is copied
    "snapshot.whole",
    "snapshot.aside",  # the copy before it has another name
    "snapshot.kept",
    "snapshot.removed",  # one entry more is gone: of the copy before it, of one that was never whole, of the folder
    "snapshot.emptied",
)
_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Die here when `MLOPS_CRASH_AT` says so. A process counts its own reaches, from 1."""
    ordered = os.environ.get(VARIABLE)
    if not ordered:
        return
    _reached[name] += 1
    place, _, turn = ordered.partition(":")
    if place == name and _reached[name] == int(turn or 1):
        os.kill(os.getpid(), signal.SIGKILL)
