"""The nursery: a process forked before its worker starts any thread, which forks a slot for each model version.

Here belong both ends: the process, and how a worker speaks to it. Forking from it is cheap (everything is imported)
and safe (it has one thread, no connection, no secret). It keeps its children until they are reaped, so a process id
that is killed is always that of a slot.

A line of JSON each way; an order to fork comes with the slot's end of a socket pair.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mlops_assets.declare import UseCase
from mlops_assets.gateway import slot
from mlops_assets.stores.settings import Settings

_LINE = 4096


class _Told(msgspec.Struct, kw_only=True):
    """What the worker is told: a slot was forked (`number` is the order's), or has ended, and how."""

    pid: int
    number: int = 0
    ended: str = ""


class _Asked(msgspec.Struct, kw_only=True):
    """What the worker asks: fork a slot (order `number`), or kill one."""

    number: int = 0
    version: int = 0
    baseline_of: int = 0
    kill: int = 0


@dataclass(frozen=True, kw_only=True)
class Nursery:
    """What every slot of a worker is forked with: `load` brings a version back (`stores/serving/models.py`)."""

    use_case: UseCase
    places: Settings
    load: slot.Load

    def fork(self) -> tuple[int, socket.socket]:
        """Fork the nursery; its process id and the worker's end of the line. Call it before any thread is started."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return pid, ours
        try:
            _close_all_but_pipes_and(theirs.fileno())
            self._serve(theirs)
        finally:
            os._exit(0)

    def _serve(self, line: socket.socket) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)  # it ends when its worker does
        wake, woken = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        children: set[int] = set()
        try:
            while True:
                ready, _, _ = select.select([line, wake], [], [])
                if wake in ready:
                    wake.recv(_LINE)
                    for pid, ended in _reaped():
                        children.discard(pid)
                        _tell(line, _Told(pid=pid, ended=ended))
                if line in ready:
                    data, fds, _, _ = socket.recv_fds(line, _LINE, 1)
                    if not data:
                        return
                    for order in data.splitlines():  # one to fork at a time: the worker waits for the answer
                        asked = msgspec.json.decode(order, type=_Asked)
                        if asked.kill in children:
                            os.kill(asked.kill, signal.SIGKILL)
                        elif asked.number:
                            pid = self._slot(fds[0], asked)
                            children.add(pid)
                            _tell(line, _Told(pid=pid, number=asked.number))
        except OSError:
            return  # the worker has gone
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)

    def _slot(self, fd: int, asked: _Asked) -> int:
        pid = os.fork()
        if pid:
            os.close(fd)
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close_all_but(fd)
            order = slot.Order(version=asked.version, baseline_of=asked.baseline_of)
            slot.run(socket.socket(fileno=fd), order, self.use_case, self.places, self.load)
        finally:
            os._exit(0)


class Line:
    """The worker's end: orders out, news of the slots in. `lost` is called when the nursery is gone."""

    def __init__(self, line: socket.socket, lost: Callable[[], None]) -> None:
        self._line, self._lost = line, lost
        self._number = 0
        self._turn = asyncio.Lock()
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[str]] = {}
        self._rest = b""
        line.setblocking(False)
        asyncio.get_running_loop().add_reader(line, self._read)

    async def fork(self, order: slot.Order) -> tuple[int, socket.socket, "asyncio.Future[str]"]:
        """Have a slot forked: its process id, our end of its socket, and how it ended, once it has."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            self._number += 1
            told = self._forked[self._number] = loop.create_future()
            ours, theirs = socket.socketpair()
            asked = _Asked(number=self._number, version=order.version, baseline_of=order.baseline_of)
            with theirs:
                socket.send_fds(self._line, [msgspec.json.encode(asked) + b"\n"], [theirs.fileno()])
            try:
                pid = await told
            except BaseException:
                ours.close()
                raise
            return pid, ours, self._ended[pid]

    def kill(self, pid: int) -> None:
        """End a slot at once; nothing happens when it has ended."""
        if pid in self._ended:
            with contextlib.suppress(OSError):  # the nursery is gone, and took it along
                self._line.send(msgspec.json.encode(_Asked(kill=pid)) + b"\n")

    def close(self) -> None:
        """Hang up: the nursery ends and takes every slot with it."""
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()

    def _read(self) -> None:
        try:
            data = self._line.recv(_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._lost()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line, type=_Told)
            if told.ended:
                self._ended.pop(told.pid).set_result(told.ended)
            else:
                self._ended[told.pid] = asyncio.get_running_loop().create_future()
                self._forked.pop(told.number).set_result(told.pid)


def _tell(line: socket.socket, told: _Told) -> None:
    line.sendall(msgspec.json.encode(told) + b"\n")


def _reaped() -> list[tuple[int, str]]:
    """Process id and how it ended, of every child that has."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            code = os.waitstatus_to_exitcode(status)
            found.append((pid, f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"))
    return found


_MOST_FILES = os.sysconf("SC_OPEN_MAX") if sys.platform != "linux" else 65536


def _close_all_but(kept: int) -> None:
    """Close what was inherited but `kept` and the standard ones."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.closerange(3, kept)
    os.closerange(kept + 1, _MOST_FILES)


def _close_all_but_pipes_and(kept: int) -> None:
    """The same in a process that forks on: Arrow keeps a pipe to itself once it has handled a signal, and ends the

    process when it is gone at a fork.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    for fd in range(3, _MOST_FILES):
        try:
            foreign = fd != kept and not stat.S_ISFIFO(os.fstat(fd).st_mode)
        except OSError:  # not open
            continue
        if foreign:
            os.close(fd)
