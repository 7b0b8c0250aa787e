"""Bring your own data: each slip says what the page says it does, each snippet is declared, each step works."""

import re
from pathlib import Path

import pytest

from mlops_assets.declare.errors import DeclarationError
from mlops_assets_tests.docs.pages import DOCS, ROOT, Block, blocks, check, walk
from mlops_assets_tests.test_readme import copy_of_the_project

PAGE = DOCS / "bring_your_own_data.md"
PARKING = (ROOT / "mlops_assets" / "use_cases" / "parking.py").read_text()

# what each slip of the table is in the file
SLIPS = {
    "no `known_at`": ('name="Capacity", kind=INT, known_at=ALWAYS', 'name="Capacity", kind=INT'),
    "a misspelt instant": ('kind=INT, known_at="LastUpdated"', 'kind=INT, known_at="LastUpdate"'),
    "a feature of the request that is not known yet": ('reads=("ratio",)', 'reads=("ratio_in_1h",)'),
    "a label known beforehand": ('Label(column="ratio_in_1h"', 'Label(column="Capacity"'),
    "no such time zone": ("zone=BIRMINGHAM", 'zone="Birmingham"'),
    "weeks that do not begin on a Monday": ('start="2016-10-03"', 'start="2016-10-04"'),
    "a metric of another task": ('metric="mae"', 'metric="auc"'),
    "more judging weeks than there are": ("min_weeks=4", "min_weeks=1"),
}


def told() -> dict[str, str]:
    return dict(re.findall(r"^\| (.+?) \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE))


def test_the_page_tells_of_every_slip() -> None:
    assert set(told()) == set(SLIPS)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_says_what_the_page_says(slip: str) -> None:
    right, wrong = SLIPS[slip]
    assert right in PARKING

    with pytest.raises(DeclarationError) as refused:
        exec(compile(PARKING.replace(right, wrong), "parking.py", "exec"), {"__name__": "slip"})  # noqa: S102

    assert str(refused.value) == told()[slip]


@pytest.mark.parametrize("block", blocks(PAGE, "python"), ids=lambda block: block.text[:30])
def test_the_lines_of_a_snippet_stand_in_the_declaration(block: Block) -> None:
    declared = "".join(PARKING.split())
    for line in block.text.splitlines():
        assert "".join(line.split()) in declared, line


@pytest.mark.slow
def test_the_page_can_be_walked_through(tmp_path: Path) -> None:
    check(walk(PAGE, copy_of_the_project(tmp_path / "mlops_assets")), PAGE)
