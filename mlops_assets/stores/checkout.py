"""The code of another commit, set aside: its files in a folder of their own, and a command run with them.

The repository is only read (`git archive`): no worktree is registered. A process that is asked to stop (SIGTERM,
SIGHUP, Ctrl-C) ends its command and removes the folder. One that is killed (SIGKILL) leaves the folder and nothing
else: its command notices and ends.
"""

import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops_assets.declare.errors import DataError

# `python -m`, ended with the process that asked: code of an old commit cannot be expected to look for itself
_WHILE_PARENT_LIVES = """
import os, runpy, signal, sys, threading, time
parent, module = int(sys.argv[1]), sys.argv[2]
def watch():
    while os.getppid() == parent:
        time.sleep(0.2)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
del sys.argv[1:3]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@contextmanager
def checked_out(root: Path, sha: str) -> Iterator[Path]:
    """The project's files as they are in a commit of the repository that holds `root`; gone when the block ends.

    Raises DataError when git is not there or does not know the commit.
    """
    with _unwound_when_stopped(), tempfile.TemporaryDirectory(prefix="mlops-commit-") as folder:
        with tempfile.TemporaryFile() as archive:
            command = ["git", "--no-optional-locks", "-C", str(root), "archive", "--format=tar", f"{sha}^{{commit}}"]
            try:
                subprocess.run(command, stdout=archive, stderr=subprocess.PIPE, text=True, check=True)  # noqa: S603
            except (OSError, subprocess.SubprocessError) as refused:
                said = str(getattr(refused, "stderr", "") or refused).strip().splitlines()[-1]
                raise DataError(
                    f"commit {sha[:12]} cannot be checked out of the repository at {root} ({said}): fetch it, "
                    "e.g. `git fetch --unshallow`."
                ) from refused
            archive.seek(0)
            with tarfile.open(fileobj=archive) as files:
                files.extractall(folder, filter="data")
        yield Path(folder)


def run_with(code: Path, module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """`python -m module arguments` with the packages of the folder `code` and this interpreter's libraries.

    Returns exit code, stdout, stderr. `environ` is added to this process's. The command is a process group of its own:
    all of it is killed when waiting for it is interrupted, and when this process is no more.
    """
    path = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-c", _WHILE_PARENT_LIVES, str(os.getpid()), module, *arguments],
        cwd=code, env={**os.environ, **environ, "PYTHONPATH": path}, process_group=0,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        out, err = child.communicate()
    except BaseException:  # interrupts, too
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    return child.returncode, out, err


@contextmanager
def _unwound_when_stopped() -> Iterator[None]:
    """SIGTERM and SIGHUP end the process as an error would, through every `finally`, where they would end it at once.

    Whoever handles or ignores them already goes on doing so; only a main thread may change that.
    """

    def leave(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # asked once more, it still tidies up
        raise SystemExit(128 + number)

    main = threading.current_thread() is threading.main_thread()
    ours = [s for s in (signal.SIGTERM, signal.SIGHUP) if main and signal.getsignal(s) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
