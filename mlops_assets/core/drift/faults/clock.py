"""A clock in another zone: a column of the time of day, or of a time span, off by whole hours."""

import numpy as np

from mlops_assets.core.drift.faults.fitting import apart
from mlops_assets.core.drift.faults.looking import Look
from mlops_assets.core.drift.faults.words import Fault, FaultKind
from mlops_assets.core.profile.columns import Floats

_HOUR = {"min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 1.0, "hour": 1.0, "hours": 1.0, "s": 3600.0}
_BETTER = 3.0  # a shift that explains a move leaves at most a third of it


def shifted(look: Look) -> Fault | None:
    """The fault, when a stable column of minutes or hours moved and is itself again so many whole hours earlier.

    A column that lies within one day is wrapped at midnight.
    """
    hour = _HOUR.get(look.profile.unit.strip().lower())
    if hour is None or not (look.profile.stable and look.moved and look.numeric) or not len(look.values):
        return None
    within = look.bins.points[0] >= 0 and look.bins.points[-1] < 24 * hour and bool((look.values < 24 * hour).all())

    def back(hours: int) -> Floats:
        earlier = look.values - hours * hour
        return np.mod(earlier, 24 * hour) if within else earlier

    left, _, hours = min((apart(look, back(hours)), abs(hours), hours) for hours in range(-12, 13) if hours)
    if left > look.profile.threshold or left * _BETTER > apart(look, look.values):
        return None
    unit = look.profile.unit
    sentence = (
        f"{look.name}: shifted by {hours * hour:+g} {unit} ({hours:+d} h): a clock in another zone, UTC for local time"
    )
    return Fault(columns=(look.profile.name,), kind=FaultKind.CLOCK, sentence=sentence)
