"""The picture of all features: the same bytes for the same record, small, and saying what is missing."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from mlops_assets.core.catalogue import distributions
from mlops_assets.core.frames import to_table
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.features import features_svg
from mlops_assets_tests.core import tiny
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.plots.seen import texts

WEEK = distributions(tiny.use_case(), to_table(tiny.week(0)))
UNITS = {"weight": "kg"}


def picture(drawn: dict[str, dict[str, object]]) -> bytes:
    return features_svg(drawn, units=UNITS, used={"depot", "weight"}, title="a week")


def test_the_same_record_gives_the_same_bytes_in_any_process() -> None:
    code = (
        "import sys, hashlib; from mlops_assets_tests.core.plots.test_features import WEEK, picture;"
        "sys.stdout.write(hashlib.sha256(picture(WEEK)).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert len(said) == 1


def test_it_is_svg_that_names_each_feature_its_unit_and_what_is_known() -> None:
    svg = picture(WEEK)

    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314  # our own bytes
    for said in (b"weight [kg]", b"depot", b"stops", b"always known", b"% known", b"a week"):
        assert said in svg
    assert b"dc:date" not in svg


def test_it_stays_below_150_kb_with_a_hundred_features_of_long_names() -> None:
    svg = picture({f"a_rather_long_feature_name_{n:03}": WEEK["weight"] for n in range(100)})

    assert len(svg) < 150_000
    assert b"a week (56 of 100 features)" in svg


@pytest.mark.parametrize(
    "bars",
    [
        {"kind": "values", "missing": 7, "labels": [], "counts": []},
        {"kind": "names", "missing": 0, "labels": [], "counts": []},
        {"kind": "names", "missing": 0, "labels": ["<b>&"], "counts": [1]},
    ],
    ids=["never known", "no rows", "a text that looks like markup"],
)
def test_what_has_nothing_to_draw_is_drawn_as_such(bars: dict[str, object]) -> None:
    assert ElementTree.fromstring(picture({"weight": bars})).tag.endswith("svg")  # noqa: S314  # our own bytes


def test_importing_the_plots_does_not_import_matplotlib() -> None:
    code = "import sys, mlops_assets.core.plots.features; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_picture(name: str) -> None:
    labels = [f"{at}{name}" for at in range(3)]
    drawn: dict[str, dict[str, object]] = {
        name: {"kind": "names", "missing": 0, "labels": labels, "counts": [1, 2, 3]},
        f"{name}2": {"kind": "values", "missing": 1, "labels": labels, "counts": [1, 2, 3]},
    }
    said = texts(features_svg(drawn, units={name: name}, used=set(), title=name))

    assert {visible(name), f"{visible(name)} [{visible(name)}]", visible(labels[0])[:12]} <= set(said)
