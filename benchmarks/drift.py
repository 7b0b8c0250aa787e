"""How long a drift report takes: a live window against the stored profile, the usual way, and the limit.

    python benchmarks/drift.py [--rows 337000 1000000 3370000] [--reference 337000] [--columns 20] [--rounds 5] [--json]

`ours`: `drift_report` (PSI, KS, JS, W1, verdicts of every column) against the profile. `scipy`: per column
`ks_2samp(training, live)` and `jensenshannon` over the same ten deciles, training rows at hand in memory. `limit`: one
`np.sum` pass per column, which any method must at least make. One process, the three taken in turn, medians of wall
time, and of CPU time for a busy machine.
The columns are a mix: normal, lognormal, uniform, integers, counts, yes-or-no, a tenth missing.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from mlops_assets.core.drift import Completeness, drift_report
from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.declare.drift import DriftPolicy, Monitored

Floats = npt.NDArray[np.float64]
FULL = Completeness(days_with_rows=7, days=7)
SHAPES: tuple[Callable[[np.random.Generator, int], Floats], ...] = (
    lambda rng, n: rng.normal(60, 15, n),
    lambda rng, n: rng.lognormal(0, 1, n),
    lambda rng, n: rng.random(n),
    lambda rng, n: rng.integers(80, 5000, n).astype(np.float64),
    lambda rng, n: rng.integers(0, 24, n).astype(np.float64),
    lambda rng, n: (rng.random(n) < 0.2).astype(np.float64),
    lambda rng, n: np.where(rng.random(n) < 0.1, np.nan, rng.normal(0, 1, n)),
    lambda rng, n: np.round(rng.gamma(1, 30, n) - 15),
)


def table(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """`columns` numeric columns; the last is the score."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({f"c{i:02}": SHAPES[i % len(SHAPES)](rng, rows) for i in range(columns)})


def profile_of(reference: pd.DataFrame) -> ReferenceProfile:
    """The stored profile, made once at training."""
    window = np.arange(len(reference)) * 8 // len(reference)
    watched = [Monitored(name=name, kind="numeric") for name in reference]
    return build_profile(
        reference, window=window, columns=watched, prediction=str(reference.columns[-1]), policy=DriftPolicy()
    )


def the_usual_way(reference: pd.DataFrame, live: pd.DataFrame) -> None:
    """Both samples in memory, sorted anew for every report; missing rows dropped, as is the custom."""
    for name in live:
        old, new = (side[~np.isnan(side)] for side in (reference[name].to_numpy(), live[name].to_numpy()))
        ks_2samp(old, new)
        edges = np.unique(np.quantile(old, np.arange(1, 10) / 10))
        bins = np.concatenate([[-np.inf], edges, [np.inf]])
        jensenshannon(np.histogram(old, bins)[0], np.histogram(new, bins)[0], base=2)


def the_limit(live: pd.DataFrame) -> None:
    """Reading every value once."""
    for name in live:
        np.sum(live[name].to_numpy())


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measured(rows: int, reference_rows: int, columns: int, rounds: int) -> dict[str, float]:
    """Median seconds of each way at one size, and the ratios."""
    reference, live = table(reference_rows, columns, 1), table(rows, columns, 2)
    profile = profile_of(reference)

    def ours() -> object:
        return drift_report(profile, live, policy=DriftPolicy(), importances=None, completeness=FULL)

    ways: dict[str, Callable[[], object]] = {
        "ours": ours,
        "scipy": lambda: the_usual_way(reference, live),
        "limit": lambda: the_limit(live),
    }
    ours()  # imports and first touch
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(seconds(way))
    wall = {name: statistics.median(both[0] for both in times) for name, times in taken.items()}
    cpu = {name: statistics.median(both[1] for both in times) for name, times in taken.items()}
    return {
        "rows": rows,
        "reference_rows": reference_rows,
        "columns": columns,
        **{f"{name}_s": round(value, 5) for name, value in wall.items()},
        **{f"{name}_cpu_s": round(value, 5) for name, value in cpu.items()},
        "scipy_over_ours": round(wall["scipy"] / wall["ours"], 1),
        "scipy_over_ours_cpu": round(cpu["scipy"] / cpu["ours"], 1),
        "ours_over_limit": round(wall["ours"] / wall["limit"], 1),
    }


def main() -> None:
    """Reads the options, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[6_500, 337_000, 1_000_000, 3_370_000])
    parser.add_argument("--reference", type=int, default=337_000, help="training rows; 0: as many as live")
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [measured(rows, options.reference or rows, options.columns, options.rounds) for rows in options.rows]
    machine = {"python": platform.python_version(), "numpy": np.__version__, "cores": os.cpu_count()}
    if options.json:
        print(json.dumps({"benchmark": "drift", **machine, "results": results}))
        return
    print(f"drift of {options.columns} columns {machine}")
    for result in results:
        print(
            f"{result['rows']:>10,} rows against {result['reference_rows']:,}  ours {result['ours_s'] * 1e3:8.1f} ms"
            f"  scipy {result['scipy_s'] * 1e3:9.1f} ms  limit {result['limit_s'] * 1e3:6.1f} ms"
            f"  scipy/ours {result['scipy_over_ours']:6.1f}  (cpu {result['scipy_over_ours_cpu']:6.1f})"
            f"  ours/limit {result['ours_over_limit']:5.1f}"
        )


if __name__ == "__main__":
    main()
