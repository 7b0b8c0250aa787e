"""A real Redis server of the tests' own: on a free loopback port, in a folder that goes, stopped by its process."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BINARY = shutil.which("redis-server")
ABSENT = "no redis-server on this machine: apt-get install redis-server"


@contextmanager
def running_redis(folder: Path, *settings: str) -> Iterator[str]:
    """The URL of an empty server with these settings; it runs as long as the block. Skips the test without a binary."""
    if BINARY is None:
        pytest.skip(ABSENT)
    port = _free_port()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen([BINARY, *own, *settings], stdout=log, stderr=log)
    try:
        _until_it_answers(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        if server.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"redis-server does not answer (exit code {server.poll()})")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without a password for the whole session: every test takes a namespace of its own."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url
