"""The faults of a window: of every column the most specific kind that fits, of every feed one fault."""

from collections.abc import Callable, Iterable

from mlops_assets.core.drift.faults.clock import shifted
from mlops_assets.core.drift.faults.looking import Look
from mlops_assets.core.drift.faults.missing import missing_faults, surge
from mlops_assets.core.drift.faults.stuck import stuck
from mlops_assets.core.drift.faults.units import rescaled
from mlops_assets.core.drift.faults.words import Fault, FaultKind

# the first that fits, the most specific first: a clock two hours late is also "x 1.15"
_RULES: tuple[Callable[[Look], Fault | None], ...] = (stuck, shifted, rescaled)


def find_faults(looks: Iterable[Look]) -> tuple[Fault, ...]:
    """The faults of the columns looked at, by their first column's name; a column is in at most one.

    A stable column that moved is always one, be it only that it moved.
    """
    surges, faults = [], []
    for look in looks:
        gone = surge(look)
        if gone is not None:
            surges.append(gone)
            continue
        found = next((fault for rule in _RULES if (fault := rule(look)) is not None), None)
        if found is None and look.profile.stable and look.moved:
            found = Fault(columns=(look.profile.name,), kind=FaultKind.MOVED, sentence=look.said)
        faults += [found] if found is not None else []
    return tuple(sorted([*missing_faults(surges), *faults], key=lambda fault: fault.columns))
