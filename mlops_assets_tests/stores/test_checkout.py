"""The code of another commit: its files, not the working tree's; gone afterwards, and the repository untouched."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.declare import DataError
from mlops_assets.stores.checkout import checked_out, run_with

ROOT = Path(__file__).parents[2]
# what a commit holds: it and a process of its own say that they live, and would for a minute
SLEEPS = """
import os, socket, sys, time
os.fork()
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""
ASKS = """
import sys
from pathlib import Path
from mlops_assets.stores.checkout import checked_out, run_with
with checked_out(Path(sys.argv[1]), sys.argv[2]) as folder:
    run_with(folder, "pack.sleeps", sys.argv[3:], {})
"""


def git(folder: Path, *words: str) -> str:
    person = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **person, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True, env=env)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A project in a folder of a repository, changed since its first commit; and that commit."""
    project = tmp_path / "repository" / "project"
    (project / "pack").mkdir(parents=True)
    (project / "pack" / "__init__.py").write_text("")
    (project / "pack" / "says.py").write_text("import os, sys; print('first', os.environ['ASKED'], *sys.argv[1:])")
    (project / "pack" / "sleeps.py").write_text(SLEEPS)
    git(project.parent, "init", "-q")
    git(project.parent, "add", ".")
    git(project.parent, "commit", "-q", "-m", "first")
    sha = git(project.parent, "rev-parse", "HEAD")
    (project / "pack" / "says.py").write_text("print('second')")
    git(project.parent, "commit", "-q", "-a", "-m", "second")
    return project, sha


def test_a_command_runs_with_the_files_of_the_commit(
    repository: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, sha = repository
    monkeypatch.setenv("PYTHONPATH", str(project))  # the working tree's stands behind
    with checked_out(project, sha) as folder:
        code, out, err = run_with(folder, "pack.says", ["a b"], {"ASKED": "x"})

    assert (code, out.strip(), err) == (0, "first x a b", "")


def test_the_folder_is_gone_also_after_an_error_and_the_repository_knows_nothing(repository: tuple[Path, str]) -> None:
    project, sha = repository
    before = {path: path.stat().st_mtime_ns for path in project.parent.rglob("*")}
    with pytest.raises(RuntimeError, match="inside"), checked_out(project, sha) as folder:
        assert (folder / "pack" / "says.py").exists()
        raise RuntimeError("inside")

    assert not folder.exists()
    assert {path: path.stat().st_mtime_ns for path in project.parent.rglob("*")} == before
    assert git(project, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize("sha", ["f" * 40, "no-such-branch", "--output=/nowhere"])
def test_a_commit_that_git_does_not_know_is_refused_in_words(repository: tuple[Path, str], sha: str) -> None:
    with pytest.raises(DataError, match=f"commit {sha[:12]} cannot be checked out"), checked_out(repository[0], sha):
        pass


def test_a_folder_that_is_no_repository_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(DataError, match="not a git repository"), checked_out(tmp_path, "f" * 40):
        pass


@pytest.mark.parametrize("stopped", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_command_ends_with_the_process_that_asked_and_only_a_killed_one_leaves_the_folder(
    repository: tuple[Path, str], tmp_path: Path, stopped: signal.Signals
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        asked = [*map(str, repository), str(server.getsockname()[1])]
        parent = subprocess.Popen(
            [sys.executable, "-c", ASKS, *asked], env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(aside)},
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        living = [server.accept()[0] for _ in range(2)]
        assert [path.name.startswith("mlops-commit-") for path in aside.iterdir()] == [True]
        parent.send_signal(stopped)
        parent.wait(timeout=30)

        for connection in living:
            connection.settimeout(30)
            assert connection.recv(1) == b""  # it is no more
            connection.close()
    assert bool(list(aside.iterdir())) == (stopped == signal.SIGKILL)
    assert parent.returncode == {signal.SIGTERM: 143, signal.SIGHUP: 129}.get(stopped, -stopped)
