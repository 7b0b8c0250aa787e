"""What docs/deploy ships: units that systemd takes, a copy that can be put back while the original goes on."""

import configparser
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.stores.settings import settings
from mlops_assets_tests.docs.pages import DOCS, ROOT

UNITS = sorted((DOCS / "deploy" / "systemd").glob("*.service"))
BACKUP = DOCS / "deploy" / "backup.py"


class Unit(configparser.RawConfigParser):
    """A unit file; of a key that stands twice the last is kept."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), interpolation=None)
        self.read(path)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_program_of_the_environment_on_loopback(path: Path) -> None:
    service = Unit(path)["Service"]
    program, *arguments = service["ExecStart"].split()

    assert (Path(sys.prefix) / "bin" / Path(program).name).exists()
    assert program.startswith(service["WorkingDirectory"])
    assert "--host" not in arguments or "127.0.0.1" in arguments
    assert service["Restart"] == "always"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there to ask")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        here = path.read_text().replace("/srv/mlops_assets/.venv", sys.prefix).replace("/srv/mlops_assets", str(ROOT))
        (tmp_path / path.name.replace("@", "@parking")).write_text(here.replace("User=mlops\n", ""))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)

    assert (said.returncode, [line for line in said.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


def test_the_environment_file_names_places_the_project_knows() -> None:
    lines = (DOCS / "deploy" / "systemd" / "mlops.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    places = settings(given)

    assert places.store == "/var/lib/mlops/store"
    assert str(places.dagster_home) == "/var/lib/mlops/dagster"


def test_a_backup_holds_what_was_committed_while_somebody_writes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("store/refs/case/raw/1/HEAD", "store/objects/ab/one.json", "records/records.db.head"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    with closing(sqlite3.connect(data / "records" / "records.db", isolation_level=None)) as live:
        live.execute("PRAGMA journal_mode = WAL")
        live.execute("CREATE TABLE ledger (seq)")
        live.execute("INSERT INTO ledger VALUES (1)")
        live.execute("BEGIN")
        live.execute("INSERT INTO ledger VALUES (2)")
        _backup(data, tmp_path / "monday")
        live.execute("COMMIT")
        _backup(data, tmp_path / "tuesday", tmp_path / "monday")

    entries = [_entries(tmp_path / day / "records" / "records.db") for day in ("monday", "tuesday")]
    first, second = (tmp_path / day / "store" / "objects" / "ab" / "one.json" for day in ("monday", "tuesday"))
    assert entries == [1, 2]
    assert first.samefile(second)
    assert (tmp_path / "tuesday" / "store/refs/case/raw/1/HEAD").read_text() == "store/refs/case/raw/1/HEAD"


def test_a_damaged_former_copy_is_not_linked_to(tmp_path: Path) -> None:
    one = tmp_path / "data" / "store" / "objects" / "ab" / "one.json"
    for path in (one, tmp_path / "data" / "store" / "refs" / "case" / "HEAD"):
        path.parent.mkdir(parents=True)
        path.write_text("whole")
    _backup(tmp_path / "data", tmp_path / "monday")
    (tmp_path / "monday" / one.relative_to(tmp_path / "data")).write_text("torn!")
    _backup(tmp_path / "data", tmp_path / "tuesday", tmp_path / "monday")

    assert (tmp_path / "tuesday" / one.relative_to(tmp_path / "data")).read_text() == "whole"


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("nowhere", "copy"), "holds no store"),
        (("data", "data"), "there already"),
        (("data", "data/copy"), "must lie outside"),
        (("data", "copy", "data"), "must lie outside"),
        (("data", "copy", "nowhere"), "no former copy"),
        (("data",), "DATA TO"),
    ],
)
def test_a_backup_of_nothing_is_refused(tmp_path: Path, folders: tuple[str, ...], said: str) -> None:
    (tmp_path / "data" / "store" / "refs").mkdir(parents=True)
    command = [sys.executable, str(BACKUP), *(str(tmp_path / name) for name in folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "copy").exists()


def _backup(*folders: Path) -> None:
    subprocess.run([sys.executable, str(BACKUP), *map(str, folders)], check=True, capture_output=True)


def _entries(database: Path) -> int:
    with closing(sqlite3.connect(database)) as copy:
        (count,) = copy.execute("SELECT count(*) FROM ledger").fetchone()
        return int(count)
