"""One way of `drift_peers.py` in a process of its own, so that its CPU and its memory are its alone.

    PYTHON benchmarks/drift_peers_worker.py WAY FOLDER REPEATS

In the folder lie `reference.parquet` and `live.parquet`. Read and warmed up on a few rows first, then timed: the whole
call, from two frames in memory to the figures as plain values. One JSON line is the answer. The ways of peers import
nothing of this project, ours nothing of theirs.
"""

import ctypes
import gc
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WARM_UP_ROWS = 4_000
Call = Callable[[], object]


def ours(reference: pd.DataFrame, live: pd.DataFrame, *, stored: bool) -> Call:
    """A drift report against a profile: `stored` at training, or made within the call."""
    from mlops_assets.core.drift import Completeness, drift_report
    from mlops_assets.core.profile import build_profile
    from mlops_assets.declare.drift import DriftPolicy, Monitored

    policy, full = DriftPolicy(), Completeness(days_with_rows=7, days=7)
    watched = [Monitored(name=name, kind="category" if reference[name].dtype == object else "numeric")
               for name in reference]  # fmt: skip
    score = str(reference.columns[0])

    def profile() -> Any:
        window = np.arange(len(reference)) * 8 // len(reference)
        return build_profile(reference, window=window, columns=watched, prediction=score, policy=policy)

    def report(against: Any) -> object:
        return drift_report(against, live, policy=policy, importances=None, completeness=full).to_json()

    if not stored:
        return lambda: report(profile())
    kept = profile()
    return lambda: report(kept)


def plain(reference: pd.DataFrame, live: pd.DataFrame) -> Call:
    """What people write with numpy and scipy: KS of numbers, Jensen-Shannon of ten deciles or of category shares."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import ks_2samp

    def column(name: str) -> list[float]:
        old, new = reference[name], live[name]
        if old.dtype == object:
            shares = pd.concat([old.value_counts(), new.value_counts()], axis=1).fillna(0).to_numpy()
            return [float(jensenshannon(shares[:, 0], shares[:, 1], base=2))]
        a, b = (side.to_numpy()[side.notna()] for side in (old, new))
        bins = np.concatenate([[-np.inf], np.unique(np.quantile(a, np.arange(1, 10) / 10)), [np.inf]])
        apart = jensenshannon(np.histogram(a, bins)[0], np.histogram(b, bins)[0], base=2)
        return [float(ks_2samp(a, b).statistic), float(apart)]

    return lambda: {name: column(name) for name in live}


def limit(reference: pd.DataFrame, live: pd.DataFrame) -> Call:
    """One pass over the live bytes, as Arrow holds them: what any method must at least read."""
    import pyarrow as pa

    del reference
    chunks = [chunk for column in pa.Table.from_pandas(live).columns for chunk in column.chunks]
    buffers = [np.frombuffer(buffer, dtype=np.uint8) for chunk in chunks for buffer in chunk.buffers() if buffer]
    words = [buffer[: len(buffer) // 8 * 8].view(np.uint64) for buffer in buffers]
    return lambda: [int(word.sum()) for word in words]


def evidently(reference: pd.DataFrame, live: pd.DataFrame) -> Call:
    """The report its documentation begins with."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda: Report([DataDriftPreset()]).run(live, reference).dict()


def nannyml(reference: pd.DataFrame, live: pd.DataFrame) -> Call:
    """The calculator as its documentation begins with it: Jensen-Shannon, ten chunks a side."""
    from nannyml import UnivariateDriftCalculator

    def call() -> object:
        made = UnivariateDriftCalculator(column_names=list(reference.columns))
        return made.fit(reference).calculate(live).to_df()

    return call


WAYS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Call]] = {
    "ours": lambda reference, live: ours(reference, live, stored=True),
    "ours_profile": lambda reference, live: ours(reference, live, stored=False),
    "plain": plain,
    "limit": limit,
    "evidently": evidently,
    "nannyml": nannyml,
}
PACKAGES = {"evidently": "evidently", "nannyml": "nannyml"}


def resident(field: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at most since the mark was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def settle() -> None:
    """Gives back what reading and warming up left behind, and resets the high-water mark (Linux)."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Reads, warms up, measures, answers."""
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr
    way, folder, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    reference, live = (pd.read_parquet(folder / f"{side}.parquet") for side in ("reference", "live"))
    make = WAYS[way]
    make(reference.head(WARM_UP_ROWS), live.head(WARM_UP_ROWS))()
    call = make(reference, live)
    settle()
    before = resident("VmRSS")
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    told = {
        "wall_s": statistics.median(wall),
        "cpu_s": statistics.median(cpu),
        "peak_over_input": (resident("VmHWM") - before) / (8 * live.size),
        "versions": {
            name: version(name) for name in (*([PACKAGES[way]] if way in PACKAGES else []), "pandas", "numpy")
        },
    }
    print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
