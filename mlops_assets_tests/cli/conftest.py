"""The command line as a program: what it was told, what it answered, with which exit code."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.cli.main import main
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.cli import recorded

SHIPPED = Path(__file__).parents[2] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()[:3]
SETTINGS = ("MLOPS_", "DAGSTER_", "MLFLOW_", "FORCE_COLOR")


@dataclass(frozen=True)
class Answer:
    """Exit code and both streams of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout; a ValueError when there is more or less."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """What stderr says, without the box a usage error is drawn in and its line breaks."""
        return " ".join(self.err.translate(str.maketrans("│╭╮╰╯─", "      ")).split())


def plain(text: str) -> str:
    """Without colours, which some CI services ask every program for."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


Mlops = Callable[..., Answer]


def in_process(*args: str) -> Answer:
    """`mlops ...` through its entry point, without starting Python anew; never for what runs a job."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, sys.argv = sys.argv, ["mlops", *args]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    finally:
        sys.argv = before
    return Answer(code, plain(out.getvalue()), plain(err.getvalue()))


def as_a_program(folder: Path, *args: str) -> Answer:
    """`mlops ...` in a process of its own, everything it makes below `folder`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets.cli.main", *args],
        env={**clean, "MLOPS_DATA": str(folder)}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return Answer(done.returncode, plain(done.stdout), plain(done.stderr))


@pytest.fixture
def mlops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mlops:
    """`mlops(...)`, with everything it may touch below the test's own folder."""
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))
    return in_process


@dataclass(frozen=True)
class Backfilled:
    """Three landed weeks, the second cut short: what two backfills said, before and after it was mended."""

    folder: Path
    failed: Answer
    mended: Answer


@pytest.fixture(scope="session")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Backfilled:
    """One real week, one that the gate refuses, and it again once it is mended."""
    folder = tmp_path_factory.mktemp("backfilled")
    zone = folder / "landing" / "flight_delays"
    for table in FLIGHT_DELAYS.tables:
        for week in ("",) if table.snapshot else WEEKS:
            path = table.landing.format(partition=week)
            (zone / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SHIPPED / path, zone / path)
    first, second = (zone / "flights" / f"{week}.parquet" for week in WEEKS[:2])
    rows = pq.read_table(first)
    place = rows.column_names.index("origin")
    strange = pa.array(["LAX", *rows["origin"].to_pylist()[1:]])
    pq.write_table(rows.set_column(place, "origin", strange), first)
    pq.write_table(pq.read_table(second).slice(0, 100), second)
    failed = as_a_program(folder, "backfill", "flight_delays", "--from", WEEKS[0], "--to", WEEKS[2])
    shutil.copy(SHIPPED / "flights" / second.name, second)
    mended = as_a_program(folder, "backfill", "flight_delays", "--from", WEEKS[1], "--to", WEEKS[1], "--json")
    return Backfilled(folder, failed, mended)


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of `recorded.py`: a new tracker takes seconds, so it is made once and copied."""
    folder = tmp_path_factory.mktemp("recorded")
    recorded.build(folder)
    return folder


@pytest.fixture
def project(recorded_once: Path, tmp_path: Path, mlops: Mlops) -> Path:
    """A copy of it, which `mlops(...)` works on."""
    shutil.copytree(recorded_once, tmp_path, dirs_exist_ok=True)
    return tmp_path
