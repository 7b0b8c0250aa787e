"""One policy replayed, two policies replayed side by side, and the walk of the policy alone, on one history.

    python benchmarks/replay.py [--to 2013-03-25] [--rows 1000] [--rounds 2] [--json]

Data: the shipped flights, the history prepared once in a temporary folder; a round replays the declared policy, then
that and `docs/policies/every_four_weeks.toml` together, each from the beginning (`--anew`), as whole commands with
`--against 0`. `backtest` is `mlops backtest` over the same weeks: no gateway, no jobs, no records, so the least that
there is to do. Wall seconds and CPU seconds; medians of rounds.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
POLICY = PROJECT / "docs" / "policies" / "every_four_weeks.toml"
CASE = "flight_delays"


def main() -> None:
    """Print or tell the medians and the ratios."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--to", default="2013-03-25")
    asked.add_argument("--rows", default="1000")
    asked.add_argument("--rounds", type=int, default=2)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "replay"
        span = ["--to", given.to, "--rows", given.rows, "--against", "0", "--out", str(out), "--anew"]
        ways = {
            "one policy": ["replay", CASE, *span],
            "two policies": ["replay", CASE, *span, "--policy", str(POLICY)],
            "backtest": ["backtest", CASE, "--to", given.to],
        }
        took(ways["one policy"], out)  # prepares the history
        rounds = [{name: took(command, out) for name, command in ways.items()} for _ in range(given.rounds)]
    told = {
        name: {"wall_s": middle(one[name][0] for one in rounds), "cpu_s": middle(one[name][1] for one in rounds)}
        for name in ways
    }
    ratios = {
        "two / one, wall": middle(one["two policies"][0] / one["one policy"][0] for one in rounds),
        "two / one, CPU": middle(one["two policies"][1] / one["one policy"][1] for one in rounds),
        "one / backtest, CPU": middle(one["one policy"][1] / one["backtest"][1] for one in rounds),
    }
    if given.json:
        sys.stdout.write(json.dumps({"seconds": told, "ratios": ratios}, indent=2) + "\n")
        return
    for name, seconds in told.items():
        sys.stdout.write(f"{name:<14} {seconds['wall_s']:8.1f} s wall {seconds['cpu_s']:8.1f} s CPU\n")
    for name, ratio in ratios.items():
        sys.stdout.write(f"{name:<22} {ratio:.2f}\n")


def took(command: list[str], out: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command of `mlops`, those of what it starts among them."""
    store = {"MLOPS_STORE": str(out / "history" / "store")} if command[0] == "backtest" else {}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "mlops_assets.cli.main", *command], cwd=PROJECT, env={**os.environ, **store},
        stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


if __name__ == "__main__":
    main()
