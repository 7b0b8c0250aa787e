"""Changes of unit a feed may make by mistake, as data: live = factor x reference + offset."""

from dataclasses import dataclass

from mlops_assets.core.profile.columns import Floats


@dataclass(frozen=True)
class Conversion:
    """`words`: what the values look like; `factor` not 0, `offset` in the unit that came."""

    words: str
    factor: float
    offset: float = 0.0

    def undone(self, values: Floats) -> Floats:
        """Live values in the reference's unit, were this what happened to them.

        >>> import numpy as np
        >>> Conversion("degrees Celsius", 1 / 1.8, -32 / 1.8).undone(np.array([0.0, 100.0])).round(6).tolist()
        [32.0, 212.0]
        """
        return (values - self.offset) / self.factor

    @property
    def sentence(self) -> str:
        """The factor and what it means."""
        offset = f" {self.offset:+.4g}" if self.offset else ""
        return f"values x {self.factor:.4g}{offset}, as if in {self.words}"


_MILE, _KNOT = 1.609344, 1.150779
_OF: dict[tuple[str, ...], tuple[Conversion, ...]] = {
    ("mile", "miles", "mi"): (
        Conversion("kilometres", _MILE), Conversion("metres", 1000 * _MILE), Conversion("feet", 5280.0),
        Conversion("nautical miles", 1 / _KNOT),
    ),
    ("km", "kilometre", "kilometres"): (Conversion("miles", 1 / _MILE), Conversion("metres", 1000.0)),
    ("ft", "foot", "feet"): (Conversion("metres", 0.3048),),
    ("m", "metre", "metres"): (
        Conversion("feet", 1 / 0.3048), Conversion("kilometres", 0.001), Conversion("millimetres", 1000.0),
    ),
    ("inch", "in", "inches"): (Conversion("millimetres", 25.4), Conversion("centimetres", 2.54)),
    ("mm", "millimetre", "millimetres"): (Conversion("inches", 1 / 25.4), Conversion("centimetres", 0.1)),
    ("mph",): (
        Conversion("km/h", _MILE), Conversion("knots", 1 / _KNOT), Conversion("m/s", 0.44704),
    ),
    ("kt", "knot", "knots"): (
        Conversion("mph", _KNOT), Conversion("km/h", 1.852), Conversion("m/s", 0.514444),
    ),
    ("km/h", "kmh"): (Conversion("mph", 1 / _MILE), Conversion("m/s", 1 / 3.6), Conversion("knots", 1 / 1.852)),
    ("m/s",): (Conversion("km/h", 3.6), Conversion("mph", 1 / 0.44704), Conversion("knots", 1 / 0.514444)),
    ("°f", "degf", "f"): (
        Conversion("degrees Celsius", 1 / 1.8, -32 / 1.8), Conversion("kelvins", 1 / 1.8, 459.67 / 1.8),
    ),
    ("°c", "degc", "c"): (Conversion("degrees Fahrenheit", 1.8, 32.0), Conversion("kelvins", 1.0, 273.15)),
    ("hpa", "mbar"): (
        Conversion("inches of mercury", 0.0295300), Conversion("pascals", 100.0),
        Conversion("millimetres of mercury", 0.750062), Conversion("kilopascals", 0.1),
    ),
    ("s", "sec", "second", "seconds"): (
        Conversion("minutes", 1 / 60), Conversion("milliseconds", 1000.0), Conversion("hours", 1 / 3600),
    ),
    ("min", "minute", "minutes"): (
        Conversion("seconds", 60.0), Conversion("hours", 1 / 60), Conversion("milliseconds", 60_000.0),
    ),
    ("h", "hour", "hours"): (Conversion("minutes", 60.0), Conversion("seconds", 3600.0)),
    ("%", "percent"): (Conversion("fractions of 1", 0.01),),
    ("", "share", "fraction"): (Conversion("percent", 100.0), Conversion("thousandths", 1000.0)),
    ("kg", "kilogram", "kilograms"): (Conversion("pounds", 2.204623), Conversion("grams", 1000.0)),
    ("lb", "pound", "pounds"): (Conversion("kilograms", 0.453592),),
}  # fmt: skip
_CONVERSIONS = {unit: found for units, found in _OF.items() for unit in units}


def conversions_of(unit: str) -> tuple[Conversion, ...]:
    """The changes known of a unit, however it is written; none of a unit that is not in the table.

    >>> [known.words for known in conversions_of("min")]
    ['seconds', 'hours', 'milliseconds']
    """
    return _CONVERSIONS.get(unit.strip().lower(), ())
