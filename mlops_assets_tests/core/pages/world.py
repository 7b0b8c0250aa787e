"""Reports as they are stored: weeks of the tiny world, and one whose names are hostile."""

from typing import Any

import numpy as np

from mlops_assets.core.drift import Completeness, drift_report
from mlops_assets_tests.core.profile.world import POLICY, reference, week

FULL = Completeness(days_with_rows=7, days=7)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "delay\N{RIGHT-TO-LEFT OVERRIDE}nim\N{RIGHT-TO-LEFT MARK}",
    "nul\x00 bell\x07 half\ud800",
    "</style></title><svg onload=alert(1)>",
    "$\\frac{1}$ & &amp; $",
)


def report(seed: int, warmer: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A week of the tiny world as a report, `warmer` by so many degF."""
    window = week(np.random.default_rng(seed)).assign(temp=lambda rows: rows["temp"] + warmer)
    judged = drift_report(reference(), window, policy=POLICY, importances=None, completeness=FULL)
    return {**judged.to_json(), **changes}


def hostile(name: str) -> dict[str, Any]:
    """A report that says this name wherever a name can stand."""
    found = report(5, warmer=40)
    found["columns"] = [{**column, "name": f"{name}{at}", "unit": name, "sentence": f"{name} drifted"}
                        for at, column in enumerate(found["columns"])]  # fmt: skip
    told = dict.fromkeys(("use_case", "partition", "leader", "source"), name)
    faults = [{"columns": [name, name], "kind": name, "sentence": name}]
    return {**found, **told, "sentence": f"ACT: {name}", "quality_alarms": [name], "faults": faults}
