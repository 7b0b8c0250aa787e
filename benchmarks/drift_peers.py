"""What a drift report costs against those of Evidently and NannyML: CPU, clock and memory on the same two frames.

    python3 -m venv ../peers
    ../peers/bin/pip install evidently==0.7.23 nannyml==0.13.1 "pandas<3"
    .venv/bin/python benchmarks/drift_peers.py --peers ../peers/bin/python [--rows 100000 1000000] [--rounds 3] [--json]

Two frames of as many rows, 15 columns of numbers and 5 of text, some of them moved. Ways, each call in a process of its
own (`drift_peers_worker.py`), all in turn, medians over the rounds of each round's ratios:

- `ours`: `drift_report` (PSI, KS, JS, W1, verdicts) against the profile that training has stored
- `ours_profile`: the same, with the profile made from the reference within the call
- `evidently`: `Report([DataDriftPreset()])`, run and made a dict
- `nannyml`: `UnivariateDriftCalculator` by its defaults, fitted and calculated
- `plain`: `ks_2samp`, `jensenshannon` and `value_counts` by hand
- `limit`: one pass over the bytes of the live frame

Memory is the highest resident size within the call above the one before it, over the bytes of the live frame (8 a
value). Versions measured with: evidently 0.7.23, nannyml 0.13.1, pandas 2.3.3, numpy 2.4.6, scipy 1.17.1, Python 3.11.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from drift import SHAPES

WORKER = Path(__file__).with_name("drift_peers_worker.py")
OURS = ("ours", "ours_profile", "plain", "limit")
PEERS = ("evidently", "nannyml")
CATEGORIES = (3, 7, 16, 100, 300)
REPEATS = 5  # of what takes below a second
MEASURES = ("cpu_s", "wall_s", "peak_over_input")


def frame(rows: int, seed: int, *, moved: float) -> pd.DataFrame:
    """15 numeric columns of eight shapes, every fifth `moved` by so many of its sd, and 5 columns of text."""
    rng = np.random.default_rng(seed)
    numbers = {f"n{at:02}": SHAPES[at % len(SHAPES)](rng, rows) for at in range(15)}
    for name in list(numbers)[::5]:
        numbers[name] += moved * np.nanstd(numbers[name])
    texts = {f"t{many:03}": rng.choice([f"value {at:03}" for at in range(many)], rows) for many in CATEGORIES}
    return pd.DataFrame({**numbers, **{name: pd.Series(text, dtype=object) for name, text in texts.items()}})


def measured(way: str, python: str, folder: Path) -> dict[str, Any]:
    """One call in a process of its own. Raises when the process fails."""
    repeats = 1 if way in PEERS or way == "plain" else REPEATS
    asked = [python, str(WORKER), way, str(folder), str(repeats)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def compared(rows: int, rounds: int, ways: Sequence[str], peers: str) -> dict[str, Any]:
    """Every way in turn, `rounds` times: medians, and medians of each round's ratio to `ours` and `ours_profile`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        frame(rows, 1, moved=0.0).to_parquet(folder / "reference.parquet", index=False)
        frame(rows, 2, moved=0.5).to_parquet(folder / "live.parquet", index=False)
        seen: list[dict[str, dict[str, Any]]] = []
        for _ in range(rounds):
            seen.append({way: measured(way, peers if way in PEERS else sys.executable, folder) for way in ways})
    result: dict[str, Any] = {"rows": rows, "versions": {way: seen[0][way]["versions"] for way in ways}}
    for way in ways:
        result[way] = {name: statistics.median(each[way][name] for each in seen) for name in MEASURES}
        for base in OURS[:2]:
            result[way] |= {
                f"{name}_over_{base}": statistics.median(each[way][name] / each[base][name] for each in seen)
                for name in ("cpu_s", "wall_s")
            }
    return result


def main() -> None:
    """Reads the options, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers", help="a Python that has evidently and nannyml; without it ours, plain and limit")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ways = (*OURS, *PEERS) if options.peers else OURS
    results = [compared(rows, options.rounds, ways, options.peers) for rows in options.rows]
    if options.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        print(json.dumps({"benchmark": "drift_peers", **machine, "results": results}))
        return
    for result in results:
        print(f"{result['rows']:,} rows against as many, 20 columns")
        for way in ways:
            told = result[way]
            print(
                f"  {way:<13} CPU {told['cpu_s']:9.3f} s  clock {told['wall_s']:9.3f} s"
                f"  CPU / ours {told['cpu_s_over_ours']:7.1f}  / with profile {told['cpu_s_over_ours_profile']:6.2f}"
                f"  peak {told['peak_over_input']:5.2f} x the live frame"
            )


if __name__ == "__main__":
    main()
