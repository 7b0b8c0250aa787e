"""`mlops report`: the stored page of a week, written to a file that was not somebody else's."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.pages.drift import drift_page
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.settings import settings
from mlops_assets_tests.cli.conftest import WEEKS, Mlops

WEEK = WEEKS[0]
RECORD = {"verdict": "QUIET", "sentence": "QUIET: no column drifted\x1b[31m."}
PAGE = drift_page({**RECORD, "partition": WEEK}, {}, [])


@pytest.fixture
def folder(tmp_path: Path, mlops: Mlops, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a store of both reports of one week and an old drift report of the next."""
    store = AssetStore(settings({"MLOPS_DATA": str(tmp_path)}).store)
    page = {"page": Blob.of(PAGE, ".html")}
    published: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("drift_report", WEEK, page), ("performance_report", WEEK, page), ("drift_report", WEEKS[1], {}),
    )  # fmt: skip
    for artifact, week, blobs in published:
        made = Artifact(records={"verdict": {**RECORD, "artifact": artifact}}, blobs=blobs)
        store.publish(f"flight_delays/{artifact}", week, made, inputs={}, code={}, run="r", action_key="k",
                      created_at="2013-02-18T00:00:00Z")  # fmt: skip
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(("option", "artifact"), [((), "drift_report"), (("--performance",), "performance_report")])
def test_the_page_is_written_beside_its_verdict(
    folder: Path, mlops: Mlops, option: tuple[str, ...], artifact: str
) -> None:
    answer = mlops("report", "flight_delays", WEEK, *option)

    name = f"flight_delays-{artifact}-{WEEK}.html"
    assert (answer.code, answer.out) == (0, f"{name}\nQUIET: no column drifted⟨U+001B⟩[31m.\n")
    assert (folder / name).read_bytes() == PAGE


def test_a_report_is_written_over_and_another_file_is_not(folder: Path, mlops: Mlops) -> None:
    mine = folder / "mine.html"
    mine.write_text("<!doctype html><html>mine</html>")

    refused = mlops("report", "flight_delays", WEEK, "--out", "mine.html")
    assert refused.code == 2 and "mine.html is there and is no report" in refused.said
    assert mine.read_text().endswith("mine</html>")
    assert mlops("report", "flight_delays", WEEK, "--out", "mine.html", "--force").code == 0
    assert mine.read_bytes() == PAGE
    assert mlops("report", "flight_delays", WEEK, "--out", "mine.html").code == 0


def test_a_folder_is_no_file_to_write(folder: Path, mlops: Mlops) -> None:
    (folder / "taken").mkdir()

    assert mlops("report", "flight_delays", WEEK, "--out", "taken").code == 2


@pytest.mark.parametrize(("week", "said"), [
    (WEEKS[1], "there is no page in the drift_report"), (WEEKS[2], "there is no drift_report"),
])  # fmt: skip
def test_a_week_without_a_report_says_what_makes_it(folder: Path, mlops: Mlops, week: str, said: str) -> None:
    answer = mlops("report", "flight_delays", week)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.said
    assert f"`mlops backfill flight_delays --from {week} --to {week} --job monitor`" in answer.said
    assert list(folder.iterdir()) == []


def test_a_program_gets_the_record_and_a_file_only_when_it_asks(folder: Path, mlops: Mlops) -> None:
    told = json.loads(mlops("report", "flight_delays", WEEK, "--json").out)

    assert told == {**RECORD, "artifact": "drift_report"}
    assert list(folder.iterdir()) == []
    assert mlops("report", "flight_delays", WEEK, "--json", "--out", "page.html").json == told
    assert (folder / "page.html").read_bytes() == PAGE


@pytest.mark.parametrize("args", [("gone", WEEK), ("flight_delays", "2013-01-09")])
def test_what_is_not_declared_is_exit_code_2(folder: Path, mlops: Mlops, args: tuple[str, str]) -> None:
    assert mlops("report", *args).code == 2


def test_a_changed_page_is_refused_and_not_written(folder: Path, mlops: Mlops, tmp_path: Path) -> None:
    stored = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.read_bytes() == PAGE]
    for path in stored:
        path.chmod(0o644)
        path.write_bytes(PAGE.replace(b"QUIET", b"FINE!"))

    answer = mlops("report", "flight_delays", WEEK)
    assert stored and answer.code == 1
    assert list(folder.iterdir()) == []
