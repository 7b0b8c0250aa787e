"""One value that fills far more of the window than any value ever did: a sensor that hangs."""

import numpy as np

from mlops_assets.core.drift.faults.looking import Look, at_least, rest_gone
from mlops_assets.core.drift.faults.words import Fault, FaultKind
from mlops_assets.core.profile.bins import held_cells

# A value that held more than this of some window may hold all of another: in a clear week every hour's visibility is
# the best there is (97 % of the hours of one week of the reference, 100 % of a later one), and a dry week has no rain.
_CONCENTRATED = 0.9


def stuck(look: Look) -> Fault | None:
    """The fault, when one value's share is proven to have risen by `fault_stuck` (and by 1.5 x the most it ever did).

    Or when it leaves next to nothing beside itself (`rest_gone`), in a column that never was near that. Values that
    share a gap of the sketch without being the same are not stuck.
    """
    profile, policy, rows = look.profile, look.policy, look.live.rows
    live = held_cells(profile.bins, look.live)
    if not rows or not live.any():
        return None
    before = held_cells(profile.bins, profile.tally) / profile.rows
    at = int(np.argmax(live / rows - before))
    rise = max(policy.fault_stuck, policy.calibration * profile.rise_most)
    alone = rest_gone(profile.held_most, policy) if profile.held_most <= _CONCENTRATED else 1.0
    bound = min(before[at] + rise, alone)
    if at_least(int(live[at]), rows, look.level) <= bound:
        return None
    value = _value(look, at)
    if value is None:
        return None
    sentence = (
        f"{look.name}: {100 * live[at] / rows:.0f} % of the rows are {value}, {100 * before[at]:.0f} % before: "
        "the feed repeats one value"
    )
    return Fault(columns=(profile.name,), kind=FaultKind.STUCK, sentence=sentence)


def _value(look: Look, at: int) -> str | None:
    """The one value in a cell, or the name of a category; None when the cell holds several values."""
    if not look.numeric:
        return repr(look.profile.bins.labels[at])
    points = look.bins.array
    if at % 2:
        return f"{points[at // 2]:.6g}"
    low = points[at // 2 - 1] if at else -np.inf
    high = points[at // 2] if at // 2 < len(points) else np.inf
    inside = look.values[(look.values > low) & (look.values < high)]
    same = np.unique(inside)
    return f"{same[0]:.6g}" if len(same) == 1 else None
