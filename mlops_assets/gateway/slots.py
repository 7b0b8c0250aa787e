"""The slots of a worker: which model versions are loaded, and asking one of them for scores.

Here belongs the life of a slot seen from outside: asked for, loading, ready or refused, dead and forked anew. A slot
that dies, hangs or answers nonsense is told as what it is; who answers instead is decided in `batching.py`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from enum import Enum
from typing import cast

import msgspec
import numpy as np
import numpy.typing as npt

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.rollout.words import BASELINE
from mlops_assets.gateway.columns import ColumnEncoder
from mlops_assets.gateway.nursery import Line
from mlops_assets.gateway.slot import HEADER, Order, Ready, Said

Array = npt.NDArray[np.float64]

LOADING, READY, REFUSED = "loading", "ready", "refused"
FIRST_S = 2.0  # the other versions let the champion go first, so long at most
LOAD_S = 60.0  # a model that has not loaded by then is not going to
_AGAIN_S = (0.0, 0.05, 0.2, 1.0, 5.0, 30.0)  # before a slot is forked anew, by how often in a row it failed


class Why(Enum):
    """What is wrong with a call that brought no scores."""

    DIED = "died"
    LATE = "late"
    ERROR = "error"
    INVALID = "invalid"


class SlotError(Exception):
    """A call of a model that brought no scores, and why: `str` is the sentence, without values of the request."""

    def __init__(self, why: Why, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


class Slot(asyncio.Protocol):
    """One process with one model: one call at a time."""

    def __init__(self) -> None:
        self.encoder: ColumnEncoder
        self.digest = ""
        self._number = 0
        self._reply: asyncio.Future[tuple[Said, bytes]] = asyncio.get_running_loop().create_future()
        self._data = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= HEADER.size:
            number, said, count = HEADER.unpack_from(self._data)
            if len(self._data) < HEADER.size + count:
                return
            body = bytes(self._data[HEADER.size : HEADER.size + count])
            del self._data[: HEADER.size + count]
            if number == self._number and not self._reply.done():
                self._reply.set_result((Said(said), body))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._reply.done():
            self._reply.set_exception(SlotError(Why.DIED, "its process died"))
            self._reply.exception()  # told to whoever waits; nobody need

    async def told(self, seconds: float) -> tuple[Said, bytes]:
        """The next reply; raises SlotError DIED or LATE."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._reply)
        except TimeoutError:
            raise SlotError(Why.LATE, f"it did not answer within {seconds:g} s") from None

    async def score(self, rows: Array, seconds: float) -> Array:
        """What the model says to each encoded row, float64 `[rows]`, whatever it is; raises SlotError."""
        if self._transport.is_closing():
            raise SlotError(Why.DIED, "its process died")
        self._number += 1
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(HEADER.pack(self._number & 0xFFFFFFFF, *rows.shape) + rows.tobytes())
        said, body = await self.told(seconds)
        if said is not Said.SCORES:
            raise SlotError(Why.ERROR, body.decode("utf-8", "replace"))
        if len(body) != 8 * len(rows):
            raise SlotError(
                Why.INVALID, f"it answered {len(rows)} rows with {len(body)} bytes, must be one float64 a row"
            )
        return np.frombuffer(body)

    def close(self) -> None:
        """Hang up: the process ends after what it is doing."""
        self._transport.close()


class _Kept:
    """One version that shall be loaded: its slot while it is ready, what its state is, and who sees to it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.state = LOADING
        self.failed = 0  # how often in a row
        self.slot: Slot | None = None
        self.pid = 0
        self.turn = asyncio.Lock()
        self.ready = asyncio.Event()
        self.keeper: asyncio.Task[None]


class Slots:
    """The loaded versions of one worker. `pinned` says which version's slot is forked anew at once: the champion's."""

    def __init__(self, line: Line, pinned: Callable[[int], bool]) -> None:
        self._line, self._pinned = line, pinned
        self._kept: dict[int, _Kept] = {}
        self._answering = asyncio.Event()  # the champion is ready

    def keep(self, versions: Iterable[int], baseline_of: int) -> None:
        """Load these versions, end all others; nothing waits for it."""
        orders = {v: Order(version=v, baseline_of=baseline_of if v == BASELINE else 0) for v in versions}
        for version, kept in list(self._kept.items()):
            if orders.get(version) != kept.order:
                kept.keeper.cancel()
                del self._kept[version]
        for version, order in orders.items():
            if version not in self._kept:
                kept = self._kept[version] = _Kept(order)
                kept.keeper = asyncio.create_task(self._see_to(kept), name=f"slot {version}")

    @property
    def states(self) -> dict[int, str]:
        """Version -> "loading", "ready", or "refused: " and why."""
        return {version: kept.state for version, kept in self._kept.items()}

    def encoder(self, version: int) -> ColumnEncoder | None:
        """The encoder of a version that has been loaded; None before that."""
        kept = self._kept.get(version)
        return None if kept is None or kept.slot is None else kept.slot.encoder

    def is_ready(self, version: int) -> bool:
        """True when the version would be asked at once."""
        kept = self._kept.get(version)
        return kept is not None and kept.ready.is_set()

    def has_failed(self, version: int) -> bool:
        """True when its process died or could not load it, so that it is not merely loaded for the first time."""
        kept = self._kept.get(version)
        return kept is not None and kept.failed > 0

    async def wait(self, version: int, seconds: float) -> bool:
        """Wait until a version is ready, so long at most; whether it is."""
        kept = self._kept.get(version)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (kept.ready.wait() if kept is not None else asyncio.sleep(seconds))
        return self.is_ready(version)

    async def score(self, version: int, rows: Array, seconds: float) -> Array:
        """What a version says to encoded rows, float64 `[rows]`, within so many seconds.

        A slot that takes longer is killed, and forked anew like one that died. Raises SlotError.
        """
        kept = self._kept.get(version)
        if kept is None or kept.slot is None or not kept.ready.is_set():
            raise SlotError(Why.DIED, "it is not ready")
        slot, pid = kept.slot, kept.pid
        async with kept.turn:
            try:
                return await slot.score(rows, seconds)
            except SlotError as failed:
                if failed.why in (Why.LATE, Why.DIED, Why.INVALID):
                    kept.ready.clear()
                    self._line.kill(pid)
                raise
            except asyncio.CancelledError:
                kept.ready.clear()
                self._line.kill(pid)  # its reply would be taken for the next call's
                raise

    async def close(self) -> None:
        """End every slot."""
        keepers = [kept.keeper for kept in self._kept.values()]
        self._kept.clear()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    async def _see_to(self, kept: _Kept) -> None:
        """Fork, wait until it is ready, wait until it ends, again: until cancelled."""
        loop = asyncio.get_running_loop()
        if not self._pinned(kept.order.version):
            with contextlib.suppress(TimeoutError):  # who answers is loaded first
                async with asyncio.timeout(FIRST_S):
                    await self._answering.wait()
        while True:
            kept.pid, ours, ended = await self._line.fork(kept.order)
            slot = await self._connected(ours)
            try:
                if await self._loaded(kept, slot):
                    kept.slot, kept.state, began = slot, READY, loop.time()
                    kept.ready.set()
                    if self._pinned(kept.order.version):
                        self._answering.set()
                    how = await asyncio.shield(ended)
                    kept.failed = 1 if loop.time() - began > _AGAIN_S[-1] else kept.failed + 1
                    kept.state = f"{LOADING}: its process ended with {how}"
                else:
                    kept.failed += 1
            finally:
                kept.ready.clear()
                kept.slot = None
                slot.close()
                self._line.kill(kept.pid)
            refused = kept.state.startswith(REFUSED)
            longest = 3 if self._pinned(kept.order.version) and not refused else len(_AGAIN_S) - 1
            await asyncio.sleep(_AGAIN_S[min(kept.failed - 1, longest)])

    async def _connected(self, ours: socket.socket) -> Slot:
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        _, slot = await loop.create_connection(Slot, sock=ours)
        return slot

    async def _loaded(self, kept: _Kept, slot: Slot) -> bool:
        """True when the process has its model; else the state says why not."""
        try:
            said, body = await slot.told(LOAD_S)
        except SlotError as failed:
            kept.state = f"{REFUSED}: while it was loaded, {failed}"
            return False
        if said is Said.READY:
            ready = msgspec.json.decode(body, type=Ready)
            slot.digest = ready.digest
            slot.encoder = ColumnEncoder(Encoder.from_json(ready.encoder.encode()))
            return True
        kept.state = f"{REFUSED if said is Said.REFUSED else LOADING}: {body.decode('utf-8', 'replace')}"
        return False
