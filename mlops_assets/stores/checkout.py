"""The code of another commit, set aside: its files in a folder of their own, and a command run with them.

The repository is only read (`git archive`): no worktree is registered, so a process that is killed leaves a temporary
folder and nothing else.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlops_assets.declare.errors import DataError


@contextmanager
def checked_out(root: Path, sha: str) -> Iterator[Path]:
    """The project's files as they are in a commit of the repository that holds `root`; gone when the block ends.

    Raises DataError when git is not there or does not know the commit.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-commit-") as folder:
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

    Returns exit code, stdout, stderr. `environ` is added to this process's. The child ends with this process's block:
    it is killed when waiting for it is interrupted.
    """
    path = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", module, *arguments],
        cwd=code, env={**os.environ, **environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr
