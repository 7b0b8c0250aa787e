"""A slot: one process that holds one model and scores rows of float64 for a worker, over a socket.

Here belongs what runs inside it. A model that crashes, hangs or eats memory takes nobody with it but its slot. It is a
wall against accidents; what a hostile file could do is met before, by the checks of `stores/models.py`.

A request is a header and the rows in C order, a reply a header and one float64 for each row, or a text:

| | number (uint32) | rows, or status (uint32) | features, or bytes (uint64) |
|---|---|---|---|
| request | counts the calls | rows | features |
| reply | the same | `Said` | of what follows |
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from mlops_assets.declare import UseCase
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.tokens import Role
from mlops_assets.stores.serving.models import Loaded
from mlops_assets.stores.settings import Settings

HEADER = struct.Struct("<IIQ")
MEMORY = 4 << 30  # bytes of address space beyond what the slot has when it begins; a model of trees needs 0.1 of it
_PARENT_DIED = 1  # PR_SET_PDEATHSIG


class Said(IntEnum):
    """What a reply holds: scores, or a text that says why there are none."""

    SCORES = 0
    READY = 1  # JSON of `Ready`
    REFUSED = 2  # the model may not be served
    AWAY = 3  # what it is loaded from did not answer: worth another try
    ERROR = 4  # it raised


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know of a loaded model: the digest of its state, and its encoder's JSON."""

    digest: str
    encoder: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which model a slot shall hold: `baseline_of` names the version beside which version 0 was trained."""

    version: int
    baseline_of: int


Load = Callable[[UseCase, int, Settings, int], Loaded]


def run(channel: socket.socket, order: Order, use_case: UseCase, places: Settings, load: Load) -> None:
    """Load, say how it went, score until the worker hangs up. The life of a forked process."""
    confine()
    try:
        loaded = load(use_case, order.version, places, order.baseline_of)
        ready = Ready(digest=loaded.digest, encoder=loaded.scorer.encoder.to_json().decode())
    except (OSError, MemoryError) as away:
        _reply(channel, 0, Said.AWAY, f"{type(away).__name__}: {away}".encode())
        return
    except MlopsError as refused:
        _reply(channel, 0, Said.REFUSED, str(refused).encode())
        return
    except Exception as broken:  # whatever a library makes of a file that it was not made for
        _reply(channel, 0, Said.REFUSED, f"it cannot be loaded ({type(broken).__name__}: {broken})".encode())
        return
    gc.freeze()
    _reply(channel, 0, Said.READY, msgspec.json.encode(ready))
    with contextlib.suppress(EOFError, ConnectionError), threadpool_limits(1):
        while True:
            _answer(channel, loaded)


def confine() -> None:
    """Bounds of the process: its address space, no core file, no thread pool, nothing of the worker's secrets.

    It ends with its parent, and is the first to go when the machine has no memory left.
    """
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # a slot ends when its worker hangs up: what was admitted is answered
    for role in Role:
        os.environ.pop(role.variable, None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _answer(channel: socket.socket, loaded: Loaded) -> None:
    number, rows, features = HEADER.unpack(_read(channel, HEADER.size))
    given = np.frombuffer(_read(channel, rows * features * 8), dtype=np.float64).reshape(rows, features)
    try:
        scores = np.ascontiguousarray(loaded.answer(given), dtype=np.float64)
    except Exception as failed:
        _reply(channel, number, Said.ERROR, f"{type(failed).__name__}: {failed}"[:1000].encode())
        return
    _reply(channel, number, Said.SCORES, scores.tobytes())


def _read(channel: socket.socket, count: int) -> Any:
    data = bytearray(count)
    view, at = memoryview(data), 0
    while at < count:
        got = channel.recv_into(view[at:])
        if not got:
            raise EOFError
        at += got
    return data


def _reply(channel: socket.socket, number: int, said: Said, data: bytes) -> None:
    channel.sendall(HEADER.pack(number, said, len(data)) + data)
