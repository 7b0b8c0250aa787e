"""A real PostgreSQL of the tests' own: on a free loopback port, in a folder that goes; it can be killed and return."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

ABSENT = "no PostgreSQL server on this machine: apt-get install postgresql"
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[-3]))
# the server refuses to run as root
_OTHER: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


def _binary(name: str) -> str | None:
    return str(_BINARIES[-1].with_name(name)) if _BINARIES else shutil.which(name)


class PostgresServer:
    """A server with an empty database; `url` is its SQLAlchemy URL, the same after it came back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"postgresql+psycopg2://postgres@127.0.0.1:{self._port}/postgres"
        initdb = [_binary("initdb"), "-D", "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, cwd=folder, check=True, capture_output=True, **_OTHER)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it until it takes connections; after a kill it waits until all of the former server is gone."""
        settings = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": self._folder}
        own = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        for _ in range(500):
            if self._server is None or self._server.poll() is not None:
                with (self._folder / "log").open("ab") as log:
                    self._server = subprocess.Popen(
                        [_binary("postgres"), "-D", "data", *own], cwd=self._folder, stdout=log, stderr=log, **_OTHER
                    )
            with suppress(psycopg2.OperationalError):
                psycopg2.connect(self.url.replace("+psycopg2", ""), connect_timeout=2).close()
                return
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL does not answer")

    def kill(self) -> None:
        """Kill -9: its other processes end by themselves, what was committed is recovered at the next start."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def stop(self) -> None:
        """End it at once."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server that runs as long as the block. Skips the test without a binary."""
    if _binary("postgres") is None:
        pytest.skip(ABSENT)
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:  # a test's own folder is closed to other users
        if _OTHER:
            shutil.chown(folder, "postgres", "postgres")
        server = PostgresServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
