"""A worker: one process that answers HTTP, with its nursery, its slots, and a controller in a thread.

Here belongs putting the parts together, and the order in which they begin and end. It begins with the nursery, before
any thread; it ends by answering what was admitted, then writing what waits for the log, then letting the slots go.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import uvicorn
import uvloop

from mlops_assets.core.rollout.state import Row
from mlops_assets.declare import UseCase
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway import app, feeds, operate, slot
from mlops_assets.gateway.batching import Batcher
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.controller import Controller
from mlops_assets.gateway.nursery import Line, Nursery
from mlops_assets.gateway.protocol import Edge
from mlops_assets.gateway.requests import Asking
from mlops_assets.gateway.slots import Slots
from mlops_assets.gateway.stats import Slab
from mlops_assets.gateway.status import routes as status
from mlops_assets.gateway.tokens import Tokens
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Watch
from mlops_assets.stores.settings import Settings

FOLLOW_S = 0.1  # how often the slots are brought in step with the rollout
TICK_S = 0.25
BEAT_S = 1.0
GRACE_S = 15.0  # to answer what was admitted, once told to end
_LOG = logging.getLogger("mlops_assets.gateway")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every worker of a gateway is made from. `load` brings a model version back; `name` is the gateway's."""

    use_case: UseCase
    places: Settings
    tokens: Tokens
    load: slot.Load
    name: str
    slab: Slab = field(default_factory=Slab)


def run(spec: Spec, number: int, listening: socket.socket) -> None:
    """The life of a forked worker; it returns when it was told to end."""
    nursery = Nursery(use_case=spec.use_case, places=spec.places, load=spec.load)
    _, line = nursery.fork()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    uvloop.run(_Worker(spec, number).run(line, listening))


class _Worker:
    def __init__(self, spec: Spec, number: int) -> None:
        self._spec, self._name = spec, f"{spec.name}/{number}"
        self._stats = spec.slab.of(number)
        self._rollouts = Rollouts(spec.places.serving, spec.use_case.name)
        self._log = PredictionLog(spec.places.serving, spec.use_case)
        self._stopping = threading.Event()
        self._told: tuple[int, Mapping[int, str]] = (0, {})  # the epoch that is followed, and the slots' states
        self._row: Row | None = None

    async def run(self, line: socket.socket, listening: socket.socket) -> None:
        spec, monotonic = self._spec, time.monotonic
        watch = Watch(self._rollouts, monotonic)
        slots = Slots(Line(line, self._lost), lambda version: self._row is not None and version == self._row.champion)
        batcher = Batcher(
            spec.use_case.label.task, watch=watch, slots=slots, log=self._log, rollouts=self._rollouts,
            stats=self._stats, clock_us=_clock_us, monotonic=monotonic, name=self._name,
        )  # fmt: skip
        asking = Asking(spec.use_case, spec.places.online, _clock_us)
        gateway = Gateway(
            use_case=spec.use_case, rollouts=self._rollouts, log=self._log, watch=watch, slots=slots, batcher=batcher,
            asking=asking, stats=self._stats, tokens=spec.tokens, places=spec.places, clock_us=_clock_us,
            monotonic=monotonic, new_id=lambda: str(uuid.uuid4()),
        )  # fmt: skip
        edge = Edge(self._stats, monotonic)
        server = self._server(gateway, edge)
        batcher.start()
        self._follow(watch, slots)
        tasks = [
            asyncio.create_task(work) for work in (self._following(watch, slots), edge.sweep(), self._orphaned(server))
        ]
        controller = threading.Thread(target=self._control, name="controller", daemon=True)
        controller.start()
        self._stop_at_signals(server, batcher)
        try:
            await server.serve(sockets=[listening])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await batcher.close()
            self._stopping.set()
            await asyncio.to_thread(controller.join, 5.0)
            await asyncio.to_thread(self._log.close)
            asking.close()
            await slots.close()
            self._rollouts.close()

    def _server(self, gateway: Gateway, edge: Edge) -> uvicorn.Server:
        more = [*operate.routes(gateway), *feeds.routes(gateway), *status.routes(gateway)]
        config = uvicorn.Config(
            app.build(gateway, more), interface="asgi3", http=edge.protocol, ws="none", lifespan="off",  # type: ignore[arg-type]
            log_config=None, access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=30,
            timeout_graceful_shutdown=int(GRACE_S),
        )  # fmt: skip
        return _Server(config)

    def _stop_at_signals(self, server: uvicorn.Server, batcher: Batcher) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if server.should_exit:
                os._exit(1)  # told twice: the nursery hears the line close, and ends the slots
            server.should_exit = True
            batcher.closed = "the gateway is shutting down"

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)

    def _lost(self) -> None:
        if not self._stopping.is_set():
            _LOG.error("%s: its nursery is gone, it ends and is forked anew", self._name)
            os._exit(1)

    async def _orphaned(self, server: uvicorn.Server) -> None:
        """End in order when the supervisor is gone: nobody would fork this worker anew."""
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(0.5)
        server.should_exit = True

    # --- following the rollout -------------------------------------------------------------------------------------

    async def _following(self, watch: Watch, slots: Slots) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            self._follow(watch, slots)

    def _follow(self, watch: Watch, slots: Slots) -> None:
        self._row = row = watch.current().row
        if row.champion or row.baseline_of:
            slots.keep(row.warm, row.baseline_of)
        self._told = (row.epoch, slots.states)

    def _control(self) -> None:
        """The thread of the controller and of the signs of life."""
        controller = Controller(
            self._rollouts, self._log, Mirror(self._rollouts, self._spec.places.records),
            clock_us=_clock_us, monotonic=time.monotonic, name=self._name,
        )  # fmt: skip
        told: object = None
        beaten = 0.0
        while not self._stopping.wait(TICK_S):
            now = time.monotonic()
            if self._told != told or now - beaten >= BEAT_S:
                told, beaten = self._told, now
                with contextlib.suppress(MlopsError):  # the database is away: told by the watch
                    self._rollouts.heartbeats.beat(self._name, *self._told)
            controller.tick()
        with contextlib.suppress(MlopsError):
            controller.close()
            self._rollouts.heartbeats.leave(self._name)


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to the worker."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


def _clock_us() -> int:
    return time.time_ns() // 1000
