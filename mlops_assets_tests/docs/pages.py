"""What a page of the documentation holds: its fenced blocks; and how a page is walked through in one shell."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mlops_assets_tests.test_readme import environment

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "--- this block ended with exit code "


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, what it holds."""

    language: str
    text: str


@dataclass(frozen=True)
class Walked:
    """A bash block, the text block below it (empty when there is none), what it printed, its exit code."""

    command: str
    shown: str
    printed: str
    code: int


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page in order, of one language or of all."""
    found = [Block(*match) for match in _FENCED.findall(page.read_text())]
    return [block for block in found if language in ("", block.language)]


def walk(page: Path, copy: Path, given: Mapping[str, str] = MappingProxyType({})) -> list[Walked]:
    """Every bash block of the page, pasted into one shell in the copy; `given` adds to its environment."""
    found = blocks(page)
    pasted = [
        (block.text, after.text if after.language == "text" else "")
        for block, after in zip(found, [*found[1:], Block("", "")], strict=True)
        if block.language == "bash"
    ]
    script = "".join(f"{text}\necho '{_END}'$?\n" for text, _ in pasted)
    answer = subprocess.run(
        ["bash", "-s"], input=script, cwd=copy, env=environment(copy) | given, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False,
    )  # fmt: skip
    ended = re.split(rf"^{_END}(\d+)\n", answer.stdout, flags=re.MULTILINE)
    return [
        Walked(*one, printed, int(code)) for one, printed, code in zip(pasted, ended[::2], ended[1::2], strict=False)
    ]


def check(steps: list[Walked], page: Path) -> None:
    """Every step was taken, ended as the page shows it and printed what it shows; a refusal ends with exit code 1."""
    assert len(steps) == len(blocks(page, "bash")), steps[-1]
    for step in steps:
        assert step.code == ("refused:" in step.shown), f"{step.command}\n{step.printed}"
        assert missing(step.shown, step.printed) == [], f"{step.command}\n{step.printed}"


def missing(shown: str, printed: str) -> list[str]:
    """The lines of a text block of which the output holds no line that begins so, here and in this order.

    Times and what a library version shapes (hashes, seconds) are not compared.

    >>> missing("a  5 rows\\n...\\nlast", "a  5 rows  d6f3bc29173b    0.6 s\\nbetween\\nlast, and more")
    []
    >>> missing("b", "a")
    ['b']
    """
    lines = iter([_plain(line) for line in printed.splitlines()])
    wanted = [_plain(line) for line in shown.splitlines() if line and line != "..."]
    return [line for line in wanted if not any(met.startswith(line) for met in lines)]


def _plain(line: str) -> str:
    line = re.sub(r"\b[0-9a-f]{12}\b|\b\d+\.\d s\b", "#", line)
    return " ".join(line.split())
