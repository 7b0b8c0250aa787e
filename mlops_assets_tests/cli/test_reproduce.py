"""`mlops reproduce` and its job as programs, in a clone of this repository: older commits, and one nobody committed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_assets_tests.cli.conftest import SETTINGS, Mlops

ROOT = Path(__file__).parents[2]
WEEKS = ("2016-10-03", "2016-10-10", "2016-10-17", "2016-10-24")
PERSON = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass(frozen=True)
class Clone:
    """A clone with its own data: what one works on who tries older commits."""

    folder: Path
    data: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        places = {"MLOPS_DATA": str(self.data), "MLOPS_LANDING": str(self.folder / "data" / "landing"),
                  "DAGSTER_HOME": str(self.data / "dagster"), "PYTHONPATH": str(self.folder)}  # fmt: skip
        return subprocess.run(command, cwd=self.folder, env={**clean, **PERSON, **places, "COLUMNS": "200"},
                              capture_output=True, text=True, timeout=280, check=False)  # fmt: skip

    def mlops(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "mlops_assets.cli.main", *args)

    def backfill(self, job: str, first: str, last: str) -> None:
        done = self.mlops("backfill", "parking", "--job", job, "--from", first, "--to", last)
        assert done.returncode == 0, done.stdout + done.stderr

    def edit(self, file: str, before: str, after: str) -> None:
        path = self.folder / "mlops_assets" / file
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def commit(self) -> str:
        assert self.run("git", "commit", "-q", "-a", "-m", "an edit").returncode == 0
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def reproduce(self, *args: str) -> tuple[int, dict[str, Any]]:
        done = self.mlops("reproduce", *args, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def job(self, **config: str) -> int:
        file = self.data / "config.json"
        file.write_text(json.dumps({"ops": {"parking_reproduce_version": {"config": config}}}))
        return self.run(
            sys.executable, "-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions",
            "-j", "parking_reproduce", *(["-c", str(file)] if config else []),
        ).returncode  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone at this commit, with a declaration that fits in no time; three weeks of car parks are there."""
    if subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode:
        pytest.skip("the project is not in a repository here")
    made = Clone(tmp_path / "clone", tmp_path / "data")
    made.data.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(made.folder)], check=True)
    made.edit("use_cases/parking.py", '"max_iter": 200', '"max_iter": 20')
    made.edit("use_cases/parking.py", "(200, 400)", "(20, 40)")
    made.edit("use_cases/parking.py", "min_weeks=4", "min_weeks=3")
    made.commit()
    made.backfill("data", WEEKS[0], WEEKS[3])
    return made


@pytest.mark.slow
def test_an_older_commit_is_proven_by_its_own_code_and_one_that_was_dirty_is_not(clone: Clone) -> None:
    first = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    clone.backfill("train", WEEKS[2], WEEKS[2])
    clone.edit("core/estimators.py", '"random_state", model.seed)', '"random_state", model.seed + 1)')
    clone.commit()
    by_commit, here = clone.reproduce("parking@1"), clone.reproduce("parking@1", "--here")

    assert (by_commit[0], by_commit[1]["verdict"], by_commit[1]["code"]) == (0, "PASS", f"commit {first}")
    assert by_commit[1]["notes"] == ["here by now: function core.estimators.build changed"]
    assert by_commit[1]["digest_here"] == by_commit[1]["digest_recorded"]
    assert (here[0], here[1]["verdict"], here[1]["reasons"][0]) == (
        1, "FAIL", "function core.estimators.build changed"
    )  # fmt: skip
    assert here[1]["digest_here"] != here[1]["digest_recorded"]
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.run("git", "worktree", "list").stdout.count("\n") == 1

    clone.edit("core/estimators.py", "model.seed + 1)", "model.seed + 2)")
    clone.backfill("train", WEEKS[3], WEEKS[3])
    assert clone.reproduce("parking@2")[1]["verdict"] == "PASS"  # the code here is that code still
    clone.edit("core/estimators.py", "model.seed + 2)", "model.seed + 3)")
    clone.commit()
    code, dirty = clone.reproduce("parking@2")

    assert (code, dirty["verdict"], dirty["reasons"][0]) == (1, "FAIL", "function core.estimators.build changed")
    assert "with changes that were not committed" in dirty["reasons"][1]
    assert dirty["digest_here"] not in (None, dirty["digest_recorded"])
    assert (clone.job(version="1"), clone.job(version="2")) == (0, 1)
    told = json.loads(clone.mlops("history", "parking", "--json").stdout)
    kept = [(e["subject"], e["evidence"]["verdict"]) for e in told if e["kind"] == "reproduced"]
    assert kept == [("parking@1", "PASS"), ("parking@2", "PASS"), ("parking@2", "FAIL"), ("parking@1", "PASS"),
                    ("parking@2", "FAIL")]  # fmt: skip


@pytest.mark.slow
def test_a_changed_seed_fails_and_the_recorded_commit_passes(clone: Clone) -> None:
    clone.backfill("train", WEEKS[2], WEEKS[2])
    clone.edit("use_cases/parking.py", "seed=20161003", "seed=7")
    code, made = clone.reproduce("parking@1")

    assert (code, made["verdict"]) == (1, "FAIL")
    assert made["reasons"][0] == "config model.seed: 20161003 recorded, 7 here"
    assert made["notes"] == ["with the declaration of the recorded commit: mlops reproduce parking@1 --at-commit"]
    page = clone.mlops("reproduce", "parking@1", "--at-commit", "--threads", "2")
    assert page.returncode == 0, page.stderr
    assert "trained again by the code of commit" in page.stdout
    assert "PASS parking@1 is reproduced, bit for bit" in page.stdout


@pytest.mark.parametrize("model", ["", "flight_delays", "flight_delays@newest", "ffffffff", "gone@1"])
def test_what_names_no_model_is_exit_code_2(mlops: Mlops, tmp_path: Path, model: str) -> None:
    answer = mlops("reproduce", model)

    assert (answer.code, answer.out) == (2, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("which", "said"),
    [("1", "flight_delays@1 is not registered"), ("champion", "no version of flight_delays is champion")],
)
def test_before_anything_was_registered_that_is_said_and_nothing_is_made(
    mlops: Mlops, tmp_path: Path, which: str, said: str
) -> None:
    answer = mlops("reproduce", f"flight_delays@{which}")

    assert answer.code == 1 and said in answer.said
    assert list(tmp_path.iterdir()) == []
