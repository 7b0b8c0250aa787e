"""Values in another unit: multiplied by a constant, perhaps with an offset.

Three kinds of evidence, none of which a changed world gives: a column declared stable moved and is itself again once a
conversion is undone; a column of round values has left them all, and is back on them once it is undone; or the values
are ten times as large or small, and far beyond what any window of the reference did.
"""

import math

import numpy as np

from mlops_assets.core.drift.faults.conversions import Conversion, conversions_of
from mlops_assets.core.drift.faults.fitting import apart, expected, on_points, usual_point
from mlops_assets.core.drift.faults.looking import Look, at_least
from mlops_assets.core.drift.faults.words import Fault, FaultKind
from mlops_assets.core.profile.columns import Floats, Ints
from mlops_assets.core.profile.sizes import size_of

_ROUND = 0.95  # of the reference's rows beside the most frequent value: its values are a lattice the sketch holds whole
_OFF = 0.5  # of the window's rows are none of them
_BACK = 0.9  # of the rows are, once the conversion is undone
_BETTER = 3.0  # a conversion that explains a move leaves at most a third of it
_SLIGHT = 1.1  # an unknown factor nearer to 1 is more likely a shift: a year of build 12 years later is x 1.006
_LEFT = 0.1  # of the rows outside the reference's range: the window's size is no longer seen in the sketch


def rescaled(look: Look) -> Fault | None:
    """The fault, if the values of a numeric column came in another unit or scale; named when the factor is known."""
    if not look.numeric or not look.live.cells.any() or not look.profile.tally.cells.any():
        return None
    found = _of_stable(look) if look.profile.stable else _off_the_lattice(look) or _far_in_size(look)
    return None if found is None else Fault(
        columns=(look.profile.name,), kind=FaultKind.UNIT, sentence=f"{look.name}: {found}"
    )  # fmt: skip


def _of_stable(look: Look) -> str | None:
    if not look.moved:
        return None
    known = min(
        conversions_of(look.profile.unit), key=lambda known: apart(look, known.undone(look.values)), default=None
    )
    if known is not None and _explains(look, known):
        return known.sentence
    usual = expected(look)
    told = usual != 0
    factor = float(np.median(look.values[told] / usual[told])) if told.any() else 0.0
    if factor == 0 or 1 / _SLIGHT < factor < _SLIGHT or not _explains(look, Conversion("", factor)):
        return None
    return _unknown(factor)


def _unknown(factor: float) -> str:
    return f"scale x {factor:.3g}, no known change of unit"


def _explains(look: Look, known: Conversion) -> bool:
    """The column is within its threshold again, and far nearer than as it came."""
    left = apart(look, known.undone(look.values))
    return left <= look.profile.threshold and left * _BETTER <= apart(look, look.values)


def _off_the_lattice(look: Look) -> str | None:
    """A column whose values are all among a few hundred, and now are not: converted, if a conversion leads back."""
    if _off(look, look.profile.tally.cells)[0] > 1 - _ROUND:
        return None
    share, rows = _off(look, look.live.cells)
    if at_least(round(share * rows), rows, look.level) <= _OFF or on_points(look, look.values) > _OFF:
        return None
    backs = [(on_points(look, known.undone(look.values)), known) for known in conversions_of(look.profile.unit)]
    share_back, known = max(backs, key=lambda back: back[0], default=(0.0, Conversion("", 1.0)))
    return known.sentence if share_back >= _BACK else None


def _off(look: Look, cells: Ints) -> tuple[float, int]:
    """The share of rows on no point of the sketch, and the rows it is of: those beside the reference's usual value."""
    beside = int(cells.sum() - cells[2 * usual_point(look) + 1])
    return (float(cells[0::2].sum() / beside) if beside else 0.0), beside


def _far_in_size(look: Look) -> str | None:
    """Ten times as large or small, and beyond 1.5 x (in logarithms) what any window of the reference was."""
    seen, reference = size_of(look.bins, look.live.cells), size_of(look.bins, look.profile.tally.cells)
    if look.profile.sizes is None or not seen or not reference:
        return None
    outside = (look.live.cells[0] + look.live.cells[-1]) / look.live.cells.sum()
    grew, shrank = seen / reference >= math.sqrt(look.policy.fault_scale), seen * look.policy.fault_scale <= reference
    if not (outside >= _LEFT or grew or shrank):
        return None  # the sketch, which cuts what is large, shows enough of it to tell without the rows
    factor = _size(look.values) / reference
    if not factor or not _beyond(factor, look):
        return None
    named = [
        (abs(math.log(_size(known.undone(look.values)) / reference)), known)
        for known in conversions_of(look.profile.unit)
    ]
    left, known = min(named, key=lambda pair: pair[0], default=(math.inf, Conversion("", 1.0)))
    return known.sentence if left < math.log(look.policy.fault_scale) / 2 else _unknown(factor)


def _size(values: Floats) -> float:
    """The mean of |value| without half a percent at either end."""
    return float(np.abs(values[1:-1] if len(values) > 2 else values).mean())


def _beyond(factor: float, look: Look) -> bool:
    natural = _natural(look, factor)
    return abs(math.log(factor)) > max(math.log(look.policy.fault_scale), look.policy.calibration * math.log(natural))


def _natural(look: Look, factor: float) -> float:
    """How many times as large (or, for a factor below 1, as small) a window of the reference was, >= 1."""
    least, most = look.profile.sizes or (1.0, 1.0)
    if factor > 1:
        return max(most, 1.0)
    return max(1 / least, 1.0) if least else math.inf
