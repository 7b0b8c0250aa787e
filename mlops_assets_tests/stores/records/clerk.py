"""Decisions to write down, and a process that writes them down and can be killed.

Run as a program it appends decisions, one number a line on stdout when it is recorded:
`python -m mlops_assets_tests.stores.records.clerk <database> <first> <end>`.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlops_assets.stores.crashpoints import VARIABLE
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import Entry

DAY = "2013-07-0{}T10:00:00Z"
USE_CASE = "flight_delays"


def decision(number: int, **changes: Any) -> dict[str, Any]:
    """The decision of that number, as `Ledger.append` takes it."""
    told = {
        "at": DAY.format(1 + number % 9), "use_case": USE_CASE, "kind": "registered", "subject": f"{USE_CASE}@{number}",
        "who": "the weekly run", "why": f"trained on {number} weeks",
        "evidence": {"log_loss": 0.5 + number, "é": [None]}, "once": f"registered/{number}/{'x' * number}",
    }  # fmt: skip
    return told | changes


def told(records: Records, count: int) -> list[Entry]:
    """The first decisions, written down."""
    return [records.ledger.append(**decision(number)) for number in range(count)]


def alias(records: Records, name: str, version: int | None, day: int, once: str = "") -> Entry | None:
    """An alias decided on a day of July 2013."""
    return records.set_alias(
        name, use_case=USE_CASE, version=version, at=DAY.format(day), who="gate", why=f"week {day}",
        once=once or f"{name}/{day}",
    )  # fmt: skip


def start(database: Path, first: int, end: int, crash_at: str = "") -> "subprocess.Popen[str]":
    """The program, as a process of its own."""
    command = [sys.executable, "-m", "mlops_assets_tests.stores.records.clerk", str(database), str(first), str(end)]
    return subprocess.Popen(command, env={**os.environ, VARIABLE: crash_at}, stdout=subprocess.PIPE, text=True)


def main(database: str, first: str, end: str) -> None:
    with Records(database) as records:
        for number in range(int(first), int(end)):
            records.ledger.append(**decision(number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
