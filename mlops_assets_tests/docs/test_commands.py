"""The commands on the pages of docs/: each names what exists; those of the page on operations are run, one by one."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import typer.main

from mlops_assets.cli.main import app
from mlops_assets.core.rollout.words import Stage
from mlops_assets_tests.docs.pages import DOCS, blocks, check, walk
from mlops_assets_tests.test_readme import copy_of_the_project

PAGES = sorted(DOCS.rglob("*.md"))
MLOPS = typer.main.get_command(app)


def commands_of(page: Path) -> list[list[str]]:
    """The arguments of each `mlops` command in the page's bash blocks."""
    lines = [line for block in blocks(page, "bash") for line in block.text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("mlops ")]


def parsed(arguments: list[str]) -> None:
    """Take a command line apart as it would be, and do nothing. Raises the error of a wrong one."""
    command, context = MLOPS, MLOPS.context_class(MLOPS, info_name="mlops")
    while hasattr(command, "resolve_command"):
        context = command.context_class(command, info_name=command.name, parent=context)
        _, command, arguments = command.resolve_command(context, arguments)
    command.make_context(command.name, list(arguments), parent=context)


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)], ids=lambda page: page.name)
def test_a_command_in_a_block_is_one_that_mlops_takes(page: Path) -> None:
    for arguments in commands_of(page):
        parsed(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_named_in_the_text_exists(page: Path) -> None:
    named = set(re.findall(r"`mlops ([a-z-]+)", page.read_text()))

    assert named <= set(MLOPS.commands)


def test_the_pages_name_no_stage_that_is_not_one() -> None:
    told = re.findall(r"^\| ([A-Z_]{4,}) \|", (DOCS / "rollout.md").read_text(), re.MULTILINE)

    assert told
    assert set(told) <= {stage.value for stage in Stage}


@pytest.mark.slow
def test_operations_can_be_walked_through(tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path / "mlops_assets")
    path = f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
    given = {"MLOPS_DATA": str(tmp_path / "data"), "BACKUPS": str(tmp_path / "backups"), "PATH": path}

    check(walk(DOCS / "operations.md", copy, given), DOCS / "operations.md")
