"""Where a result was made: the repository as it is now, and a reason where it is not known."""

import json
import os
import subprocess

import pytest

from mlops_assets.stores.provenance import SHAPING, commit, library_versions, provenance


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        identity = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t"}
        env = os.environ | identity | {"GIT_COMMITTER_EMAIL": "t@t", "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True, env=env)

    git("init", "-q")
    (tmp_path / "mlops_assets" / "core").mkdir(parents=True)
    (tmp_path / "mlops_assets" / "a.py").write_text("1")
    (tmp_path / "README.md").write_text("1")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout_has_its_commit(repository):
    found = commit(repository)

    assert len(found.sha) == 40 and found.dirty is False and found.dirty_word == "false" and found.reason == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("README.md", "README.md was changed"),
        ("mlops_assets/a.py", "mlops_assets/a.py was changed"),
        ("mlops_assets/new.py", "mlops_assets/new.py is not tracked"),
        ("mlops_assets/core/new.py", "mlops_assets/core/new.py is not tracked"),
    ],
)
def test_a_changed_file_or_new_code_is_dirty_and_named(repository, name, reason):
    (repository / name).write_text("2")
    found = commit(repository)

    assert (found.dirty_word, found.reason) == ("true", reason)


def test_a_deleted_file_is_dirty(repository):
    (repository / "mlops_assets" / "a.py").unlink()

    assert commit(repository).dirty is True


def test_what_is_no_code_of_the_package_is_not_dirty(repository, tmp_path_factory):
    (repository / ".venv").symlink_to(tmp_path_factory.mktemp("libraries"))
    for name in ("ignored", "notebook.ipynb", "scratch.py", "mlops_assets/notes.txt"):
        (repository / name).write_text("2")
    found = commit(repository)

    assert (found.dirty, found.reason) == (False, "")


def test_a_repository_without_commits_is_unknown_with_the_reason(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    found = commit(tmp_path)

    assert found.sha == "unknown" and found.dirty is None and found.dirty_word == "unknown" and found.reason


def test_no_repository_is_unknown_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert "not a git repository" in commit(tmp_path).reason
    assert commit(tmp_path / "absent").sha == "unknown"


def test_no_git_is_unknown_with_the_reason(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")

    found = commit(repository)

    assert found.sha == "unknown" and found.dirty is None and "not installed" in found.reason


def test_libraries_machine_and_kernels_are_recorded(repository):
    found = provenance(repository)

    assert sorted(found.libraries) == sorted(SHAPING) and "unknown" not in found.libraries.values()
    assert found.python.startswith("3.") and "-" in found.platform
    assert any("blas" in kernel for kernel in found.cpu_kernels)
    assert json.loads(json.dumps(found.to_json()))["commit"]["dirty"] is False


def test_a_library_that_is_not_there_is_unknown():
    assert library_versions(["no-such-distribution"]) == {"no-such-distribution": "unknown"}
