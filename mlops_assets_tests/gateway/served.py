"""A program that forks gateways to order, one JSON line each, and answers with process id and port.

Here are the faults that a model may be given: they are put around the loading of a slot by this program alone.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_assets.declare import UseCase
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway import serve
from mlops_assets.stores.serving.models import Loaded, import_all
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world

Array = npt.NDArray[np.float64]
_PARENT_DIED = 1  # PR_SET_PDEATHSIG


def _slow(rows: Array) -> Array:
    time.sleep(0.4)
    return np.full(len(rows), 0.5)


def _hangs(rows: Array) -> Array:
    time.sleep(3600)
    return rows


def _throws(rows: Array) -> Array:
    raise ZeroDivisionError("a fault of the test")


def _nan(rows: Array) -> Array:
    return np.full(len(rows), np.nan)


def _wrong(rows: Array) -> Array:
    return np.full(len(rows), 17.0)


def _short(rows: Array) -> Array:
    return np.full(len(rows) + 1, 0.5)


def _crashes(rows: Array) -> Array:
    os.kill(os.getpid(), signal.SIGSEGV)
    return rows


def _eats(rows: Array) -> Array:
    kept = []
    while True:
        kept.append(np.ones(1 << 26))


FAULTS: Mapping[str, Callable[[Array], Array]] = {
    "slow": _slow, "hangs": _hangs, "throws": _throws, "nan": _nan, "wrong": _wrong, "short": _short,
    "crashes": _crashes, "eats": _eats,
}  # fmt: skip


def loading(faults: Mapping[str, str]) -> Callable[[UseCase, int, Settings, int], Loaded]:
    """What loads a version, and gives it its fault."""

    def load(use_case: UseCase, version: int, places: Settings, baseline_of: int) -> Loaded:
        fault = faults.get(str(version), "")
        if fault == "refused":
            raise DataError("a fault of the test")
        loaded = serve.by_version(use_case, version, places, baseline_of)
        return replace(loaded, answer=FAULTS[fault]) if fault else loaded

    return load


def _serve(order: dict[str, Any], started: int) -> None:
    import logging

    logging.basicConfig(level=logging.WARNING)
    places = world.places(Path(order["folder"]))
    options = serve.Options(port=0, workers=order["workers"])
    serve.serve(world.use_case(), places, options, world.TOKENS, load=loading(order["faults"]), started=started)


if __name__ == "__main__":
    import_all(world.use_case())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # gateways that end are reaped at once
    for line in sys.stdin:
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)  # a test run that is killed leaves no gateway behind
            os.close(ours)
            os.close(0)
            try:
                _serve(json.loads(line), theirs)
            finally:
                os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as told:
            port = int(told.readline() or 0)
        sys.stdout.write(json.dumps({"pid": pid, "port": port}) + "\n")
        sys.stdout.flush()
