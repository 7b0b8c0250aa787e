"""The pictures of a drift report: the same bytes for the same report, small, and naming what moved."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.drift import Completeness, DriftReport, drift_report
from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.drift import drift_columns, drift_ranked
from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.declare.drift import Monitored
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.plots.seen import texts
from mlops_assets_tests.core.profile.world import POLICY, WATCHED, reference, reference_rows, week

FULL = Completeness(days_with_rows=7, days=7)


@pytest.fixture(scope="module")
def world() -> tuple[ReferenceProfile, DriftReport, pd.DataFrame]:
    window = week(np.random.default_rng(5)).assign(temp=lambda rows: rows["temp"] + 40)
    profile = reference()
    return profile, drift_report(profile, window, policy=POLICY, importances=None, completeness=FULL), window


def test_the_same_report_gives_the_same_bytes(world: tuple[ReferenceProfile, DriftReport, pd.DataFrame]) -> None:
    profile, report, window = world

    assert drift_ranked(report) == drift_ranked(report)
    assert drift_columns(profile, report, window) == drift_columns(profile, report, window)


def test_the_pictures_are_svg_that_names_the_columns(
    world: tuple[ReferenceProfile, DriftReport, pd.DataFrame],
) -> None:
    profile, report, window = world

    for picture in (drift_ranked(report), drift_columns(profile, report, window)):
        assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314  # our own bytes
        assert b"temp [degF]" in picture
        assert b"dc:date" not in picture


def test_both_stay_below_60_kb_with_forty_columns_of_long_names() -> None:
    rows, windows = reference_rows()
    many = [Monitored(name=f"a_rather_long_feature_name_{i:02}", kind="numeric", unit="min") for i in range(38)]
    wide = pd.concat([rows, pd.DataFrame({column.name: rows["temp"] + 0.001 for column in many})], axis=1)
    profile = build_profile(wide, window=windows, columns=[*WATCHED, *many], prediction="score", policy=POLICY)
    moved = wide.head(3000).assign(**{column.name: wide[column.name] + 30 for column in many})
    report = drift_report(profile, moved, policy=POLICY, importances=None, completeness=FULL)

    assert len(drift_ranked(report)) < 60_000
    assert len(drift_columns(profile, report, moved)) < 60_000


def test_a_fault_has_its_own_colour_and_names_its_kind(
    world: tuple[ReferenceProfile, DriftReport, pd.DataFrame],
) -> None:
    profile, _, window = world
    broken = window.assign(distance=lambda rows: rows["distance"] * 1.609344)
    report = drift_report(profile, broken, policy=POLICY, importances=None, completeness=FULL)

    ranked = drift_ranked(report)
    assert b"feed fault" in ranked
    assert b"unit: PSI" in ranked
    assert b"#cc79a7" in ranked
    assert b"#cc79a7" in drift_columns(profile, report, broken)
    assert b"#cc79a7" not in drift_ranked(world[1])


def test_a_window_without_rows_is_drawn_as_such(world: tuple[ReferenceProfile, DriftReport, pd.DataFrame]) -> None:
    profile, _, window = world
    empty = window.head(0)
    report = drift_report(profile, empty, policy=POLICY, importances=None, completeness=FULL)

    assert b"INCONCLUSIVE" in drift_ranked(report)
    assert drift_columns(profile, report, empty).startswith(b"<?xml")


def test_importing_the_plots_does_not_import_matplotlib() -> None:
    code = "import sys, mlops_assets.core.plots.drift; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_a_column_a_unit_or_a_category_breaks_a_picture(name: str) -> None:
    watched = [Monitored(name=name, kind="category"), Monitored(name="score", kind="numeric", unit=name)]
    rows = pd.DataFrame({name: ["a", f"b{name}"] * 2000, "score": np.arange(4000) % 7})
    profile = build_profile(rows, window=np.arange(4000) // 1000, columns=watched, prediction="score", policy=POLICY)
    window = rows.assign(**{name: f"b{name}"})
    report = drift_report(profile, window, policy=POLICY, importances=None, completeness=FULL)

    for picture in (drift_ranked(report), drift_columns(profile, report, window)):
        said = texts(picture)
        assert any(text.startswith(visible(name)) for text in said)
        assert f"score [{visible(name)}] (score)" in " ".join(said)
    assert visible(f"b{name}")[:16] in said
