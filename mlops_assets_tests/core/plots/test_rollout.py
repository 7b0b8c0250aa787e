"""The pictures of a rollout: the same bytes for the same records, small, and saying what was decided."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest

from mlops_assets.core.pages.visible import visible
from mlops_assets.core.plots.rollout import evidence_svg, loss_svg, share_svg
from mlops_assets_tests.core.pages.world import HOSTILE
from mlops_assets_tests.core.plots.seen import texts

START = datetime(2013, 7, 1, tzinfo=UTC)
STAGES = (("SHADOW", 0.0), ("CANARY", 0.05), ("CANARY", 0.25), ("CANARY", 0.5), ("SOAK", 1.0), ("FINALIZED", 1.0))
DECISIONS = [
    {"at": START + timedelta(days=3 * n), "share": share, "stage": stage, "decision": "ADVANCED"}
    for n, (stage, share) in enumerate(STAGES)
]
JUDGED = [
    {"at": START + timedelta(hours=n), "name": name, "toward_pass": n / 20, "toward_fail": 0.1 * (n % 3)}
    for n in range(40)
    for name in ("calls", "error", "slow", "invalid", "log_loss")
]
BLOCKS = [
    {
        "block": (date(2013, 7, 1) + timedelta(days=n)).isoformat(),
        "pairs": 900,
        "champion": 0.48,
        "challenger": 0.48 + 0.001 * (n % 5 - 2),
        "complete": n < 118,
    }
    for n in range(120)
]
LOOK = {"blocks": 112, "mean": 0.0004, "lower": -0.001, "upper": 0.0018}
PICTURES = {
    "share": lambda: share_svg(DECISIONS, title="version 3"),
    "evidence": lambda: evidence_svg(JUDGED, title="version 3"),
    "loss": lambda: loss_svg(BLOCKS, loss="log_loss", margin=0.003, look=LOOK),
}
EMPTY = {
    "share": lambda: share_svg([], title="version 3"),
    "evidence": lambda: evidence_svg([], title="version 3"),
    "loss": lambda: loss_svg([], loss="brier", margin=0.003, look=None),
}
SAYS = {
    "share": ("SHADOW", "SOAK", "FINALIZED", "answered by the challenger"),
    "evidence": ("error", "log loss", "enough", "to pass", "to fail"),
    "loss": ("margin 0.003", "+0.0004 of 112 blocks", "90 of 120 blocks", "log loss: challenger - champion"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_records_give_the_same_small_svg_that_says_what_happened(name):
    svg = PICTURES[name]()

    assert svg == PICTURES[name]()
    assert len(svg) < 60_000
    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314  # our own bytes
    assert not [said for said in SAYS[name] if said.encode() not in svg]
    assert b"dc:date" not in svg


@pytest.mark.parametrize("name", EMPTY)
def test_before_anything_happened_the_picture_is_empty(name):
    assert EMPTY[name]().startswith(b"<?xml")


def test_importing_the_plots_does_not_import_matplotlib():
    code = "import sys, mlops_assets.core.plots.rollout; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.filterwarnings("error")
def test_a_single_instant_and_nothing_at_all_are_drawn_without_a_word() -> None:
    one = {"at": datetime(2013, 7, 1, tzinfo=UTC), "share": 0.0, "stage": "PREPARING", "decision": "OPENED"}
    measure = {"at": one["at"], "name": "error", "toward_pass": 0.5, "toward_fail": 0.0}

    assert share_svg([one], title="one") and share_svg([], title="none")
    assert evidence_svg([measure], title="one") and evidence_svg([], title="none")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_picture(name: str) -> None:
    decision = {"at": START, "share": 0.5, "stage": name, "decision": "ADVANCED"}
    measure = {"at": START, "name": name, "toward_pass": 0.5, "toward_fail": 0.0}
    block = {"block": name, "champion": 0.48, "challenger": 0.49, "complete": True}

    assert texts(share_svg([decision], title=name)).count(visible(name)) == 2
    assert {visible(name), visible(name.replace("_", " "))} <= set(texts(evidence_svg([measure], title=name)))
    assert visible(name) in texts(loss_svg([block], loss="brier", margin=0.003, look=LOOK))
