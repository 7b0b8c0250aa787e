"""The picture of the rollout shows the table, all of it and nothing else."""

import re

from mlops_assets.core.rollout.diagram import mermaid
from mlops_assets.core.rollout.transitions import table
from mlops_assets_tests.docs.pages import DOCS, blocks


def test_the_diagram_holds_every_transition_and_no_other() -> None:
    drawn = set()
    for line in mermaid().splitlines():
        if found := re.fullmatch(r" +(\w+) : stays at (.+)", line):
            drawn |= {(found[1], kind, found[1]) for kind in found[2].split(", ")}
        elif found := re.fullmatch(r" +(\w+) --> (\w+) : (.+)", line):
            drawn |= {(found[1], kind, found[2]) for kind in found[3].split(", ")}

    assert drawn == {(stage.value, kind.value, to.value) for stage, kind, to in table()}


def test_the_diagram_in_the_architecture_is_todays() -> None:
    (shown,) = blocks(DOCS / "architecture.md", "mermaid")

    assert shown.text.rstrip("\n") == mermaid(), "put what core/rollout/diagram.py prints into docs/architecture.md"
