"""`mlops serve`: the supervisor. It imports everything once, listens, forks workers, and forks them anew.

Here belong the processes above the workers. It holds no connection and no model, so there is next to nothing that
could make it fail. SIGTERM or SIGINT ends the workers in order, a second one at once.
"""

import contextlib
import gc
import ipaddress
import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from mlops_assets.declare import UseCase
from mlops_assets.declare.errors import DataError
from mlops_assets.gateway import slot, tokens, worker
from mlops_assets.gateway.stats import Slab
from mlops_assets.stores.serving.models import Loaded, import_all, load_version
from mlops_assets.stores.settings import Settings

BACKLOG = 2048
_STEADY_S = 1.0  # a worker that lived so long did not die of its start
_AGAIN_S = (0.0, 0.0, 0.1, 0.5, 2.0, 5.0)  # before it is forked anew, by how often in a row it did
_LOG = logging.getLogger("mlops_assets.gateway")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where it listens, and with how many workers. `open_to_others` allows another address than this machine's own."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    open_to_others: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 64:
            raise DataError(f"workers == {self.workers}, must be 1 to 64: one for each core that may be busy.")
        if not is_loopback(self.host) and not self.open_to_others:
            raise DataError(
                f"host == {self.host!r}: predictions need no token, so whoever reaches that address would get them "
                "and whatever the status page shows: put a proxy in front of 127.0.0.1, or pass --open-to-others."
            )


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def by_version(use_case: UseCase, version: int, places: Settings, baseline_of: int) -> Loaded:
    """What a slot of `mlops serve` loads."""
    return load_version(use_case, version, places, baseline_of=baseline_of)


def serve(
    use_case: UseCase,
    places: Settings,
    options: Options,
    environ: Mapping[str, str],
    *,
    load: slot.Load = by_version,
    started: int | None = None,
) -> None:
    """Serve until a signal says to end. Raises DataError where it cannot listen, or has no tokens.

    `started`: a file descriptor that is told the port once requests are taken in (for whoever asked for port 0).
    """
    import_all(use_case)
    listening = _listening(options)
    port = listening.getsockname()[1]
    spec = worker.Spec(
        use_case=use_case,
        places=places,
        tokens=tokens.tokens(environ, places.serving),
        load=load,
        name=f"{socket.gethostname()}:{port}",
        slab=Slab(options.workers),
    )
    gc.freeze()  # pages that no collection touches stay shared with the workers
    if started is not None:
        os.write(started, f"{port}\n".encode())
        os.close(started)
    _Supervisor(spec, options.workers, listening).run()


class _Supervisor:
    def __init__(self, spec: worker.Spec, workers: int, listening: socket.socket) -> None:
        self._spec, self._listening = spec, listening
        self._of: dict[int, int] = {}  # process id -> worker
        self._began = dict.fromkeys(range(workers), 0.0)
        self._failed = dict.fromkeys(range(workers), 0)
        self._due = dict.fromkeys(range(workers), 0.0)  # workers to fork, and when
        self._ending = 0

    def run(self) -> None:
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        before = {
            name: signal.signal(name, lambda *_: None) for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        }
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        try:
            while not self._ending or self._of:
                if not self._ending:
                    self._fork_due()
                soonest = min((due - time.monotonic() for due in self._due.values()), default=60.0)
                ready, _, _ = select.select([wake], [], [], max(0.0, min(soonest, 60.0)))
                numbers = wake.recv(4096) if ready else b""
                for number in numbers:
                    if number in (signal.SIGTERM, signal.SIGINT):
                        self._end()
                self._reap()
        finally:
            signal.set_wakeup_fd(-1)
            for name, handler in before.items():
                signal.signal(name, handler)
            wake.close()
            woken.close()

    def _fork_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._began[number] = now
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                self._work(number)
            self._of[pid] = number

    def _work(self, number: int) -> None:
        """The forked worker; it never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            worker.run(self._spec, number, self._listening)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                number = self._of.pop(pid, None)
                if number is None or self._ending:
                    continue
                lived = time.monotonic() - self._began[number]
                self._failed[number] = 0 if lived > _STEADY_S else self._failed[number] + 1
                wait_s = _AGAIN_S[min(self._failed[number], len(_AGAIN_S) - 1)]
                self._due[number] = time.monotonic() + wait_s
                code = os.waitstatus_to_exitcode(status)
                _LOG.error("worker %d ended with %d after %.1f s: forked anew in %.1f s", number, code, lived, wait_s)

    def _end(self) -> None:
        self._ending += 1
        self._listening.close()
        for pid in self._of:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _listening(options: Options) -> socket.socket:
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((options.host, options.port))
        listening.listen(BACKLOG)
    except OSError as refused:
        raise DataError(
            f"{options.host}:{options.port} cannot be listened on ({refused}): name another port."
        ) from refused
    listening.setblocking(False)
    return listening
